//! `admin` behind a Function URL: the caller's identity, malformed events, and large answers.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tests::function::Function;
use tests::function_url::Endpoint;
use tests::postgres::TestDatabase;

use crate::support::admin_site::{API, API_REGISTRY, ROWS, UNKNOWN_ID, client, read, until};

/// `admin` behind three Function URLs, each for another caller. All stop when this is dropped.
struct IamSite {
    _database: TestDatabase,
    rows: tokio_postgres::Client,
    admin: Arc<Function>,
    _lambda: Endpoint,
    anonymous: Endpoint,
    user: Endpoint,
    site_admin: Endpoint,
    http: reqwest::Client,
}

impl IamSite {
    async fn new() -> Self {
        let database = TestDatabase::create().await.unwrap();
        let rows = database.connect().await.unwrap();
        rows.batch_execute(ROWS).await.unwrap();
        let parser = [("DATABASE_URL", database.url()), ("ENABLE_TAG_PARSER", "true")];
        let parser = Arc::new(Function::start("tag-parser", &parser).await.unwrap());
        let lambda = Endpoint::lambda([parser]).await.unwrap();
        let lambda_url = lambda.url();
        let settings = [
            ("DATABASE_URL", database.url()),
            ("ADMIN_AUTH", "iam"),
            ("SITE_ADMINS", "arn:aws:iam::123456789012:role/teams/platform"),
            ("TAG_PARSER_FUNCTION", "tag-parser"),
            ("ENABLE_TAG_PARSER", "true"),
            ("AWS_ENDPOINT_URL_LAMBDA", &lambda_url),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ];
        let admin = Arc::new(Function::start("admin", &settings).await.unwrap());
        let url = async |arn| Endpoint::function_url(Arc::clone(&admin), arn).await.unwrap();
        let anonymous = url(None).await;
        let user = url(Some("arn:aws:sts::123456789012:assumed-role/developers/jane")).await;
        let site_admin = url(Some("arn:aws:sts::123456789012:assumed-role/platform/joe")).await;
        let http = client();
        Self {
            _database: database,
            rows,
            admin,
            _lambda: lambda,
            anonymous,
            user,
            site_admin,
            http,
        }
    }

    /// Returns the status of a GET request to one of the Function URLs.
    async fn get(&self, endpoint: &Endpoint, path: &str) -> u16 {
        let url = format!("{}/api/v2/{path}", endpoint.url());
        self.http.get(url).send().await.unwrap().status().as_u16()
    }

    async fn send(
        &self,
        endpoint: &Endpoint,
        method: Method,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        let request = self.http.request(method, format!("{}/api/v2/{path}", endpoint.url()));
        let request = request.header("content-type", "application/json").body(body.to_string());
        read(request.send().await.unwrap()).await
    }
}

#[tokio::test]
async fn iam_identity_decides_what_a_caller_reads() {
    let site = IamSite::new().await;
    let kind = format!("deployment-kinds/{API}");
    for (path, of_user) in [
        ("deployment-kinds", 200),
        (&kind, 200),
        ("helm-charts?kind=api", 200),
        ("helm-registries", 403),
        (&format!("helm-registries/{API_REGISTRY}"), 403),
        ("helm-tag-formats", 403),
        ("discovery-instances", 403),
        ("diagnose?reference=ghcr.io/a/b", 403),
        ("openapi.json", 200),
    ] {
        let statuses = (
            site.get(&site.anonymous, path).await,
            site.get(&site.user, path).await,
            site.get(&site.site_admin, path).await,
        );
        assert_eq!(statuses, (401, of_user, 200), "{path}");
    }
}

#[tokio::test]
async fn only_a_site_admin_changes_anything() {
    let site = IamSite::new().await;
    let kind = format!("deployment-kinds/{API}");
    let registry = format!("helm-registries/{API_REGISTRY}");
    for (method, path, body) in [
        (Method::PUT, kind.as_str(), json!({"name": "mine"})),
        (Method::PUT, &registry, json!({"fa_icon": "cube"})),
        (Method::POST, "helm-tag-formats", json!({"pattern": "x"})),
        (Method::POST, "helm-tag-formats/preview", json!({"pattern": "x"})),
        (Method::DELETE, &format!("helm-tag-formats/{UNKNOWN_ID}"), json!({})),
    ] {
        let (status, _) = site.send(&site.anonymous, method.clone(), path, &body).await;
        assert_eq!(status, 401, "{path}");
        let (status, problem) = site.send(&site.user, method, path, &body).await;
        assert_eq!(status, 403, "{path}");
        assert!(
            problem["detail"].as_str().unwrap().contains("assumed-role/developers/jane"),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn added_tag_format_invokes_tag_parser() {
    let site = IamSite::new().await;
    let format = json!({"pattern": "^(?P<branch>[a-z]+)-(?P<revision>[0-9]+)$"});
    let (status, added) =
        site.send(&site.site_admin, Method::POST, "helm-tag-formats", &format).await;
    assert_eq!(status, 201, "{added}");
    until(&site.rows, "SELECT count(*) FROM helm_charts WHERE parsed_branch = 'main'", 1).await;
    let log = site.admin.log().concat();
    assert!(
        log.contains("assumed-role/platform/joe") && log.contains("\"message\":\"changed\""),
        "{log}"
    );
    assert!(!log.contains("hunter2"));
}

#[tokio::test]
async fn sample_event_is_answered() {
    let (_database, function) = behind_a_function_url().await;
    let event = sample_event();
    let answer = function.invoke(&event).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    assert_eq!(answer["headers"]["content-type"], "application/json", "{answer}");
    assert_eq!(answer["headers"]["strict-transport-security"], "max-age=31536000");
    let list: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(list, json!({"page": 1, "per_page": 10, "num_total": 0, "items": []}));
}

#[tokio::test]
async fn malformed_event_is_answered() {
    let (_database, function) = behind_a_function_url().await;
    let event = sample_event();
    for (field, value) in [
        ("rawQueryString", "text=<b> \"x\"|{}^`"),
        ("rawQueryString", "text=ä#"),
        ("rawPath", "/api/v2/ä b<"),
    ] {
        let mut odd = event.clone();
        odd[field] = json!(value);
        let status = function.invoke(&odd).await.unwrap()["statusCode"].clone();
        assert_eq!(status, if field == "rawPath" { 404 } else { 200 }, "{value}");
    }
    for (header, value) in
        [("host", "a b"), ("host", "[::"), ("host", ""), ("x-forwarded-proto", "https, https")]
    {
        let mut odd = event.clone();
        odd["headers"][header] = json!(value);
        assert_eq!(function.invoke(&odd).await.unwrap()["statusCode"], 200, "{header}: {value}");
    }
}

/// Starts `admin` as it runs behind a Function URL.
async fn behind_a_function_url() -> (TestDatabase, Function) {
    let database = TestDatabase::create().await.unwrap();
    let settings = [("DATABASE_URL", database.url()), ("ADMIN_AUTH", "iam")];
    let function = Function::start("admin", &settings).await.unwrap();
    (database, function)
}

/// Returns the sample event of `events/`.
fn sample_event() -> Value {
    serde_json::from_str(include_str!("../../../events/admin.json")).unwrap()
}

#[tokio::test]
async fn chart_larger_than_a_lambda_answer_is_compressed() {
    let database = TestDatabase::create().await.unwrap();
    let rows = database.connect().await.unwrap();
    rows.batch_execute(ROWS).await.unwrap();
    // Discovery accepts a document of this size. JSON escapes each quotation mark, so the answer is
    // twice as large.
    rows.batch_execute("UPDATE helm_charts SET values_ui = to_jsonb(repeat('\"', 2200000))")
        .await
        .unwrap();
    let function =
        Function::start("admin", &[("DATABASE_URL", database.url()), ("ADMIN_AUTH", "iam")])
            .await
            .unwrap();
    let site =
        Endpoint::function_url(Arc::new(function), Some("arn:aws:iam::123456789012:user/jane"))
            .await
            .unwrap();
    let id: uuid::Uuid =
        rows.query_one("SELECT id FROM helm_charts LIMIT 1", &[]).await.unwrap().get(0);
    let request = || client().get(format!("{}/api/v2/helm-charts/{id}", site.url()));
    assert_eq!(read(request().send().await.unwrap()).await.0, 406);
    let answer = request().header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-encoding"].to_str().unwrap()),
        (200, "gzip")
    );
    let compressed = answer.bytes().await.unwrap();
    let chart: Value =
        serde_json::from_reader(flate2::read::GzDecoder::new(&compressed[..])).unwrap();
    assert_eq!(chart["values_ui"].as_str().unwrap().len(), 2_200_000);
    // A list has no documents, so it fits.
    assert_eq!(
        client().get(format!("{}/api/v2/helm-charts", site.url())).send().await.unwrap().status(),
        200
    );
}
