//! The API of `admin` over a few rows, and a client for it.

use reqwest::{Client, Method, Response};
use serde_json::Value;
use tests::admin::Admin;
use tests::postgres::TestDatabase;

use crate::support::assert_summary::assert_summary;
use crate::support::stack::count;

/// Returns a client that follows no redirect.
pub(crate) fn client() -> Client {
    let tls = shared::tls::client_config(None).unwrap();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// Inserts two kinds with a registry each. The first registry has four charts: 1.0.0 and 1.1.0 are
/// available, main-7 is deleted, and 0.9.0 is broken.
pub(crate) const ROWS: &str = "\
INSERT INTO k8s_deployment_kinds (id, name) VALUES
    ('00000000-0000-0000-0000-00000000000a', 'api'), ('00000000-0000-0000-0000-00000000000b', \
    'web');
INSERT INTO helm_registries (id, created_at, domain_name, repo_name, kind_id, provider) VALUES
    ('00000000-0000-0000-0000-0000000000a1', '2026-11-01', 'https://ghcr.io', 'team/api',
        '00000000-0000-0000-0000-00000000000a', 'Oci'),
    ('00000000-0000-0000-0000-0000000000b1', '2026-11-02', \
    '123456789012.dkr.ecr.us-east-1.amazonaws.com', 'web',
        '00000000-0000-0000-0000-00000000000b', 'Ecr');
INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag, available, error, \
values_ui)
SELECT '2026-11-03'::timestamptz + n * interval '1 hour', '00000000-0000-0000-0000-0000000000a1',
    'sha256:' || md5(tag) || md5(tag), tag, tag <> 'main-7', CASE WHEN tag = '0.9.0' THEN 'no \
    Chart.yaml' END, '{\"a\": 1}'
FROM unnest(ARRAY['0.9.0', '1.0.0', 'main-7', '1.1.0']) WITH ORDINALITY AS tags (tag, n);
INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag)
VALUES ('2026-11-02', '00000000-0000-0000-0000-0000000000b1', 'sha256:00', '2.0.0');
INSERT INTO helm_chart_contents (digest, chart_name, git_branch, values_ui, error)
SELECT image_digest, CASE image_tag WHEN '2.0.0' THEN 'web' ELSE 'api' END,
    CASE image_tag WHEN '2.0.0' THEN 'trunk' END, values_ui, error
FROM helm_charts;
INSERT INTO discovery_instances (name, provider, source, last_summary) VALUES ('ghcr', 'oci', \
'https://ghcr.io', '{}');";

pub(crate) const API: &str = "00000000-0000-0000-0000-00000000000a";
pub(crate) const WEB: &str = "00000000-0000-0000-0000-00000000000b";
pub(crate) const API_REGISTRY: &str = "00000000-0000-0000-0000-0000000000a1";
pub(crate) const WEB_REGISTRY: &str = "00000000-0000-0000-0000-0000000000b1";
pub(crate) const UNKNOWN_ID: &str = "00000000-0000-0000-0000-00000000dead";

/// A database with [`ROWS`], and an `admin` that lets every caller change it.
pub(crate) struct Site {
    pub(crate) database: TestDatabase,
    pub(crate) rows: tokio_postgres::Client,
    pub(crate) admin: Admin,
    pub(crate) http: Client,
}

impl Site {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await.unwrap();
        let rows = database.connect().await.unwrap();
        rows.batch_execute(ROWS).await.unwrap();
        let admin =
            Admin::start(&[("DATABASE_URL", database.url()), ("ENABLE_TAG_PARSER", "true")])
                .await
                .unwrap();
        Self { database, rows, admin, http: client() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/api/v2/{path}", self.admin.url())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        read(self.http.get(self.url(path)).send().await.unwrap()).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request =
            self.http.request(method, self.url(path)).header("content-type", "application/json");
        read(request.body(body.to_string()).send().await.unwrap()).await
    }

    /// Returns one column of a list.
    pub(crate) async fn column(&self, path: &str, column: &str) -> Vec<String> {
        let (status, list) = self.get(path).await;
        assert_eq!(status, 200, "{list}");
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item[column].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Returns the status and the JSON of an answer. Checks what must be true for each answer.
pub(crate) async fn read(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, if status < 400 { "application/json" } else { "application/problem+json" });
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    if status >= 400 {
        assert_summary!(body, type = "about:blank", status = status);
        assert!(body["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{body}");
    }
    (status, body)
}

/// Waits until a count is less than a number.
pub(crate) async fn until_less(rows: &tokio_postgres::Client, sql: &str, than: i64) {
    while count(rows, sql).await >= than {
        tokio::task::yield_now().await;
    }
}

/// Waits until a count equals a number.
pub(crate) async fn until(rows: &tokio_postgres::Client, sql: &str, right: i64) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while count(rows, sql).await != right {
        assert!(tokio::time::Instant::now() < deadline, "{sql} does not become {right}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
