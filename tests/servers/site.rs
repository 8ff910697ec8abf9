//! What a question needs: a registry, `oci-poll`, and queries for the rows.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use shared::domain::Digest;
use tests::dynamodb::DynamoDb;
use tests::function::Function;
use tests::moto::Moto;
use tests::postgres::TestDatabase;
use tests::registry::USER;
use tokio_postgres::Client;

use crate::running::{Access, Running};
use crate::server::Server;

/// The repository of most questions.
pub(crate) const REPOSITORY: &str = "team/api";

/// A registry with a poller.
pub(crate) struct Site {
    pub(crate) registry: Running,
    poller: Function,
    rows: Client,
    instance: Value,
    secret: Option<Secret>,
    _database: TestDatabase,
    _dynamodb: DynamoDb,
}

/// The poller's credentials, in Secrets Manager.
struct Secret {
    moto: Moto,
    arn: String,
}

impl Site {
    /// Makes a site with a registry that asks for no login, if it can be so.
    pub(crate) async fn start(server: Server) -> anyhow::Result<Self> {
        Self::with(server, Access::Open, USER.1).await
    }

    /// Makes a site whose poller has this password, if the registry asks for one.
    pub(crate) async fn with(
        server: Server,
        access: Access,
        password: &str,
    ) -> anyhow::Result<Self> {
        let registry = Running::start(server, access).await?;
        let database = TestDatabase::create().await?;
        let dynamodb = DynamoDb::start().await?;
        let secret =
            if registry.asks_for_login { Some(Secret::create(password).await?) } else { None };
        let mut settings = vec![("DATABASE_URL", database.url())];
        settings.extend(dynamodb.settings());
        if let Some(secret) = &secret {
            settings.push(("AWS_ENDPOINT_URL_SECRETS_MANAGER", secret.moto.settings()[0].1));
        }
        // Pulp has its blobs on another port.
        settings.push(("ALLOWED_ADDRESSES", "127.0.0.1"));
        let poller = Function::start("oci-poll", &settings).await?;
        let rows = database.connect().await?;
        // It polls so rarely that an invocation is one pass.
        let mut oci = json!({
            "registryUrl": format!("http://{}", registry.host),
            "pollInterval": "59s 900ms",
        });
        if let Some(secret) = &secret {
            oci["credentialsSecretArn"] = json!(secret.arn);
        }
        let instance = json!({"name": "test", "provider": "oci", "oci": oci});
        Ok(Self {
            registry,
            poller,
            rows,
            instance,
            secret,
            _database: database,
            _dynamodb: dynamodb,
        })
    }

    /// Pushes charts to [`REPOSITORY`], and returns their digests.
    pub(crate) async fn push(&self, tags: &[&str]) -> anyhow::Result<Vec<Digest>> {
        let mut digests = Vec::new();
        for tag in tags {
            digests.push(self.registry.pusher.push_chart(REPOSITORY, tag, tag).await?);
        }
        Ok(digests)
    }

    /// Replaces the poller's password.
    pub(crate) async fn replace_secret(&self, password: &str) -> anyhow::Result<()> {
        let secret = self.secret.as_ref().context("the poller has no password")?;
        secret.moto.put_secret(&secret.arn, &credentials(password)).await
    }

    /// Invokes the poller with a request about the instance.
    pub(crate) async fn invoke(&self, field: &str, request: Value) -> anyhow::Result<Value> {
        self.poller.invoke(&json!({"instance": self.instance, field: request})).await
    }

    /// Changes the times in the database, as if two hours had passed.
    pub(crate) async fn let_time_pass(&self) -> anyhow::Result<()> {
        let sql = "UPDATE observations SET observed_at = observed_at - interval '2 hours',
                changed_at = changed_at - interval '2 hours',
                missing_since = missing_since - interval '2 hours';
            UPDATE reference_faults SET next_at = clock_timestamp()";
        Ok(self.rows.batch_execute(sql).await?)
    }

    /// Returns the error in the health of the instance, which is empty if there is none.
    pub(crate) async fn health(&self) -> anyhow::Result<String> {
        let sql = "SELECT coalesce(last_error, '') FROM discovery_instances";
        Ok(self.rows.query_one(sql, &[]).await?.get(0))
    }

    /// Makes a pass, and returns its summary.
    pub(crate) async fn pass(&self) -> anyhow::Result<Value> {
        self.poller.invoke(&self.instance).await
    }

    /// Makes a pass that must be complete and change so many rows.
    pub(crate) async fn pass_that_changes(
        &self,
        added: u64,
        unavailable: u64,
    ) -> anyhow::Result<Value> {
        let summary = self.pass().await?;
        let numbers = (summary["added"].as_u64(), summary["unavailable"].as_u64());
        ensure!(
            numbers == (Some(added), Some(unavailable)) && summary["complete"] == true,
            "expected {added} added and {unavailable} unavailable: {summary}"
        );
        Ok(summary)
    }

    /// Lists the available charts as `repository:tag digest`.
    pub(crate) async fn available(&self) -> anyhow::Result<Vec<String>> {
        let sql = "SELECT repo_name || ':' || image_tag || ' ' || image_digest
            FROM helm_charts AS chart
            JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
            WHERE chart.available ORDER BY 1";
        Ok(self.rows.query(sql, &[]).await?.iter().map(|row| row.get(0)).collect())
    }

    /// Polls and verifies so often that one invocation verifies every tag.
    pub(crate) fn verify_often(&mut self) {
        self.instance["oci"]["pollInterval"] = json!("100ms");
        self.instance["oci"]["verifyInterval"] = json!("1s");
    }

    /// Makes passes for over two seconds, in which every tag is verified once it is that old.
    pub(crate) async fn passes(&self) -> anyhow::Result<Value> {
        let sql = "UPDATE observations SET observed_at = observed_at - interval '1 second', \
                   changed_at = changed_at - interval '1 second'";
        self.rows.batch_execute(sql).await?;
        self.poller.invoke_within(&self.instance, Duration::from_secs(4)).await
    }

    /// Makes a pass, and returns its summary with the number of its requests.
    pub(crate) async fn counted_pass(&self) -> anyhow::Result<(Value, f64)> {
        let output = self.poller.output();
        let before = output.lines().len();
        let summary = self.pass().await?;
        let requests = output.wait_for(|_| requests(output.lines().get(before..)?)).await?;
        Ok((summary, requests))
    }
}

impl Secret {
    async fn create(password: &str) -> anyhow::Result<Self> {
        let moto = Moto::start().await?;
        let arn = moto.create_secret("registry", &credentials(password)).await?;
        Ok(Self { moto, arn })
    }
}

fn credentials(password: &str) -> Value {
    json!({"username": USER.0, "password": password})
}

/// Returns what [`Site::available`] lists for a chart of [`REPOSITORY`].
pub(crate) fn row(tag: &str, digest: &Digest) -> String {
    format!("{REPOSITORY}:{tag} {digest}")
}

/// Reads the number of requests from the metrics, if it is there.
fn requests(lines: &[String]) -> Option<f64> {
    lines.iter().find_map(|line| {
        let document: Value = serde_json::from_str(line).ok()?;
        match document.get("RegistryRequests")? {
            Value::Array(values) => values.first()?.as_f64(),
            value => value.as_f64(),
        }
    })
}
