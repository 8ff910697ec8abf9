//! `admin` behind a Function URL: who is asking, what is too large, what no address may have.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use tests::function::Function;
use tests::function_url::Endpoint;
use tests::postgres::TestDatabase;

use crate::support::admin_site::{API, API_REGISTRY, NOBODY, ROWS, client, read, until};

#[tokio::test]
async fn in_lambda_the_iam_identity_decides_and_tag_parser_is_invoked() {
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
    let nobody = url(None).await;
    let user = url(Some("arn:aws:sts::123456789012:assumed-role/developers/jane")).await;
    let site_admin = url(Some("arn:aws:sts::123456789012:assumed-role/platform/joe")).await;
    let http = client();
    let kind = format!("deployment-kinds/{API}");
    let get = async |site: &Endpoint, path: &str| {
        http.get(format!("{}/api/v2/{path}", site.url())).send().await.unwrap().status().as_u16()
    };
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
        let statuses =
            (get(&nobody, path).await, get(&user, path).await, get(&site_admin, path).await);
        assert_eq!(statuses, (401, of_user, 200), "{path}");
    }
    let send = async |site: &Endpoint, method: Method, path: &str, body: Value| {
        let request = http.request(method, format!("{}/api/v2/{path}", site.url()));
        read(
            request
                .header("content-type", "application/json")
                .body(body.to_string())
                .send()
                .await
                .unwrap(),
        )
        .await
    };
    let registry = format!("helm-registries/{API_REGISTRY}");
    for (method, path, body) in [
        (Method::PUT, kind.as_str(), json!({"name": "mine"})),
        (Method::PUT, &registry, json!({"fa_icon": "cube"})),
        (Method::POST, "helm-tag-formats", json!({"pattern": "x"})),
        (Method::POST, "helm-tag-formats/preview", json!({"pattern": "x"})),
        (Method::DELETE, &format!("helm-tag-formats/{NOBODY}"), json!({})),
    ] {
        assert_eq!(send(&nobody, method.clone(), path, body.clone()).await.0, 401, "{path}");
        let (status, problem) = send(&user, method, path, body).await;
        assert_eq!(status, 403, "{path}");
        assert!(
            problem["detail"].as_str().unwrap().contains("assumed-role/developers/jane"),
            "{problem}"
        );
    }
    let format = json!({"pattern": "^(?P<branch>[a-z]+)-(?P<revision>[0-9]+)$"});
    assert_eq!(send(&site_admin, Method::POST, "helm-tag-formats", format).await.0, 201);
    until(&rows, "SELECT count(*) FROM helm_charts WHERE parsed_branch = 'main'", 1).await;
    let log = admin.log().concat();
    assert!(
        log.contains("assumed-role/platform/joe") && log.contains("\"message\":\"changed\""),
        "{log}"
    );
    assert!(!log.contains("hunter2"));
}

#[tokio::test]
async fn the_sample_of_a_function_urls_event_is_answered() {
    let database = TestDatabase::create().await.unwrap();
    let settings = [("DATABASE_URL", database.url()), ("ADMIN_AUTH", "iam")];
    let function = Function::start("admin", &settings).await.unwrap();
    let event: Value = serde_json::from_str(include_str!("../../../events/admin.json")).unwrap();
    let answer = function.invoke(&event).await.unwrap();
    assert_eq!(
        (&answer["statusCode"], &answer["headers"]["content-type"]),
        (&json!(200), &json!("application/json"))
    );
    assert_eq!(answer["headers"]["strict-transport-security"], "max-age=31536000");
    let list: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(list, json!({"page": 1, "per_page": 10, "num_total": 0, "items": []}));
    // What no address may have is answered all the same.
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

#[tokio::test]
async fn a_chart_larger_than_lambda_can_answer_is_given_compressed() {
    let database = TestDatabase::create().await.unwrap();
    let rows = database.connect().await.unwrap();
    rows.batch_execute(ROWS).await.unwrap();
    // As much as discovery lets in, of what takes most room.
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
    // A page of such charts has none of that.
    assert_eq!(
        client().get(format!("{}/api/v2/helm-charts", site.url())).send().await.unwrap().status(),
        200
    );
}
