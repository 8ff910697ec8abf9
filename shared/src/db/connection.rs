//! The one connection of a process: made when first needed, made again when it is gone, given up
//! when it hangs.

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

/// Time for a connection to be made, TLS and login included.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Time for one request, a whole transaction at the most. A black-holed connection is noticed after
/// this long.
pub(super) const STATEMENT_DEADLINE: Duration = Duration::from_secs(10);

/// The database. Requests wait for each other: there is one connection, as a Lambda sandbox handles
/// one invocation.
pub struct Database {
    login: DatabaseLogin,
    /// Made at start where the settings name a file of roots. The system's roots are read with the
    /// first connection.
    tls: Option<ClientConfig>,
    connection: Mutex<Option<Connection>>,
}

/// A live connection and the task that drives it.
struct Connection {
    client: Client,
    driver: JoinHandle<()>,
}

/// The connection for the time of one request. It is taken out meanwhile: if the caller gives up
/// half way, the connection goes with it, and no later request reads the answers of this one.
pub(super) struct Turn<'a> {
    slot: MutexGuard<'a, Option<Connection>>,
    connection: Connection,
}

/// A parameter of a statement, with its type. Statements with typed parameters need no named
/// prepare, which RDS Proxy would pin the connection for.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// The parameters of one statement, `$1` first.
pub(super) type Parameters<'a> = &'a [Parameter<'a>];

impl Database {
    /// A database that is connected to when first needed.
    ///
    /// # Errors
    /// When `DATABASE_CA_FILE` cannot be used.
    pub fn new(settings: DatabaseSettings) -> Result<Self, Error> {
        let DatabaseSettings { login, ca_file } = settings;
        let tls = ca_file.map(|roots| crate::tls::client_config(Some(&roots))).transpose()?;
        Ok(Self { login, tls, connection: Mutex::new(None) })
    }

    /// The database's clock, to be read before a registry is asked.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn now(&self) -> Result<OffsetDateTime, Error> {
        let time = async |client: &mut Client| {
            client.query_typed_one("SELECT clock_timestamp()", &[]).await?.try_get(0)
        };
        self.run_twice("tell the time", time).await
    }

    /// The database's clock, and the version of the tag formats.
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

    /// Runs one statement that may be run twice. `what` completes "the database did not …".
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

    /// Runs one statement.
    pub(super) async fn query_once(
        &self,
        what: &'static str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        let turn = self.turn().await?;
        let answer = timeout(STATEMENT_DEADLINE, turn.client().query_typed(sql, parameters)).await;
        turn.end(what, STATEMENT_DEADLINE, answer)
    }

    /// Runs some statements that are sent together, in one round trip, and gives the rows of each.
    /// Not in a transaction, but for one that they begin and end.
    pub(super) async fn query_all(
        &self,
        what: &'static str,
        statements: &[(&str, Parameters<'_>)],
    ) -> Result<Vec<Vec<Row>>, Error> {
        let turn = self.turn().await?;
        let client = turn.client();
        let sent = statements.iter().map(|(sql, parameters)| client.query_typed(sql, parameters));
        let answer = timeout(STATEMENT_DEADLINE, try_join_all(sent)).await;
        turn.end(what, STATEMENT_DEADLINE, answer)
    }

    /// As [`Database::run`], for statements that change nothing: once more on a new connection, if
    /// the old one is found dead. A sandbox thawed after a long freeze finds it so.
    async fn run_twice<T>(
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

    /// Runs some statements on the connection. Nobody else uses it meanwhile.
    pub(super) async fn run<T>(
        &self,
        what: &'static str,
        statements: impl AsyncFnOnce(&mut Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        self.run_within(STATEMENT_DEADLINE, what, statements).await
    }

    /// As [`Database::run`], with its own deadline.
    pub(super) async fn run_within<T>(
        &self,
        deadline: Duration,
        what: &'static str,
        statements: impl AsyncFnOnce(&mut Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let mut turn = self.turn().await?;
        let answer = timeout(deadline, statements(&mut turn.connection.client)).await;
        turn.end(what, deadline, answer)
    }

    /// Waits for the connection, and makes one if there is none.
    pub(super) async fn turn(&self) -> Result<Turn<'_>, Error> {
        let mut slot = self.connection.lock().await;
        let connection = match slot.take().filter(|connection| !connection.client.is_closed()) {
            Some(connection) => connection,
            None => Connection::open(&self.login, self.tls.as_ref()).await?,
        };
        Ok(Turn { slot, connection })
    }
}

impl Turn<'_> {
    pub(super) fn client(&self) -> &Client {
        &self.connection.client
    }

    /// Gives the connection back, if it is still good, and the answer on.
    pub(super) fn end<T>(
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
                // A server that takes no writes is a standby, or was one: another connection may
                // find the primary.
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
            DatabaseLogin::Secret(arn) => {
                (super::secret::read(arn).boxed().await?, "DATABASE_SECRET_ARN")
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

/// With a token for a password: RDS accepts it for a quarter of an hour, so that each connection
/// gets its own. It is not sent in clear, but to a server on this machine.
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

/// Host and port for messages.
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
