//! The API of `admin`: shapes, filters, and what becomes of requests that are wrong.

use reqwest::Method;
use serde_json::json;

use crate::support::admin_site::{API, API_REGISTRY, NOBODY, Site, WEB, read};
use crate::support::assert_summary::assert_summary;
use crate::support::stack::count;

#[tokio::test]
async fn lists_come_in_pages_and_are_filtered() {
    let site = Site::new().await;
    let (_, list) = site.get("helm-charts?per_page=2&page=2").await;
    assert_summary!(list, page = 2, per_page = 2, num_total = 5);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert!(list["items"][0].get("values_ui").is_none(), "documents are for the chart alone");
    for (filter, tags) in [
        ("", &["1.1.0", "main-7", "1.0.0", "0.9.0", "2.0.0"][..]),
        ("page=9", &[]),
        (&format!("helm_registry_id={API_REGISTRY}"), &["1.1.0", "main-7", "1.0.0", "0.9.0"]),
        ("kind=web", &["2.0.0"]),
        (&format!("kind_id={WEB}"), &["2.0.0"]),
        (&format!("kind_id={API}&kind=web"), &[]),
        ("kind=nothing", &[]),
        ("available=false", &["main-7"]),
        ("available=true&kind=api", &["1.1.0", "1.0.0", "0.9.0"]),
        ("broken=true", &["0.9.0"]),
        ("broken=false&kind=web", &["2.0.0"]),
        ("broken=true&kind=api&available=true&text=0&page=1", &["0.9.0"]),
        ("parsed_branch=trunk", &["2.0.0"]),
        ("text=1.", &["1.1.0", "1.0.0"]),
        ("text=%25", &[]),
        ("text=main_7", &[]),
        ("text=sha256:00", &["2.0.0"]),
    ] {
        assert_eq!(
            site.column(&format!("helm-charts?{filter}"), "image_tag").await,
            tags,
            "{filter}"
        );
    }
    for (filter, repositories) in [
        ("", &["web", "team/api"][..]),
        ("text=TEAM", &["team/api"]),
        ("text=amazonaws", &["web"]),
        ("text=_", &[]),
        ("provider=Oci", &["team/api"]),
        ("kind=web", &["web"]),
        (&format!("kind_id={API}"), &["team/api"]),
        ("repo_name=api", &[]),
        ("repo_name=web", &["web"]),
    ] {
        assert_eq!(
            site.column(&format!("helm-registries?{filter}"), "repo_name").await,
            repositories,
            "{filter}"
        );
    }
    assert_eq!(site.column("deployment-kinds", "name").await, ["api", "web"]);
    assert_eq!(site.column("deployment-kinds?text=E", "name").await, ["web"]);
    assert_eq!(site.column("deployment-kinds?name=ap", "name").await, Vec::<String>::new());
    assert_eq!(site.column("discovery-instances", "name").await, ["ghcr"]);
}

#[tokio::test]
async fn a_row_is_what_the_predecessors_programs_expect() {
    let site = Site::new().await;
    let (_, registry) = site.get(&format!("helm-registries/{API_REGISTRY}")).await;
    assert_eq!(
        registry,
        json!({
            "id": API_REGISTRY, "created_at": "2026-11-01T00:00:00Z", "domain_name":
                "https://ghcr.io",
            "repo_name": "team/api", "kind_id": API, "kind": "api", "available": true, "fa_icon":
                "question",
            "kind_fa_icon": null, "provider": "Oci", "charts": 4, "last_pushed_at":
                "2026-11-03T04:00:00Z",
        })
    );
    let (_, charts) = site.get("helm-charts?available=false").await;
    // Deleted, and not refused.
    let id = charts["items"][0]["id"].as_str().unwrap();
    let (status, chart) = site.get(&format!("helm-charts/{id}")).await;
    assert_eq!(
        (status, &chart["available"], &chart["values_ui"]),
        (200, &json!(false), &json!({"a": 1}))
    );
    let mut columns: Vec<&String> = chart.as_object().unwrap().keys().collect();
    columns.sort();
    insta::assert_json_snapshot!(columns);
    let moved = "INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag) \
                 SELECT now(), helm_registry_id, 'sha256:new', image_tag FROM helm_charts WHERE \
                 image_tag = 'main-7'";
    site.rows.batch_execute(moved).await.unwrap();
    assert_eq!(site.get(&format!("helm-charts/{id}")).await.1["moved_to"], "sha256:new");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
async fn every_bad_id_and_body_is_a_problem() {
    let site = Site::new().await;
    let registry = format!("helm-registries/{API_REGISTRY}");
    let kind = format!("deployment-kinds/{API}");
    let nobody = |list: &str| format!("{list}/{NOBODY}");
    let long = "x".repeat(1025);
    let table = [
        (Method::PUT, registry.as_str(), json!({"fa_icon": "fa-cube"}), 422, "Did you mean cube?"),
        (Method::PUT, &registry, json!({"fa_icon": ""}), 422, "fa_icon"),
        (Method::PUT, &registry, json!({"fa_icon": 7}), 422, "fa_icon: invalid type"),
        (Method::PUT, &registry, json!({"kind_id": NOBODY}), 422, "kind_id"),
        (Method::PUT, &registry, json!({"kind_id": "api"}), 422, "kind_id: UUID"),
        (Method::PUT, &registry, json!({"domain_name": "x"}), 422, "domain_name"),
        (Method::PUT, &registry, json!(["rocket", null]), 422, "JSON object"),
        (Method::PUT, &nobody("helm-registries"), json!({"fa_icon": "cube"}), 404, NOBODY),
        (Method::PUT, "helm-registries/1", json!({}), 400, "UUID"),
        (Method::POST, "helm-registries", json!({"domain_name": "x"}), 405, "method"),
        (Method::DELETE, &registry, json!({}), 405, "method"),
        (Method::PUT, &kind, json!({"name": "web"}), 409, "web"),
        (Method::PUT, &kind, json!({"name": " "}), 422, "name"),
        (Method::PUT, &kind, json!({"name": long}), 422, "1024"),
        (Method::PUT, &kind, json!({"name": "a\u{0}b"}), 422, "name"),
        (Method::PUT, &kind, json!({"name": "\u{200b}"}), 422, "invisible"),
        (Method::PUT, &kind, json!({"name": "a\u{202e}b"}), 422, "invisible"),
        (Method::PUT, &kind, json!({}), 422, "name"),
        (Method::PUT, &nobody("deployment-kinds"), json!({"name": "x"}), 404, NOBODY),
        (Method::POST, "helm-tag-formats", json!({"pattern": "("}), 422, "pattern"),
        (
            Method::POST,
            "helm-tag-formats",
            json!({"pattern": "(?:a{1000}){1000}"}),
            422,
            "too large",
        ),
        (Method::POST, "helm-tag-formats", json!({"pattern": "(?<=a)b"}), 422, "look-around"),
        (Method::POST, "helm-tag-formats", json!({"pattern": "x".repeat(4097)}), 422, "4096"),
        (Method::POST, "helm-tag-formats", json!({"pattern": ""}), 422, "empty"),
        (Method::POST, "helm-tag-formats", json!({"pattern": "a\u{0}"}), 422, "NUL"),
        (Method::POST, "helm-tag-formats", json!({"pattern": "x".repeat(100_000)}), 413, ""),
        (Method::POST, "helm-tag-formats/preview", json!({"pattern": "["}), 422, "pattern"),
        (
            Method::POST,
            "helm-tag-formats/preview",
            json!({"pattern": "x", "limit": 1001}),
            422,
            "limit",
        ),
        (
            Method::POST,
            "helm-tag-formats/preview",
            json!({"pattern": "x", "limit": -1}),
            422,
            "limit: ",
        ),
        (Method::DELETE, &nobody("helm-tag-formats"), json!({}), 404, NOBODY),
    ];
    for (method, path, body, status, named) in table {
        let shown: String = body.to_string().chars().take(80).collect();
        let (answered, problem) = site.send(method.clone(), path, body).await;
        assert_eq!(answered, status, "{method} {path} {shown}: {problem}");
        assert!(problem.to_string().contains(named), "{method} {path} {shown}: {problem}");
    }
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
        (&format!("helm-charts/{NOBODY}"), 404, NOBODY),
        (&format!("helm-registries/{NOBODY}"), 404, NOBODY),
        (&format!("deployment-kinds/{NOBODY}"), 404, NOBODY),
        (&format!("helm-tag-formats/{NOBODY}"), 404, NOBODY),
        ("nothing", 404, "openapi.json"),
    ] {
        let (answered, problem) = site.get(path).await;
        assert_eq!(answered, status, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(named), "{path}: {problem}");
    }
    let put = |body: &'static str| site.http.put(site.url(&kind)).body(body);
    for (request, status) in [
        (put("{\"name\": \"x\"}"), 415),
        (put("{\"name\": \"x\"}").header("content-type", "text/plain"), 415),
        (put("name=x").header("content-type", "application/x-www-form-urlencoded"), 415),
        (put("{\"name\":").header("content-type", "application/json"), 400),
        (put("\u{fffd}").header("content-type", "application/json"), 400),
    ] {
        assert_eq!(read(request.send().await.unwrap()).await.0, status);
    }
    // Nothing of all this has changed anything.
    assert_eq!(site.column("deployment-kinds", "name").await, ["api", "web"]);
    assert_eq!(count(&site.rows, "SELECT count(*) FROM helm_tag_formats").await, 0);
    assert_eq!(count(&site.rows, "SELECT count(*) FROM admin_changes").await, 0);
    assert!(
        !site.admin.log().iter().any(|line| line.contains("ERROR")),
        "a bad request is nobody's emergency"
    );
}

#[tokio::test]
async fn the_description_names_every_address_and_each_answers() {
    let site = Site::new().await;
    let (_, document) = site.get("openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    let operations: Vec<String> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    insta::assert_json_snapshot!(operations);
    for path in paths.keys().filter(|path| *path != "/diagnose") {
        let answer = site
            .http
            .get(site.url(path.replace("{id}", API).trim_start_matches('/')))
            .send()
            .await
            .unwrap();
        let expected: &[u16] = if path.contains("preview") { &[405] } else { &[200, 404] };
        assert!(expected.contains(&answer.status().as_u16()), "{path}: {}", answer.status());
    }
    drop(site.database);
}
