//! Gitea's lists of packages. The fake follows Gitea's code.

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::vendor_site::{VendorSite, only_error};

fn page(number: usize) -> String {
    format!("/api/v1/packages/Acme?type=container&limit=50&page={number}")
}

fn versions(rows: &[(&str, &str)]) -> Value {
    let row = |(name, version): &(&str, &str)| {
        json!({"id": 5, "owner": {"login": "Acme"}, "type": "container", "name": name,
            "version": version, "created_at": "2026-01-02T03:04:05Z"})
    };
    rows.iter().map(row).collect()
}

#[tokio::test]
async fn repository_with_many_versions_is_visited_once() {
    let mut site = VendorSite::start("gitea", json!({"apiToken": "x"})).await;
    site.set("namespaces", json!(["Acme"]));
    site.push(&["acme/tea", "acme/cups"]);
    let rows = [("tea", "1.0.0"), ("tea", "2.0.0"), ("cups", "1.0.0")];
    let link = format!("<{}>; rel=\"next\",<{}>; rel=\"last\"", page(2), page(2));
    site.api.answer(&page(1), versions(&rows)).link(&link).needs("token x", "Basic");
    site.api.answer(&page(2), versions(&rows[1..])).needs("token x", "Basic");
    assert_summary!(site.poll().await, added = 2, repositories = 2, complete = true);
    assert_eq!(site.registry.count("GET", "acme/tea/tags/list"), 1);
}

#[tokio::test]
async fn repositories_behind_pages_with_versions_of_one_are_found() {
    let mut site = VendorSite::start("gitea", json!({"apiToken": "x"})).await;
    site.set("namespaces", json!(["Acme"]));
    site.push(&["acme/tea", "acme/cups"]);
    let names: Vec<String> = (0..150).map(|version| format!("1.{version}.0")).collect();
    let rows: Vec<(&str, &str)> = names.iter().map(|version| ("tea", version.as_str())).collect();
    for (number, rows) in (1..).zip(rows.chunks(50)) {
        let link = format!("<{}>; rel=\"next\"", page(number + 1));
        site.api.answer(&page(number), versions(rows)).link(&link);
    }
    site.api.answer(&page(4), versions(&[("cups", "1.0.0")]));
    assert_summary!(site.poll().await, added = 2, repositories = 2, complete = true);
}

#[tokio::test]
async fn owner_must_be_named_and_seen() {
    let mut site = VendorSite::start("gitea", json!({"username": "x", "password": "y"})).await;
    assert!(only_error(&site.poll().await).contains("set oci.catalog to \"oci\""));
    site.set("namespaces", json!(["Acme"]));
    let summary = site.poll().await;
    assert!(only_error(&summary).contains("no owner Acme"), "{summary}");
}
