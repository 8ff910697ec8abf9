//! The one connection of a process. It is opened when first needed, opened again when it is dead,
//! and dropped when it hangs.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::try_join_all;
use rustls::ClientConfig;
use time::OffsetDateTime;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio::time::{error::Elapsed, timeout};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Row};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::debug;

use super::Error;
use crate::config::{DatabaseLogin, DatabaseSettings};

/// Time to open a connection, TLS and login included.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Time for one request, which is at most one transaction. A connection whose packets get lost is
/// noticed after this time.
pub(super) const STATEMENT_DEADLINE: Duration = Duration::from_secs(10);

/// The database. Requests wait for each other, because one connection is enough: a Lambda sandbox
/// handles one invocation at a time.
pub struct Database {
    login: DatabaseLogin,
    /// Made at start from a file of roots. `None` for the system's roots: each new connection reads
    /// them.
    tls: Option<ClientConfig>,
    connection: Mutex<Option<Connection>>,
}

/// A live connection and the task that drives it.
struct Connection {
    client: Client,
    driver: JoinHandle<()>,
}

/// The connection during one request. It is out of its slot meanwhile: if the caller is cancelled,
/// the connection is dropped, so that no later request reads the answers of this one.
pub(super) struct HeldConnection<'a> {
    slot: MutexGuard<'a, Option<Connection>>,
    connection: Connection,
}

/// A parameter of a statement, with its type. A statement with typed parameters needs no named
/// prepared statement, for which RDS Proxy would pin the connection.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// The parameters of one statement, `$1` first.
pub(super) type Parameters<'a> = &'a [Parameter<'a>];

/// A statement with its parameters.
pub(super) type Statement<'a> = (&'a str, Parameters<'a>);

impl Database {
    /// Prepares access to the database. The first request opens the connection.
    ///
    /// # Errors
    /// When `DATABASE_CA_FILE` cannot be used.
    pub fn new(settings: DatabaseSettings) -> Result<Self, Error> {
        let DatabaseSettings { login, ca_file } = settings;
        let tls = ca_file.map(|roots| crate::tls::client_config(Some(&roots))).transpose()?;
        Ok(Self { login, tls, connection: Mutex::new(None) })
    }

    /// Returns the time of the database's clock. Callers read it before they ask a registry.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn now(&self) -> Result<OffsetDateTime, Error> {
        let time = async |client: &mut Client| {
            client.query_typed_one("SELECT clock_timestamp()", &[]).await?.try_get(0)
        };
        self.run_twice("tell the time", time).await
    }

    /// Returns the time of the database's clock, and the version of the tag formats.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn now_and_formats_version(&self) -> Result<(OffsetDateTime, i64), Error> {
        let sql = "SELECT clock_timestamp(), version FROM helm_tag_formats_version";
        let read = async |client: &mut Client| {
            let row = client.query_typed_one(sql, &[]).await?;
            Ok((row.try_get(0)?, row.try_get(1)?))
        };
        self.run_twice("tell the time", read).await
    }

    /// Runs one statement, and again on a new connection if the old one is dead. `what` completes
    /// "the database did not …".
    pub(super) async fn query(
        &self,
        what: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        match self.query_once(what, sql, parameters).await {
            Err(error) if error.is_transient() => {
                connecting_again(&error);
                self.query_once(what, sql, parameters).await
            }
            other => other,
        }
    }

    /// Runs one statement, without a retry.
    pub(super) async fn query_once(
        &self,
        what: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        let held = self.take_connection().await?;
        let answer = timeout(STATEMENT_DEADLINE, held.client().query_typed(sql, parameters)).await;
        held.give_back(what, STATEMENT_DEADLINE, answer)
    }

    /// Runs statements in one round trip, and returns the rows of each. They are not in a
    /// transaction. Tries again on a new connection as [`Database::query`] does.
    pub(super) async fn query_all(
        &self,
        what: &'static str,
        statements: &[Statement<'_>],
    ) -> Result<Vec<Vec<Row>>, Error> {
        match self.query_all_once(what, statements).await {
            Err(error) if error.is_transient() => {
                connecting_again(&error);
                self.query_all_once(what, statements).await
            }
            other => other,
        }
    }

    async fn query_all_once(
        &self,
        what: &'static str,
        statements: &[Statement<'_>],
    ) -> Result<Vec<Vec<Row>>, Error> {
        let held = self.take_connection().await?;
        let client = held.client();
        let sent = statements.iter().map(|(sql, parameters)| client.query_typed(sql, parameters));
        let answer = timeout(STATEMENT_DEADLINE, try_join_all(sent)).await;
        held.give_back(what, STATEMENT_DEADLINE, answer)
    }

    /// Runs statements that change nothing, and again on a new connection if the old one is dead.
    /// The connection of a sandbox is dead after a long freeze.
    pub(super) async fn run_twice<T>(
        &self,
        what: &'static str,
        statements: impl AsyncFn(&mut Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        match self.run(what, &statements).await {
            Err(error) if error.is_transient() => {
                connecting_again(&error);
                self.run(what, &statements).await
            }
            other => other,
        }
    }

    /// Runs statements on the connection. Other requests wait meanwhile.
    pub(super) async fn run<T>(
        &self,
        what: &'static str,
        statements: impl AsyncFnOnce(&mut Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        self.run_within(STATEMENT_DEADLINE, what, statements).await
    }

    /// Runs statements as [`Database::run`] does, with another deadline.
    pub(super) async fn run_within<T>(
        &self,
        deadline: Duration,
        what: &'static str,
        statements: impl AsyncFnOnce(&mut Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let mut held = self.take_connection().await?;
        let answer = timeout(deadline, statements(&mut held.connection.client)).await;
        held.give_back(what, deadline, answer)
    }

    pub(super) fn login(&self) -> &DatabaseLogin {
        &self.login
    }

    /// Waits for the connection, and opens one if there is none.
    pub(super) async fn take_connection(&self) -> Result<HeldConnection<'_>, Error> {
        let mut slot = self.connection.lock().await;
        let connection = match slot.take().filter(|connection| !connection.client.is_closed()) {
            Some(connection) => connection,
            None => Connection::open(&self.login, self.tls.as_ref()).await?,
        };
        Ok(HeldConnection { slot, connection })
    }
}

impl HeldConnection<'_> {
    pub(super) fn client(&self) -> &Client {
        &self.connection.client
    }

    /// Puts the connection back if it is still usable, and returns the answer.
    pub(super) fn give_back<T>(
        mut self,
        what: &'static str,
        deadline: Duration,
        answer: Result<Result<T, tokio_postgres::Error>, Elapsed>,
    ) -> Result<T, Error> {
        match answer {
            Ok(Ok(value)) => {
                *self.slot = Some(self.connection);
                Ok(value)
            }
            Ok(Err(source)) => {
                // A server that refuses writes is a standby. A new connection may reach the
                // primary.
                let is_standby = source.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION);
                if !source.is_closed() && !is_standby {
                    *self.slot = Some(self.connection);
                }
                Err(Error::Query { what, source })
            }
            Err(_) => Err(Error::TimedOut { what, seconds: deadline.as_secs() }),
        }
    }
}

fn connecting_again(error: &Error) {
    debug!(error = %crate::telemetry::Causes(error), "connecting to the database again");
}

impl Connection {
    async fn open(login: &DatabaseLogin, tls: Option<&ClientConfig>) -> Result<Self, Error> {
        let (mut config, setting) = match login {
            DatabaseLogin::Url(url) => (url.driver_config().clone(), "DATABASE_URL"),
            DatabaseLogin::Iam(url) => {
                (with_token(url.driver_config().clone()).boxed().await?, "DATABASE_URL")
            }
            DatabaseLogin::Secret { arn, url } => {
                let config = super::secret::read(arn, url.as_deref()).boxed().await?;
                (config, "DATABASE_SECRET_ARN")
            }
        };
        config.tcp_user_timeout(STATEMENT_DEADLINE);
        if config.get_application_name().is_none() {
            config.application_name("helm-chart-discovery");
        }
        let tls = match tls {
            Some(tls) => tls.clone(),
            None => crate::tls::client_config(None)?,
        };
        let address = address(&config);
        let connected =
            timeout(CONNECT_DEADLINE, config.connect(MakeRustlsConnect::new(tls))).await;
        let (client, connection) = match connected {
            Ok(connected) => {
                connected.map_err(|source| Error::Connect { address, setting, source })?
            }
            Err(_) => {
                return Err(Error::ConnectTimedOut {
                    address,
                    setting,
                    seconds: CONNECT_DEADLINE.as_secs(),
                });
            }
        };
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(error = %crate::telemetry::Causes(&error), "database connection ended");
            }
        });
        Ok(Self { client, driver })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Sets a token as the password. Each connection gets a new token, because RDS accepts one for 15
/// minutes only. TLS is required, so that the token is not sent in clear text. A server on this
/// machine is an exception.
async fn with_token(mut config: Config) -> Result<Config, Error> {
    let (host, port) = match (config.get_hosts().first(), config.get_ports().first()) {
        (Some(Host::Tcp(host)), port) => (host.clone(), port.copied().unwrap_or(5432)),
        _ => return Ok(config),
    };
    let user = config.get_user().unwrap_or_default().to_owned();
    let token = crate::aws::database_token(&host, port, &user).await;
    let token = token.map_err(|source| Error::Login { setting: "DATABASE_IAM_AUTH", source })?;
    if !host.parse().is_ok_and(|address: IpAddr| address.is_loopback()) {
        config.ssl_mode(SslMode::Require);
    }
    config.password(token);
    Ok(config)
}

/// Returns host and port for messages.
fn address(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "?".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("{host}:{port}")
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}
