//! Errors of requests to the database, and whether a retry may help.

use tokio_postgres::error::SqlState;

/// A failed request to the database. Either all of its rows were written or none. If the connection
/// died, it is unknown which. The caller can repeat every request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection failed. Check the address, the credentials and the network.
    #[error("cannot connect to the database at {address} (from {setting})")]
    Connect {
        /// Host and port.
        address: String,
        /// The variable that names the address.
        setting: &'static str,
        /// The cause.
        source: tokio_postgres::Error,
    },
    /// The connection was not open in time. Packets get lost on the way, or the server does not
    /// answer.
    #[error(
        "cannot connect to the database at {address} (from {setting}): no answer within {seconds} s"
    )]
    ConnectTimedOut {
        /// Host and port.
        address: String,
        /// The variable that names the address.
        setting: &'static str,
        /// The time limit.
        seconds: u64,
    },
    /// The secret with the credentials cannot be read, or no token can be made.
    #[error("cannot get the database's login (from {setting})")]
    Login {
        /// The variable that names the source of the credentials.
        setting: &'static str,
        /// The cause.
        source: crate::aws::Error,
    },
    /// The certificates in `DATABASE_CA_FILE` cannot be used.
    #[error("cannot set up TLS for the database (DATABASE_CA_FILE)")]
    Tls(#[from] crate::tls::Error),
    /// The answer did not come in time. The connection was dropped.
    #[error("the database did not {what} within {seconds} s")]
    TimedOut {
        /// The request: completes "the database did not …".
        what: &'static str,
        /// The time limit.
        seconds: u64,
    },
    /// The database refused the request, or the connection died.
    #[error("the database did not {what}")]
    Query {
        /// The request: completes "the database did not …".
        what: &'static str,
        /// The answer of the database, or the fault of the connection.
        source: tokio_postgres::Error,
    },
    /// Another session had a lock for too long. Nothing was changed.
    #[error(
        "the database did not {what}: a table was locked for {seconds} s by {holders}. Wait for it \
         to end, or end it, and try again"
    )]
    Locked {
        /// The request: completes "the database did not …".
        what: &'static str,
        /// How long the lock was tried for.
        seconds: u64,
        /// The sessions that held the tables.
        holders: String,
    },
    /// Another run of `migrate` gave the database back to Platz during an adoption.
    #[error("the database did not {what}: another run of migrate gave it back to Platz meanwhile")]
    GivenBack {
        /// The request: completes "the database did not …".
        what: &'static str,
    },
    /// The answer has no row, although every such answer must have one.
    #[error("the database did not {what}: it gave no row")]
    NoRow {
        /// The request: completes "the database did not …".
        what: &'static str,
    },
}

impl Error {
    /// Tells whether the database refused the data itself (SQLSTATE classes 22 and 23). It will
    /// refuse the same data again, but may accept other data.
    #[must_use]
    pub fn is_data_error(&self) -> bool {
        let Some(state) = self.sql_state() else { return false };
        state.code().starts_with("22") || state.code().starts_with("23")
    }

    /// Tells whether an immediate retry may succeed: after a deadlock, a serialization failure, a
    /// row that was deleted meanwhile, or a dead connection.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Query { source, .. } => {
                let state = source.code();
                source.is_closed()
                    || state == Some(&SqlState::T_R_DEADLOCK_DETECTED)
                    || state == Some(&SqlState::T_R_SERIALIZATION_FAILURE)
                    || state == Some(&SqlState::ADMIN_SHUTDOWN)
                    // A row that ours refers to was deleted meanwhile. The next attempt writes
                    // without it.
                    || state == Some(&SqlState::FOREIGN_KEY_VIOLATION)
            }
            Self::Connect { .. }
            | Self::ConnectTimedOut { .. }
            | Self::Login { .. }
            | Self::Tls(_)
            | Self::TimedOut { .. }
            | Self::Locked { .. }
            | Self::GivenBack { .. }
            | Self::NoRow { .. } => false,
        }
    }

    /// Tells whether a later retry may succeed: the server is unreachable, starting, full, or
    /// refuses writes at present.
    #[must_use]
    pub fn is_worth_waiting_for(&self) -> bool {
        match self {
            Self::Connect { source, .. } => may_pass(source),
            Self::ConnectTimedOut { .. } | Self::TimedOut { .. } | Self::Locked { .. } => true,
            Self::Query { source, .. } => self.is_transient() || may_pass(source),
            Self::Tls(_) | Self::Login { .. } | Self::GivenBack { .. } | Self::NoRow { .. } => {
                false
            }
        }
    }

    /// Tells whether the database did not answer in time. It may answer a smaller request.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    /// Tells whether another row already has the name or pattern, which must be unique.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.sql_state() == Some(&SqlState::UNIQUE_VIOLATION)
    }

    /// Tells whether the new kind of a registry does not exist.
    #[must_use]
    pub fn is_kind_missing(&self) -> bool {
        let Self::Query { source, .. } = self else { return false };
        source.as_db_error().and_then(|error| error.constraint())
            == Some("helm_registries_kind_id_fkey")
    }

    fn sql_state(&self) -> Option<&SqlState> {
        match self {
            Self::Query { source, .. } => source.code(),
            _ => None,
        }
    }
}

/// Tells whether a fault may pass: by the SQLSTATE, or without one by the fault of the network.
fn may_pass(error: &tokio_postgres::Error) -> bool {
    if let Some(state) = error.code() {
        return is_passing(state);
    }
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<std::io::Error>() {
            return true;
        }
        cause = inner.source();
    }
    error.is_closed()
}

/// Tells whether a condition passes: no resources, starting or stopping, a standby, a lock timeout.
fn is_passing(state: &SqlState) -> bool {
    let code = state.code();
    matches!(code, "25006" | "55P03")
        || ["08", "53", "57"].iter().any(|class| code.starts_with(class))
}
