//! Quay's lists of repositories. The fake follows Quay's code.

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::vendor_site::{VendorSite, only_error};

const FIRST: &str = "/api/v1/repository?namespace=acme&public=true&last_modified=true";

fn repositories(names: &[&str], next: Option<&str>) -> Value {
    let repository = |name: &&str| {
        json!({"namespace": "acme", "name": name, "is_public": true, "kind": "image",
            "state": "NORMAL", "last_modified": 1_767_323_045})
    };
    let mut answer = json!({"repositories": names.iter().map(repository).collect::<Vec<Value>>()});
    if let Some(next) = next {
        answer["next_page"] = json!(next);
    }
    answer
}

#[tokio::test]
async fn next_page_is_asked_for_with_quays_own_token() {
    let mut site = VendorSite::start("quay", json!({"apiToken": "oauth"})).await;
    site.set("namespaces", json!(["acme"]));
    site.push(&["acme/tea", "acme/cups"]);
    let first = repositories(&["tea"], Some("gAAAA+/=="));
    site.api.answer(FIRST, first).needs("Bearer oauth", "Bearer");
    let mut second = repositories(&["cups", "app"], None);
    second["repositories"][0]["last_modified"] = Value::Null;
    second["repositories"][1]["kind"] = json!("application");
    let next = format!("{FIRST}&next_page=gAAAA%2B%2F%3D%3D");
    site.api.answer(&next, second).needs("Bearer oauth", "Bearer");
    assert_summary!(site.poll().await, added = 2, repositories = 2, complete = true);
}

#[tokio::test]
async fn robots_password_is_not_sent_and_the_missing_token_is_named() {
    let secret = json!({"username": "acme+robot", "password": "letmein"});
    let mut site = VendorSite::start("quay", secret).await;
    assert!(only_error(&site.poll().await).contains("oci.namespaces"));
    site.set("namespaces", json!(["acme"]));
    site.api.answer(FIRST, json!({"error": "denied"})).status(403);
    assert!(only_error(&site.poll().await).contains("repo:read"));
    assert!(site.api.asked().iter().all(|asked| asked.authorization.is_none()));
}
