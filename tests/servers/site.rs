//! What a question needs: a registry, `oci-poll`, and queries for the rows.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};
use tests::dynamodb::DynamoDb;
use tests::function::Function;
use tests::postgres::TestDatabase;
use tokio_postgres::Client;

use crate::server::{Running, Server};

/// A registry with a poller.
pub(crate) struct Site {
    pub(crate) registry: Running,
    poller: Function,
    rows: Client,
    instance: Value,
    _database: TestDatabase,
    _dynamodb: DynamoDb,
}

impl Site {
    pub(crate) async fn start(server: Server) -> anyhow::Result<Self> {
        Self::of(server.start(false).await?, &[], None).await
    }

    /// Makes a site of a running registry. `secret` is the ARN of the poller's credentials.
    pub(crate) async fn of(
        registry: Running,
        settings: &[(&str, &str)],
        secret: Option<&str>,
    ) -> anyhow::Result<Self> {
        let database = TestDatabase::create().await?;
        let dynamodb = DynamoDb::start().await?;
        let usual = [&[("DATABASE_URL", database.url())][..], &dynamodb.settings()[..]].concat();
        let poller = Function::start("oci-poll", &[&usual[..], settings].concat()).await?;
        let rows = database.connect().await?;
        // It polls so rarely that an invocation is one pass.
        let mut oci = json!({
            "registryUrl": format!("http://{}", registry.host),
            "pollInterval": "59s 900ms",
        });
        if let Some(secret) = secret {
            oci["credentialsSecretArn"] = json!(secret);
        }
        let instance = json!({"name": "test", "provider": "oci", "oci": oci});
        Ok(Self { registry, poller, rows, instance, _database: database, _dynamodb: dynamodb })
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
