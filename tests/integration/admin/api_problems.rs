//! Requests that the API of `admin` refuses. The API answers each with a problem and changes
//! nothing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::admin_site::{API, API_REGISTRY, Site, UNKNOWN_ID, read};
use crate::support::stack::count;

#[tokio::test]
async fn invalid_change_of_a_registry_is_refused() {
    let site = Site::new().await;
    let registry = format!("helm-registries/{API_REGISTRY}");
    let unknown = format!("helm-registries/{UNKNOWN_ID}");
    for (method, path, body, status, named) in [
        (Method::PUT, registry.as_str(), json!({"fa_icon": "fa-cube"}), 422, "Did you mean cube?"),
        (Method::PUT, &registry, json!({"fa_icon": ""}), 422, "fa_icon"),
        (Method::PUT, &registry, json!({"fa_icon": 7}), 422, "fa_icon: invalid type"),
        (Method::PUT, &registry, json!({"kind_id": UNKNOWN_ID}), 422, "kind_id"),
        (Method::PUT, &registry, json!({"kind_id": "api"}), 422, "kind_id: UUID"),
        (Method::PUT, &registry, json!({"domain_name": "x"}), 422, "domain_name"),
        (Method::PUT, &registry, json!(["rocket", null]), 422, "JSON object"),
        (Method::PUT, &unknown, json!({"fa_icon": "cube"}), 404, UNKNOWN_ID),
        (Method::PUT, "helm-registries/1", json!({}), 400, "UUID"),
        (Method::POST, "helm-registries", json!({"domain_name": "x"}), 405, "method"),
        (Method::DELETE, &registry, json!({}), 405, "method"),
    ] {
        expect_problem(&site, method, path, &body, status, named).await;
    }
    assert_unchanged(&site).await;
}

#[tokio::test]
async fn invalid_change_of_a_kind_is_refused() {
    let site = Site::new().await;
    let kind = format!("deployment-kinds/{API}");
    let unknown = format!("deployment-kinds/{UNKNOWN_ID}");
    let long = "x".repeat(1025);
    for (method, path, body, status, named) in [
        (Method::PUT, kind.as_str(), json!({"name": "web"}), 409, "web"),
        (Method::PUT, &kind, json!({"name": " "}), 422, "name"),
        (Method::PUT, &kind, json!({"name": long}), 422, "1024"),
        (Method::PUT, &kind, json!({"name": "a\u{0}b"}), 422, "name"),
        (Method::PUT, &kind, json!({"name": "\u{200b}"}), 422, "invisible"),
        (Method::PUT, &kind, json!({"name": "a\u{202e}b"}), 422, "invisible"),
        (Method::PUT, &kind, json!({}), 422, "name"),
        (Method::PUT, &unknown, json!({"name": "x"}), 404, UNKNOWN_ID),
    ] {
        expect_problem(&site, method, path, &body, status, named).await;
    }
    assert_unchanged(&site).await;
}

#[tokio::test]
async fn invalid_tag_format_is_refused() {
    let site = Site::new().await;
    let unknown = format!("helm-tag-formats/{UNKNOWN_ID}");
    let formats = "helm-tag-formats";
    let preview = "helm-tag-formats/preview";
    for (method, path, body, status, named) in [
        (Method::POST, formats, json!({"pattern": "("}), 422, "pattern"),
        (Method::POST, formats, json!({"pattern": "(?:a{1000}){1000}"}), 422, "too large"),
        (Method::POST, formats, json!({"pattern": "(?<=a)b"}), 422, "look-around"),
        (Method::POST, formats, json!({"pattern": "x".repeat(4097)}), 422, "4096"),
        (Method::POST, formats, json!({"pattern": ""}), 422, "empty"),
        // Case from the field 33.
        (Method::POST, formats, json!({"pattern": "(?P<Version>.+)"}), 422, "version, revision"),
        (Method::POST, formats, json!({"pattern": "a\u{0}"}), 422, "NUL"),
        (Method::POST, formats, json!({"pattern": "x".repeat(100_000)}), 413, ""),
        (Method::POST, preview, json!({"pattern": "["}), 422, "pattern"),
        (Method::POST, preview, json!({"pattern": "x", "limit": 1001}), 422, "limit"),
        (Method::POST, preview, json!({"pattern": "x", "limit": -1}), 422, "limit: "),
        (Method::DELETE, unknown.as_str(), json!({}), 404, UNKNOWN_ID),
    ] {
        expect_problem(&site, method, path, &body, status, named).await;
    }
    assert_unchanged(&site).await;
}

#[tokio::test]
async fn invalid_address_is_refused() {
    let site = Site::new().await;
    for (path, status, named) in [
        ("helm-charts?page=0", 400, "page"),
        ("helm-charts?page=-1", 400, "page"),
        ("helm-charts?page=1000001", 400, "1000000"),
        ("helm-charts?page=99999999999", 400, "page"),
        ("helm-charts?per_page=0", 400, "per_page"),
        ("helm-charts?per_page=101", 400, "100"),
        ("helm-charts?available=perhaps", 400, "available"),
        ("helm-charts?helm_registry_id=1", 400, "helm_registry_id"),
        ("helm-charts?image_tag=1.0.0", 400, "image_tag"),
        ("helm-charts?text=%00", 400, "NUL"),
        ("helm-charts?broken=perhaps", 400, "broken"),
        ("helm-registries?text=%00", 400, "NUL"),
        ("deployment-kinds?name=%00", 400, "NUL"),
        ("helm-charts/1", 400, "UUID"),
        (&format!("helm-charts/{UNKNOWN_ID}"), 404, UNKNOWN_ID),
        (&format!("helm-registries/{UNKNOWN_ID}"), 404, UNKNOWN_ID),
        (&format!("deployment-kinds/{UNKNOWN_ID}"), 404, UNKNOWN_ID),
        (&format!("helm-tag-formats/{UNKNOWN_ID}"), 404, UNKNOWN_ID),
        ("nothing", 404, "openapi.json"),
    ] {
        let (answered, problem) = site.get(path).await;
        assert_eq!(answered, status, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(named), "{path}: {problem}");
    }
    assert_unchanged(&site).await;
}

#[tokio::test]
async fn body_that_is_not_json_is_refused() {
    let site = Site::new().await;
    let kind = format!("deployment-kinds/{API}");
    let form = Some("application/x-www-form-urlencoded");
    let json = Some("application/json");
    for (body, content_type, status) in [
        ("{\"name\": \"x\"}", None, 415),
        ("{\"name\": \"x\"}", Some("text/plain"), 415),
        ("name=x", form, 415),
        ("{\"name\":", json, 400),
        ("\u{fffd}", json, 400),
    ] {
        let mut request = site.http.put(site.url(&kind)).body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let (answered, problem) = read(request.send().await.unwrap()).await;
        assert_eq!(answered, status, "{body} as {content_type:?}: {problem}");
    }
    assert_unchanged(&site).await;
}

/// Checks that a request is answered with this status, and that the problem names its subject.
async fn expect_problem(
    site: &Site,
    method: Method,
    path: &str,
    body: &Value,
    status: u16,
    named: &str,
) {
    let shown: String = body.to_string().chars().take(80).collect();
    let (answered, problem) = site.send(method.clone(), path, body.clone()).await;
    assert_eq!(answered, status, "{method} {path} {shown}: {problem}");
    assert!(problem.to_string().contains(named), "{method} {path} {shown}: {problem}");
}

/// Checks that the requests so far changed nothing, and raised no alarm.
async fn assert_unchanged(site: &Site) {
    assert_eq!(site.column("deployment-kinds", "name").await, ["api", "web"]);
    assert_eq!(count(&site.rows, "SELECT count(*) FROM helm_tag_formats").await, 0);
    assert_eq!(count(&site.rows, "SELECT count(*) FROM admin_changes").await, 0);
    assert!(
        !site.admin.log().iter().any(|line| line.contains("ERROR")),
        "a refused request must not count as an error of the function"
    );
}
