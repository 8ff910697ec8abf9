//! What most tests begin with: a database, a registry, a function, and ways to look at the rows.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use shared::domain::Digest;
use tests::dynamodb::{CURSOR_TABLE, DynamoDb};
use tests::function::Function;
use tests::postgres::TestDatabase;
use tests::push::Pusher;
use tests::registry::Registry;
use tokio_postgres::Client;

/// The registry that `ecr-events` is told about.
pub(crate) const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

/// A database, a registry, and somebody who pushes to it.
pub(crate) struct Stack {
    pub(crate) database: TestDatabase,
    pub(crate) rows: Client,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) registry: Registry,
    pub(crate) pusher: Pusher,
}

impl Stack {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await.unwrap();
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

    /// `ecr-events` with another address behind ECR's domain.
    pub(crate) async fn ecr_events_at(&self, endpoint: &str) -> Function {
        let settings = [("DATABASE_URL", self.database.url()), ("ECR_REGISTRY_ENDPOINT", endpoint)];
        Function::start("ecr-events", &settings).await.unwrap()
    }

    /// `ecr-events` with more settings than the usual ones.
    pub(crate) async fn ecr_events_with(&self, more: &[(&str, &str)]) -> Function {
        let endpoint = self.registry.url().unwrap().to_string();
        let usual = [("DATABASE_URL", self.database.url()), ("ECR_REGISTRY_ENDPOINT", &endpoint)];
        Function::start("ecr-events", &[&usual[..], more].concat()).await.unwrap()
    }

    pub(crate) async fn oci_poll(&self) -> Function {
        self.oci_poll_with(&[]).await
    }

    /// `oci-poll` with other settings than the usual ones.
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

    /// The instance that polls the registry.
    pub(crate) fn instance(&self) -> Value {
        instance(&self.registry.url().unwrap().to_string())
    }

    /// All chart rows as `registry repository kind tag digest state`, sorted, the local registry's
    /// name shortened.
    pub(crate) async fn charts(&self) -> Vec<String> {
        let url = self.registry.url().unwrap().to_string();
        let rows = charts(&self.rows).await;
        rows.into_iter().map(|row| row.replace(&url, "LOCAL").replace(ECR, "ECR")).collect()
    }

    /// What the cursor's table holds but for the lease, as text.
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

    /// How many manifests the registry was asked for.
    pub(crate) fn manifest_requests(&self) -> usize {
        let requests = self.registry.requests();
        requests
            .iter()
            .filter(|request| request.starts_with("GET") && request.contains("/manifests/"))
            .count()
    }
}

/// The instance that polls a registry at some address, so rarely that an invocation is one pass.
pub(crate) fn instance(url: &str) -> Value {
    json!({"name": "test", "provider": "oci", "oci": {"registryUrl": url, "pollInterval": "59s \
        900ms"}})
}

pub(crate) async fn charts(client: &Client) -> Vec<String> {
    let sql = "\
        SELECT registry.domain_name, registry.repo_name, kind.name, chart.image_tag, \
        chart.image_digest,
            CASE WHEN chart.available THEN 'available' ELSE 'gone' END
        FROM helm_charts AS chart
        JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
        JOIN k8s_deployment_kinds AS kind ON kind.id = registry.kind_id";
    let rows = client.query(sql, &[]).await.unwrap();
    let line = |row: &tokio_postgres::Row| {
        (0..6).map(|i| row.get::<_, String>(i)).collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.sort();
    lines
}

/// One number.
pub(crate) async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// The event that ECR sends for a tag, with or without a digest, as the body of a message.
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

/// A batch of messages with the ids `m0`, `m1`, ….
pub(crate) fn batch(bodies: &[String]) -> Value {
    let records = bodies
        .iter()
        .enumerate()
        .map(|(index, body)| json!({"messageId": format!("m{index}"), "body": body}));
    json!({"Records": records.collect::<Vec<_>>()})
}

/// What `ecr-events` answers when these messages failed.
pub(crate) fn failed(ids: &[&str]) -> Value {
    let failures: Vec<Value> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": failures})
}
