//! What can go wrong between us and the database, and whether trying again may help.

use tokio_postgres::error::SqlState;

/// A request to the database that failed. All of what it was to write has been written, or nothing:
/// when a connection dies, nobody can tell which. Every request can be made again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection. Check the address, the credentials and the network.
    #[error("cannot connect to the database at {address} (from {setting})")]
    Connect {
        /// Host and port.
        address: String,
        /// The variable that the address came from.
        setting: &'static str,
        /// What the connection met.
        source: tokio_postgres::Error,
    },
    /// No connection in time: an address that swallows what is sent to it, or a server that does
    /// not greet.
    #[error(
        "cannot connect to the database at {address} (from {setting}): no answer within {seconds} s"
    )]
    ConnectTimedOut {
        /// Host and port.
        address: String,
        /// The variable that the address came from.
        setting: &'static str,
        /// How long it was given.
        seconds: u64,
    },
    /// The secret with the credentials cannot be had, or no token be made.
    #[error("cannot get the database's login (from {setting})")]
    Login {
        /// The variable that says where it comes from.
        setting: &'static str,
        /// What was wrong.
        source: crate::aws::Error,
    },
    /// The certificates in `DATABASE_CA_FILE` cannot be used.
    #[error("cannot set up TLS for the database (DATABASE_CA_FILE)")]
    Tls(#[from] crate::tls::Error),
    /// No answer in time. The connection has been given up.
    #[error("the database did not {what} within {seconds} s")]
    TimedOut {
        /// What it was asked to do.
        what: &'static str,
        /// How long it was given.
        seconds: u64,
    },
    /// The database refused, or the connection broke.
    #[error("the database did not {what}")]
    Query {
        /// What it was asked to do.
        what: &'static str,
        /// Its answer.
        source: tokio_postgres::Error,
    },
    /// An answer without the row that every such answer has.
    #[error("the database did not {what}: it gave no row")]
    NoRow {
        /// What it was asked to do.
        what: &'static str,
    },
}

impl Error {
    /// Whether the data itself was refused (SQLSTATE classes 22 and 23): the same data will be
    /// refused again, other data need not be.
    #[must_use]
    pub fn is_data_error(&self) -> bool {
        let Some(state) = self.sql_state() else { return false };
        state.code().starts_with("22") || state.code().starts_with("23")
    }

    /// Whether the same request may succeed at once: a deadlock or serialization failure, a row
    /// that was deleted meanwhile, or a connection that was found dead.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Query { source, .. } => {
                let state = source.code();
                source.is_closed()
                    || state == Some(&SqlState::T_R_DEADLOCK_DETECTED)
                    || state == Some(&SqlState::T_R_SERIALIZATION_FAILURE)
                    || state == Some(&SqlState::ADMIN_SHUTDOWN)
                    // A row that ours refers to was deleted while we wrote: the next attempt does
                    // without it.
                    || state == Some(&SqlState::FOREIGN_KEY_VIOLATION)
            }
            Self::Connect { .. }
            | Self::ConnectTimedOut { .. }
            | Self::Login { .. }
            | Self::Tls(_)
            | Self::TimedOut { .. }
            | Self::NoRow { .. } => false,
        }
    }

    /// Whether a later attempt may succeed although this one did not: a server that is away,
    /// starts, is full, or does not take writes for now.
    #[must_use]
    pub fn is_worth_waiting_for(&self) -> bool {
        match self {
            Self::Connect { source, .. } => may_pass(source),
            Self::ConnectTimedOut { .. } | Self::TimedOut { .. } => true,
            Self::Query { source, .. } => self.is_transient() || may_pass(source),
            Self::Tls(_) | Self::Login { .. } | Self::NoRow { .. } => false,
        }
    }

    /// Whether the database did not answer in time. Less of the same may be answered.
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        matches!(self, Self::TimedOut { .. })
    }

    /// Whether another row has the name, or the pattern, that was to be unique.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.sql_state() == Some(&SqlState::UNIQUE_VIOLATION)
    }

    /// Whether there is no such kind as the registry was to have.
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

/// What the server says tells; without a word from it, whether the network is at fault.
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

/// Conditions that pass: no room, starting or ending, a standby, a time-out, a lock.
fn is_passing(state: &SqlState) -> bool {
    let code = state.code();
    matches!(code, "25006" | "55P03")
        || ["08", "53", "57"].iter().any(|class| code.starts_with(class))
}
