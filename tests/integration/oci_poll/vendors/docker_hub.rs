//! Docker Hub's lists of repositories. The fake follows Docker's documents.

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::vendor_site::{VendorSite, only_error};

fn page(namespace: &str, number: usize) -> String {
    format!("/v2/namespaces/{namespace}/repositories?page_size=100&page={number}")
}

fn results(next: Option<&str>, repositories: &[(&str, &[&str])]) -> Value {
    let repository = |(name, kinds): &(&str, &[&str])| {
        json!({"name": name, "namespace": "acme", "pull_count": 9, "content_types": kinds,
            "last_updated": "2026-01-02T03:04:05.678901Z"})
    };
    let results: Vec<Value> = repositories.iter().map(repository).collect();
    json!({"count": results.len(), "next": next, "previous": null, "results": results})
}

async fn site() -> VendorSite {
    let secret = json!({"username": "Acme", "password": "letmein", "apiToken": "dckr_pat_x"});
    VendorSite::start("dockerhub", secret).await
}

#[tokio::test]
async fn repositories_of_the_user_are_found_and_images_are_left_alone() {
    let site = site().await;
    site.push(&["acme/tea", "acme/cups", "acme/unknown"]);
    let issued = json!({"access_token": "jwt"});
    site.api.answer("/v2/auth/token", issued);
    let elsewhere = "https://elsewhere.example.com/steal?page=2";
    let first: &[(&str, &[&str])] = &[("tea", &["helm"]), ("image", &["image"])];
    site.api
        .answer(&page("acme", 1), results(Some(elsewhere), first))
        .needs("Bearer jwt", "Bearer");
    let second: &[(&str, &[&str])] = &[("cups", &["image", "helm"]), ("unknown", &[])];
    site.api.answer(&page("acme", 2), results(None, second)).needs("Bearer jwt", "Bearer");
    assert_summary!(site.poll().await, added = 3, repositories = 3, complete = true);
    assert_eq!(site.registry.count("", "acme/image"), 0);
    assert_summary!(site.poll().await, added = 0, complete = true);
    assert_eq!(site.api.count("POST", "/v2/auth/token"), 1, "the token is kept");
}

#[tokio::test]
async fn login_without_a_token_is_an_error_and_a_refused_token_is_forgotten() {
    let site = site().await;
    site.api.answer("/v2/auth/token", json!({"access_token": ""}));
    let summary = site.poll().await;
    assert!(only_error(&summary).contains("its answer to the login has no token"), "{summary}");
    site.api.answer("/v2/auth/token", json!({"detail": "no"})).status(401);
    let summary = site.poll().await;
    assert!(only_error(&summary).contains("does not accept username and password"), "{summary}");
    site.api.answer("/v2/auth/token", json!({"access_token": "old"})).then(json!({"access_token":
        "new"}));
    site.push(&["acme/tea"]);
    let list = results(None, &[("tea", &["helm"])]);
    site.api.answer(&page("acme", 1), list).needs("Bearer new", "Bearer");
    assert!(only_error(&site.poll().await).contains("401"));
    assert_summary!(site.poll().await, added = 1, complete = true);
}

/// Case from the field 17. Docker Hub's header has a Unix time, and not seconds.
#[tokio::test]
async fn time_in_docker_hubs_own_header_is_waited_for() {
    let site = site().await;
    site.api.answer("/v2/auth/token", json!({"access_token": "jwt"}));
    let at = (time::OffsetDateTime::now_utc().unix_timestamp() + 900).to_string();
    let limited = site.api.answer(&page("acme", 1), json!({})).status(429);
    limited.header("x-retry-after", &at).header("retry-after", "1");
    let summary = site.poll().await;
    assert!(only_error(&summary).contains("it is read again after 2"), "{summary}");
    let before = site.api.asked().len();
    site.poll().await;
    assert_eq!(site.api.asked().len(), before);
}

#[tokio::test]
async fn public_namespace_needs_no_user() {
    let mut site = VendorSite::start("dockerhub", Value::Null).await;
    assert!(only_error(&site.poll().await).contains("oci.namespaces"));
    site.set("namespaces", json!(["acme"]));
    site.push(&["acme/tea"]);
    site.api.answer(&page("acme", 1), results(None, &[("tea", &["helm"])]));
    assert_summary!(site.poll().await, added = 1, complete = true);
    assert!(site.api.asked().iter().all(|asked| asked.authorization.is_none()));
}
