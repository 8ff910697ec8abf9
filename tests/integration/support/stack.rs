//! The stack of one test: a database, a registry, a function, and queries for the rows.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use shared::db::Layout;
use shared::domain::Digest;
use tests::dynamodb::{CURSOR_TABLE, DynamoDb};
use tests::function::Function;
use tests::postgres::{TestDatabase, layout};
use tests::push::Pusher;
use tests::registry::Registry;
use tokio_postgres::Client;

/// The registry in the events of `ecr-events`.
pub(crate) const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

/// A database, a cursor table, a registry, and a client that pushes to it.
pub(crate) struct Stack {
    pub(crate) database: TestDatabase,
    pub(crate) rows: Client,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) registry: Registry,
    pub(crate) pusher: Pusher,
}

impl Stack {
    pub(crate) async fn new() -> Self {
        Self::on(TestDatabase::create().await.unwrap()).await
    }

    /// Makes a stack on a database that exists.
    pub(crate) async fn on(database: TestDatabase) -> Self {
        let rows = database.connect().await.unwrap();
        let registry = Registry::start().await.unwrap();
        let pusher = Pusher::new(registry.host()).unwrap();
        let dynamodb = DynamoDb::start().await.unwrap();
        Self { database, rows, dynamodb, registry, pusher }
    }

    pub(crate) async fn ecr_events(&self) -> Function {
        let endpoint = self.registry.url().unwrap().to_string();
        self.ecr_events_at(&endpoint).await
    }

    /// Starts `ecr-events` with another address in place of ECR.
    pub(crate) async fn ecr_events_at(&self, endpoint: &str) -> Function {
        let settings = [("DATABASE_URL", self.database.url()), ("ECR_REGISTRY_ENDPOINT", endpoint)];
        Function::start("ecr-events", &settings).await.unwrap()
    }

    /// Starts `ecr-events` with more settings than the usual ones.
    pub(crate) async fn ecr_events_with(&self, more: &[(&str, &str)]) -> Function {
        let endpoint = self.registry.url().unwrap().to_string();
        let usual = [("DATABASE_URL", self.database.url()), ("ECR_REGISTRY_ENDPOINT", &endpoint)];
        Function::start("ecr-events", &[&usual[..], more].concat()).await.unwrap()
    }

    pub(crate) async fn oci_poll(&self) -> Function {
        self.oci_poll_with(&[]).await
    }

    /// Starts `oci-poll` with more settings than the usual ones.
    pub(crate) async fn oci_poll_with(&self, more: &[(&str, &str)]) -> Function {
        let settings =
            [&[("DATABASE_URL", self.database.url())], &self.dynamodb.settings()[..], more]
                .concat();
        Function::start("oci-poll", &settings).await.unwrap()
    }

    /// Returns the reference of a chart on the registry.
    pub(crate) fn reference(&self, chart: &str) -> String {
        format!("{}/{chart}", self.registry.host())
    }

    /// Returns the instance that polls the registry.
    pub(crate) fn instance(&self) -> Value {
        instance(&self.registry.url().unwrap().to_string())
    }

    /// Lists all chart rows as `registry repository kind tag digest state`, sorted. The names of
    /// the registries are shortened.
    pub(crate) async fn charts(&self) -> Vec<String> {
        let local = match layout().unwrap() {
            Layout::Own => self.registry.url().unwrap().to_string(),
            // Platz's agent puts the bare host behind oci://.
            Layout::Platz => self.registry.host().to_owned(),
        };
        let rows = charts(&self.rows).await;
        rows.into_iter().map(|row| row.replace(&local, "LOCAL").replace(ECR, "ECR")).collect()
    }

    /// Lists the items of the cursor table except for the lease, as text.
    pub(crate) async fn cursor_items(&self) -> Vec<String> {
        let scan =
            self.dynamodb.client().await.scan().table_name(CURSOR_TABLE).consistent_read(true);
        let items = scan.send().await.unwrap().items.unwrap_or_default();
        let shown = |item: &HashMap<String, AttributeValue>| {
            format!("{:?} {:?}", item["sk"], item.get("packed"))
        };
        let mut items: Vec<String> =
            items.iter().filter(|item| item["sk"].as_s().unwrap() != "lease").map(shown).collect();
        items.sort();
        items
    }

    /// Counts the requests for manifests that the registry received.
    pub(crate) fn manifest_requests(&self) -> usize {
        let requests = self.registry.requests();
        requests
            .iter()
            .filter(|request| request.starts_with("GET") && request.contains("/manifests/"))
            .count()
    }
}

/// Returns an instance for a registry. It polls so rarely that an invocation is one pass.
pub(crate) fn instance(url: &str) -> Value {
    json!({"name": "test", "provider": "oci", "oci": {"registryUrl": url, "pollInterval": "59s \
        900ms"}})
}

/// In a database of Platz's, a kind that has the predecessor's name for a repository counts as one
/// that has our own name for it, so that tests expect the same rows of both.
const KIND_OF_PLATZ: &str = "\
CASE kind.name
    WHEN predecessor_kind_name(regexp_replace(registry.repo_name, '^.*/', ''))
        THEN regexp_replace(registry.repo_name, '^.*/', '')
    ELSE kind.name
END";

/// Lists all chart rows as `registry repository kind tag digest state`, sorted.
pub(crate) async fn charts(client: &Client) -> Vec<String> {
    let kind = match layout().unwrap() {
        Layout::Own => "kind.name",
        Layout::Platz => KIND_OF_PLATZ,
    };
    let sql = format!(
        "SELECT registry.domain_name, registry.repo_name, {kind}, chart.image_tag, \
        chart.image_digest,
            CASE WHEN chart.available THEN 'available' ELSE 'gone' END
        FROM helm_charts AS chart
        JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
        JOIN k8s_deployment_kinds AS kind ON kind.id = registry.kind_id"
    );
    let rows = client.query(&sql, &[]).await.unwrap();
    let line = |row: &tokio_postgres::Row| {
        (0..6).map(|i| row.get::<_, String>(i)).collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.sort();
    lines
}

/// Returns the number that a query selects.
pub(crate) async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Returns the event that ECR sends for a digest, with or without a tag, as the body of a message.
pub(crate) fn event(action: &str, repository: &str, tag: Option<&str>, digest: &Digest) -> Value {
    json!({
        "version": "0", "id": "13cde686-328b-6117-af20-0e5566167482", "detail-type": "ECR Image \
            Action",
        "source": "aws.ecr", "account": "123456789012", "region": "us-east-1", "time":
            "2026-11-16T01:54:34Z",
        "resources": [],
        "detail": {
            "result": "SUCCESS", "repository-name": repository, "image-digest": digest.as_str(),
            "action-type": action, "image-tag": tag,
        },
    })
}

/// Returns a batch of messages with the ids `m0`, `m1`, ….
pub(crate) fn batch(bodies: &[String]) -> Value {
    let records = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| json!({"messageId": format!("m{index}"), "body": body}));
    json!({"Records": records.collect::<Vec<_>>()})
}

/// Returns the answer of `ecr-events` when these messages failed.
pub(crate) fn failed(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": failures})
}
