//! The API of `admin`: its lists, its rows and its description.

use serde_json::json;

use crate::support::admin_site::{API, API_REGISTRY, Site, WEB};
use crate::support::assert_summary::assert_summary;

#[tokio::test]
async fn lists_come_in_pages() {
    let site = Site::new().await;
    let (_, list) = site.get("helm-charts?per_page=2&page=2").await;
    assert_summary!(list, page = 2, per_page = 2, num_total = 5);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    assert!(list["items"][0].get("values_ui").is_none(), "a list leaves the documents out");
    assert_eq!(site.column("discovery-instances", "name").await, ["ghcr"]);
}

#[tokio::test]
async fn charts_are_filtered() {
    let site = Site::new().await;
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
}

#[tokio::test]
async fn registries_are_filtered() {
    let site = Site::new().await;
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
}

#[tokio::test]
async fn kinds_are_filtered() {
    let site = Site::new().await;
    assert_eq!(site.column("deployment-kinds", "name").await, ["api", "web"]);
    assert_eq!(site.column("deployment-kinds?text=E", "name").await, ["web"]);
    assert_eq!(site.column("deployment-kinds?name=ap", "name").await, Vec::<String>::new());
}

#[tokio::test]
async fn registry_has_the_fields_that_older_clients_expect() {
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
}

#[tokio::test]
async fn deleted_chart_has_the_fields_that_older_clients_expect() {
    let site = Site::new().await;
    let (_, charts) = site.get("helm-charts?available=false").await;
    let id = charts["items"][0]["id"].as_str().unwrap();
    let (status, chart) = site.get(&format!("helm-charts/{id}")).await;
    assert_eq!(status, 200, "{chart}");
    assert_summary!(chart, available = false, values_ui = json!({"a": 1}));
    let mut columns: Vec<&String> = chart.as_object().unwrap().keys().collect();
    columns.sort();
    insta::assert_json_snapshot!(columns);
}

#[tokio::test]
async fn moved_chart_names_the_digest_that_its_tag_has_now() {
    let site = Site::new().await;
    let (_, charts) = site.get("helm-charts?available=false").await;
    let id = charts["items"][0]["id"].as_str().unwrap();
    let moved = "INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag) \
                 SELECT now(), helm_registry_id, 'sha256:new', image_tag FROM helm_charts WHERE \
                 image_tag = 'main-7'";
    site.rows.batch_execute(moved).await.unwrap();
    assert_eq!(site.get(&format!("helm-charts/{id}")).await.1["moved_to"], "sha256:new");
}

#[tokio::test]
async fn description_names_every_address_and_each_answers() {
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
