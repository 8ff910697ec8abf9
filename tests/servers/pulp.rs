//! Runs Pulp as a registry: its API with the token server, the server of blobs, and a worker.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::postgres::TestDatabase;
use tests::registry::USER;
use tests::supervise::Supervised;
use tests::tools;
use tokio::process::Command;
use tokio::sync::OnceCell;
use url::Url;

use crate::running::free_address;

/// The user who pushes, and who may change everything.
pub(crate) const ADMIN: (&str, &str) = ("admin", "letmein");

/// The pause between two looks at something that Pulp does in the background.
pub(crate) const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// The validity of tokens that a question waits for to expire. They are used within a second.
const BRIEF: u32 = 5;
const USUAL: u32 = 300;

/// Starts the programs of the folder `$1`. `$2` is the API's address, `$3` that of the blobs. All
/// belong to one process group, which the supervisor ends.
const PROGRAMS: &str = r#"
"$1/pulpcore-content" --no-control-socket --bind "$3" &
"$1/pulpcore-worker" &
exec "$1/pulpcore-api" --no-control-socket --bind "$2"
"#;

/// Adds the users to a new database.
const ADD_USERS: &str = "\
from django.contrib.auth import get_user_model
users = get_user_model().objects
users.create_superuser('ADMIN', password='ADMIN_PASSWORD')
users.create_user('USER', password='USER_PASSWORD')
";

/// A database with Pulp's tables and its users. Every Pulp gets a copy.
static TEMPLATE: OnceCell<TestDatabase> = OnceCell::const_new();

/// A running Pulp. Dropping it ends its processes.
pub(crate) struct Pulp {
    host: String,
    http: reqwest::Client,
    _process: Supervised,
    _database: TestDatabase,
}

impl Pulp {
    /// Starts a Pulp without repositories. With `brief`, its tokens expire after seconds.
    pub(crate) async fn start(brief: bool) -> anyhow::Result<Self> {
        let database = TEMPLATE.get_or_try_init(make_template).await?.duplicate().await?;
        let folder = folder()?;
        let (host, blobs) = (free_address()?, free_address()?);
        let validity = if brief { BRIEF } else { USUAL };
        let settings = Settings { host: &host, blobs: &blobs, validity };
        let settings = settings.prepare(folder.path(), &database)?;
        let settings: Vec<String> =
            settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let programs = tools::pulp()?.join("bin");
        let mut command: Vec<&OsStr> = vec!["/usr/bin/env".as_ref()];
        command.extend(settings.iter().map(OsStr::new));
        command.extend(["/bin/sh", "-c", PROGRAMS, "pulp"].map(OsStr::new));
        command.extend([programs.as_os_str(), host.as_ref(), blobs.as_ref()]);
        let process = Supervised::start(folder, &command, None)?;
        for address in [&host, &blobs] {
            let listens = format!("Listening at: http://{address}");
            let listens = |line: &str| line.contains(&listens).then_some(());
            process.log().wait_for(listens).await.context("Pulp did not start")?;
        }
        let tls = shared::tls::client_config(None)?;
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).build()?;
        Ok(Self { host, http, _process: process, _database: database })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Removes a repository from the registry.
    pub(crate) async fn remove_repository(&self, name: &str) -> anyhow::Result<()> {
        let path = self.distribution(name).await?;
        self.finish(Method::DELETE, &path, Value::Null).await
    }

    /// Takes the right to pull from a repository away from users who are no administrators, or
    /// gives it back. Waits until no token with the former rights is valid.
    pub(crate) async fn set_private(&self, name: &str, private: bool) -> anyhow::Result<()> {
        let path = self.distribution(name).await?;
        self.finish(Method::PATCH, &path, json!({"private": private})).await?;
        self.wait_until_tokens_expire().await
    }

    /// Replaces the password of [`USER`].
    pub(crate) async fn replace_password(&self, password: &str) -> anyhow::Result<()> {
        let path = format!("/pulp/api/v3/users/?username={}", USER.0);
        let found = self.call(Method::GET, &path, Value::Null).await?;
        let user = found["results"][0]["pulp_href"].as_str().context("no such user")?;
        self.call(Method::PATCH, user, json!({"password": password})).await?;
        Ok(())
    }

    /// Waits until every token that was issued before is refused.
    pub(crate) async fn wait_until_tokens_expire(&self) -> anyhow::Result<()> {
        let url = format!("http://{0}/token/?service={0}&scope=registry:catalog:*", self.host);
        let issued = self.http.get(url).basic_auth(ADMIN.0, Some(ADMIN.1)).send().await?;
        let issued: Value = serde_json::from_slice(&issued.bytes().await?)?;
        let token = issued["token"].as_str().context("no token")?;
        let catalog = format!("http://{}/v2/_catalog", self.host);
        loop {
            let answer = self.http.get(&catalog).bearer_auth(token).send().await?;
            if answer.status() == StatusCode::UNAUTHORIZED {
                return Ok(());
            }
            ensure!(answer.status().is_success(), "the catalog: {}", answer.status());
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Returns the path of what Pulp calls the distribution of a repository.
    async fn distribution(&self, name: &str) -> anyhow::Result<String> {
        let path = format!("/pulp/api/v3/distributions/container/container/?base_path={name}");
        let found = self.call(Method::GET, &path, Value::Null).await?;
        let path = found["results"][0]["pulp_href"].as_str();
        Ok(path.with_context(|| format!("there is no {name}"))?.to_owned())
    }

    /// Calls the API, and waits for the task that it starts.
    async fn finish(&self, method: Method, path: &str, body: Value) -> anyhow::Result<()> {
        let started = self.call(method, path, body).await?;
        let task = started["task"].as_str().context("no task")?;
        loop {
            let task = self.call(Method::GET, task, Value::Null).await?;
            match task["state"].as_str() {
                Some("completed") => return Ok(()),
                Some("waiting" | "running") => tokio::time::sleep(BETWEEN_LOOKS).await,
                _ => anyhow::bail!("{task}"),
            }
        }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let mut request = self.http.request(method, format!("http://{}{path}", self.host));
        if !body.is_null() {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.basic_auth(ADMIN.0, Some(ADMIN.1)).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        ensure!(status.is_success(), "{path}: {status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }
}

async fn make_template() -> anyhow::Result<TestDatabase> {
    let database = TestDatabase::create_empty().await?;
    let folder = folder()?;
    let address = free_address()?;
    let settings = Settings { host: &address, blobs: &address, validity: USUAL };
    let settings = settings.prepare(folder.path(), &database)?;
    let add_users = ADD_USERS
        .replace("ADMIN_PASSWORD", ADMIN.1)
        .replace("ADMIN", ADMIN.0)
        .replace("USER_PASSWORD", USER.1)
        .replace("USER", USER.0);
    for words in [&["migrate", "--no-input"][..], &["shell", "--command", &add_users]] {
        let mut command = Command::new(tools::pulp()?.join("bin/pulpcore-manager"));
        command.args(words).envs(settings.iter().map(|(name, value)| (name, value)));
        command.kill_on_drop(true);
        let done = command.output().await.context("cannot start pulpcore-manager")?;
        let said = String::from_utf8_lossy(&done.stderr);
        let last = said.trim().lines().last().unwrap_or_default();
        ensure!(done.status.success(), "pulpcore-manager {words:?}: {last}");
    }
    Ok(database)
}

fn folder() -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("chart-discovery-pulp-").tempdir()
}

/// What differs between two Pulps.
struct Settings<'a> {
    host: &'a str,
    blobs: &'a str,
    /// The validity of tokens, in seconds.
    validity: u32,
}

impl Settings<'_> {
    /// Makes the folders that Pulp writes to. Returns its settings as variables.
    fn prepare(
        &self,
        folder: &Path,
        database: &TestDatabase,
    ) -> anyhow::Result<Vec<(&'static str, String)>> {
        let below = |name: &str| folder.join(name).display().to_string();
        std::fs::create_dir(below("media"))?;
        std::fs::create_dir(below("tmp"))?;
        let keys = tools::pulp()?;
        let key = |name: &str| keys.join(name).display().to_string();
        let database: Url = database.direct_url().parse()?;
        let server = database.host_str().context("a database without a host")?;
        Ok(vec![
            ("PULP_SECRET_KEY", "tests".to_owned()),
            ("PULP_ANALYTICS", "false".to_owned()),
            ("PULP_AUTH_PASSWORD_VALIDATORS", "[]".to_owned()),
            ("PULP_CONTENT_ORIGIN", format!("http://{}", self.blobs)),
            ("PULP_TOKEN_SERVER", format!("http://{}/token/", self.host)),
            ("PULP_TOKEN_EXPIRATION_TIME", self.validity.to_string()),
            ("PULP_TOKEN_SIGNATURE_ALGORITHM", "ES256".to_owned()),
            ("PULP_PRIVATE_KEY_PATH", key("private.pem")),
            ("PULP_PUBLIC_KEY_PATH", key("public.pem")),
            ("PULP_DB_ENCRYPTION_KEY", key("fields.key")),
            ("PULP_DEPLOY_ROOT", folder.display().to_string()),
            ("PULP_MEDIA_ROOT", below("media")),
            ("PULP_WORKING_DIRECTORY", below("tmp")),
            ("PULP_FILE_UPLOAD_TEMP_DIR", below("tmp")),
            ("PULP_DATABASES__default__HOST", server.to_owned()),
            ("PULP_DATABASES__default__PORT", database.port().unwrap_or(5432).to_string()),
            ("PULP_DATABASES__default__NAME", database.path().replace('/', "")),
            ("PULP_DATABASES__default__USER", database.username().to_owned()),
            ("PULP_DATABASES__default__PASSWORD", password(&database)),
        ])
    }
}

fn password(database: &Url) -> String {
    database.password().unwrap_or_default().to_owned()
}
