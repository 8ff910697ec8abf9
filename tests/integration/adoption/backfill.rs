//! Backfills of ECR into a database of Platz's: new charts wait until a person asks for an import.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shared::domain::Digest;
use tests::function::Function;
use tests::moto::Moto;
use tests::push::Pusher;
use tests::registry::Registry;

use crate::support::assert_summary::assert_summary;
use crate::support::ecr_messages;
use crate::support::platz::PlatzDatabase;
use crate::support::stack::{ECR, batch, charts, count, failed};

/// A database of Platz's beside an ECR registry in us-east-1.
struct Site {
    platz: PlatzDatabase,
    moto: Moto,
    registry: Registry,
    pusher: Pusher,
}

impl Site {
    async fn new() -> Self {
        let platz = PlatzDatabase::new().await;
        let sql = format!(
            "INSERT INTO helm_registries (id, domain_name, repo_name, kind_id, provider) VALUES
            ('a0000000-0000-4000-8000-000000000009', '{ECR}', 'charts/api',
            'd0000000-0000-4000-8000-000000000001', 'Ecr')"
        );
        platz.rows.batch_execute(&sql).await.unwrap();
        let registry = Registry::start().await.unwrap();
        let pusher = Pusher::new(registry.host()).unwrap();
        Self { platz, moto: Moto::start().await.unwrap(), registry, pusher }
    }

    /// Adds a row of `charts/api`, as Platz's chart-discovery would have written it.
    async fn add_row(&self, tag: &str, digest: &Digest, available: bool) {
        let sql = "INSERT INTO helm_charts
            (created_at, helm_registry_id, image_digest, image_tag, available)
            VALUES (now(), 'a0000000-0000-4000-8000-000000000009', $1, $2, $3)";
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&digest.as_str(), &tag, &available];
        self.platz.rows.execute(sql, &values).await.unwrap();
    }

    async fn push(&self, repository: &str, tag: &str) -> Digest {
        self.moto.create_repository(repository).await.unwrap();
        self.moto.put_image(repository, tag).await.unwrap();
        self.pusher.push_chart(repository, tag, "content").await.unwrap()
    }

    /// Lists an image for several platforms.
    async fn push_index(&self, repository: &str, tag: &str) {
        self.moto.create_repository(repository).await.unwrap();
        let media_type = "application/vnd.oci.image.index.v1+json";
        let index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": []});
        let put = self.moto.ecr().await.put_image().repository_name(repository).image_tag(tag);
        put.image_manifest_media_type(media_type)
            .image_manifest(index.to_string())
            .send()
            .await
            .unwrap();
    }

    async fn function(&self) -> Function {
        let endpoint = self.registry.url().unwrap().to_string();
        let settings = [
            &self.moto.settings()[..],
            &[("DATABASE_URL", self.platz.database.url()), ("ECR_REGISTRY_ENDPOINT", &endpoint)],
        ];
        Function::start("ecr-events", &settings.concat()).await.unwrap()
    }

    /// Lists the available charts of the registry as `repository:tag`.
    async fn available(&self) -> BTreeSet<String> {
        let rows = charts(&self.platz.rows).await;
        let ours = rows.iter().filter(|row| row.starts_with(ECR) && row.ends_with(" available"));
        ours.map(|row| {
            let words: Vec<&str> = row.split(' ').collect();
            format!("{}:{}", words[1], words[words.len() - 3])
        })
        .collect()
    }
}

fn backfill(more: &Value) -> Value {
    let mut request = json!({"region": "us-east-1"});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"backfill": request})
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[tokio::test]
async fn only_known_references_are_looked_at_until_an_import_was_asked_for() {
    let site = Site::new().await;
    let pushed = site.push("charts/api", "0.9.0").await;
    for (repository, tag) in [
        ("charts/api", "1.0.0"),
        ("charts/api", "2.0.0"),
        ("charts/new", "1.0.0"),
        ("charts/new", "1.1.0"),
    ] {
        site.push(repository, tag).await;
    }
    site.push_index("images/app", "latest").await;
    site.add_row("0.9.0", &pushed, false).await;
    site.add_row("1.0.0", &Digest::sha256(b"moved since"), true).await;
    site.platz.adopt().await;
    let function = site.function().await;

    let summary = function.invoke(&backfill(&json!({}))).await.unwrap();
    assert_summary!(summary, added = 2, unavailable = 1, manifests = 2, wouldAdd = 3);
    let known = names(&["charts/api:0.9.0", "charts/api:1.0.0"]);
    assert_eq!(site.available().await, known);
    let requests = site.registry.requests().join("\n");
    assert!(!requests.contains("charts/new/manifests/sha256"), "{requests}");
    let health = "SELECT (last_summary->>'wouldAdd')::bigint FROM discovery_instances";
    assert_eq!(count(&site.platz.rows, health).await, 3);

    let summary = function.invoke(&backfill(&json!({}))).await.unwrap();
    assert_summary!(summary, added = 0, unavailable = 0, wouldAdd = 3);
    assert_eq!(site.available().await, known);
}

#[tokio::test]
async fn import_is_remembered_for_the_repositories_that_it_named() {
    let site = Site::new().await;
    site.push("charts/api", "1.0.0").await;
    site.push("charts/new", "1.0.0").await;
    site.platz.adopt().await;
    let function = site.function().await;
    let one = backfill(&json!({"repositories": ["charts/n*"], "import": true}));
    let summary = function.invoke(&one).await.unwrap();
    assert_summary!(summary, added = 1, wouldAdd = 0);
    site.push("charts/new", "2.0.0").await;
    let summary = function.invoke(&backfill(&json!({}))).await.unwrap();
    assert_summary!(summary, added = 1, wouldAdd = 1);

    let all = backfill(&json!({"import": true}));
    assert_summary!(function.invoke(&all).await.unwrap(), added = 1, wouldAdd = 0);
    assert_summary!(function.invoke(&all).await.unwrap(), added = 0, wouldAdd = 0);
    site.push("charts/later", "1.0.0").await;
    let repair = backfill(&json!({"unlessWithin": "24h", "exclude": ["images/*"]}));
    let summary = site.function().await.invoke(&repair).await.unwrap();
    assert_summary!(summary, added = 1, wouldAdd = 0);
    let all = ["charts/api:1.0.0", "charts/later:1.0.0", "charts/new:1.0.0", "charts/new:2.0.0"];
    assert_eq!(site.available().await, names(&all));
    let remembered = "SELECT jsonb_array_length(ecr_imports)::bigint FROM discovery_layout";
    assert_eq!(count(&site.platz.rows, remembered).await, 2, "each import once");
}

#[tokio::test]
async fn import_of_another_region_adds_nothing_here() {
    let site = Site::new().await;
    site.push("charts/new", "1.0.0").await;
    site.platz.adopt().await;
    let function = site.function().await;
    let elsewhere = json!({"backfill": {"region": "eu-west-1", "import": true}});
    function.invoke(&elsewhere).await.unwrap();
    let summary = function.invoke(&backfill(&json!({}))).await.unwrap();
    assert_summary!(summary, added = 0, wouldAdd = 1);
}

#[tokio::test]
async fn events_and_rescans_add_charts_without_an_import() {
    let site = Site::new().await;
    let digest = site.push("charts/new", "1.0.0").await;
    site.push("charts/new", "2.0.0").await;
    site.platz.adopt().await;
    let function = site.function().await;
    let event = ecr_messages::push("charts/new", "1.0.0", &digest);
    assert_eq!(function.invoke(&batch(&[event])).await.unwrap(), failed(&[]));
    let rescan = json!({"registry": ECR, "repository": "charts/new", "tag": "2.0.0"});
    let answer = function.invoke(&json!({"rescan": rescan})).await.unwrap();
    assert_summary!(answer, added = 1);
    assert_eq!(site.available().await, names(&["charts/new:1.0.0", "charts/new:2.0.0"]));
}

#[tokio::test]
async fn transaction_changes_at_most_200_rows() {
    let site = Site::new().await;
    let old = Digest::sha256(b"old");
    for patch in 0..128 {
        let tag = format!("1.0.{patch}");
        site.push("charts/api", &tag).await;
        site.add_row(&tag, &old, true).await;
    }
    site.platz.adopt().await;
    let summary = site.function().await.invoke(&backfill(&json!({}))).await.unwrap();
    assert_summary!(summary, added = 128, unavailable = 128, wouldAdd = 0);
    let largest = "SELECT max(changed) FROM (
        SELECT count(*) AS changed FROM helm_charts
        WHERE helm_registry_id = 'a0000000-0000-4000-8000-000000000009'
        GROUP BY xmin::text
    ) AS transactions";
    assert_eq!(count(&site.platz.rows, largest).await, 200);
}
