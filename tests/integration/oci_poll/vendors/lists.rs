//! What every vendor's list has in common: its failures, its limits, and its interval.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::lease::forget_closed;
use crate::support::stack::count;
use crate::support::vendor_site::{VendorSite, only_error};

const PAGE: &str = "/orgs/acme/packages?package_type=container&per_page=100&page=1";
const TEA: &str = "acme/tea";

fn packages(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"name": name, "owner": {"login": "acme"}})).collect()
}

/// Starts a site whose list has one repository with a chart, and polls it.
async fn polled() -> VendorSite {
    let mut site = VendorSite::start("github", json!({"apiToken": "ghp_x"})).await;
    site.set("namespaces", json!(["acme"]));
    site.push(&[TEA]);
    site.api.answer(PAGE, packages(&["tea"]));
    assert_summary!(site.poll().await, added = 1, complete = true);
    site
}

/// Pushes another chart to the known repository, and one to a new repository.
fn push_more(site: &VendorSite) {
    site.registry.tags(TEA, &["1.0.0", "2.0.0"]);
    site.registry.chart(TEA, "2.0.0", "new");
    site.push(&["acme/cups"]);
}

#[tokio::test]
async fn failure_of_a_list_says_nothing_about_the_charts() {
    let site = polled().await;
    push_more(&site);
    for (added, status, body) in [
        (1, 500, json!({})),
        (0, 200, json!("<html>maintenance</html>")),
        (0, 200, json!({"message": "no list"})),
        (0, 401, json!({})),
        (0, 200, json!([])),
    ] {
        site.api.answer(PAGE, body.clone()).status(status);
        let summary = site.poll().await;
        assert_summary!(summary, added = added, unavailable = 0, held = 0, complete = false);
        let error = only_error(&summary);
        assert!(error.starts_with("the list of repositories cannot be read: "), "{body} {error}");
    }
    site.api.answer(PAGE, packages(&["tea", "cups"]));
    assert_summary!(site.poll().await, added = 1, unavailable = 0, complete = true);
    assert_eq!(site.health().await, "");
}

#[tokio::test]
async fn hanging_list_delays_no_known_repository_past_its_invocation() {
    let site = polled().await;
    push_more(&site);
    site.api.answer(PAGE, json!([])).hang();
    let summary = site.function.invoke_within(&site.instance, Duration::from_secs(6)).await;
    let summary = summary.unwrap();
    assert_summary!(summary, added = 1, complete = false);
    assert!(only_error(&summary).contains("no complete answer"), "{summary}");
}

/// Case from the field 17.
#[tokio::test]
async fn limit_of_the_list_is_remembered_and_stops_no_other_request() {
    let site = polled().await;
    push_more(&site);
    let reset = (time::OffsetDateTime::now_utc().unix_timestamp() + 1800).to_string();
    let limited = site.api.answer(PAGE, json!({"message": "rate limit"})).status(403);
    limited.header("x-ratelimit-remaining", "0").header("x-ratelimit-reset", &reset);
    let summary = site.poll().await;
    assert_summary!(summary, added = 1, complete = false);
    assert!(only_error(&summary).contains("it is read again after 2"), "{summary}");
    let before = site.api.asked().len();
    site.registry.tags(TEA, &["1.0.0", "2.0.0", "3.0.0"]);
    site.registry.chart(TEA, "3.0.0", "newest");
    let summary = site.poll_anew().await;
    assert_summary!(summary, added = 1, complete = false);
    assert!(site.health().await.contains("it is read again after 2"));
    assert_eq!(site.api.asked().len(), before, "the API is asked before its time");
}

#[tokio::test]
async fn list_is_read_once_per_interval_and_known_repositories_in_every_pass() {
    let mut site = polled().await;
    site.set("catalogInterval", json!("1h"));
    assert_summary!(site.poll_anew().await, added = 0, complete = true);
    let (before, items) = (site.api.asked().len(), site.stack.cursor_items().await);
    push_more(&site);
    site.api.answer(PAGE, packages(&["tea", "cups"]));
    assert_summary!(site.poll().await, added = 1, unavailable = 0, complete = true);
    assert_summary!(site.poll_anew().await, added = 0, unavailable = 0, complete = true);
    assert_eq!(site.api.asked().len(), before);
    assert_ne!(site.stack.cursor_items().await, items);
    // A person who asks for a pass wants to see new repositories too.
    let now = json!({"instance": site.instance, "now": true});
    assert_summary!(site.function.invoke(&now).await.unwrap(), added = 1, complete = true);
}

/// Fault 43.
#[tokio::test]
async fn pass_without_a_list_keeps_what_another_instance_sees_too() {
    let mut site = polled().await;
    let mut other = site.instance.clone();
    other["name"] = json!("other");
    for _pass in 0..2 {
        site.function.invoke(&other).await.unwrap();
        site.poll().await;
    }
    site.set("catalogInterval", json!("1h"));
    push_more(&site);
    assert_summary!(site.poll().await, added = 1, unavailable = 0, complete = true);
    let lost = "SELECT count(*) FROM seen_repositories WHERE lost_at IS NOT NULL";
    assert_eq!(count(&site.stack.rows, lost).await, 0);
}

#[tokio::test]
async fn list_that_is_interrupted_in_its_first_batch_is_resumed() {
    let mut site = VendorSite::start("github", json!({"apiToken": "ghp_x"})).await;
    site.set("namespaces", json!(["acme"]));
    site.set("catalogInterval", json!("1h"));
    site.push(&[TEA, "acme/cups"]);
    site.api.answer(PAGE, packages(&["tea", "cups"]));
    site.registry.close_after("/tags/list", 0);
    assert_summary!(site.poll().await, added = 0, complete = false);
    site.registry.close_after("/tags/list", 9);
    forget_closed(&site.stack).await;
    assert_summary!(site.poll_anew().await, added = 2, complete = true);
}

#[tokio::test]
async fn passes_without_a_list_write_nothing_where_nothing_changes() {
    let mut site = polled().await;
    // A repository without a tag is known to the cursor alone.
    site.registry.tags("acme/empty", &[]);
    site.api.answer(PAGE, packages(&["tea", "empty"]));
    site.poll().await;
    let items = site.stack.cursor_items().await;
    site.set("catalogInterval", json!("1h"));
    for _ in 0..2 {
        site.poll_anew().await;
    }
    assert_eq!(site.stack.cursor_items().await, items);
}

#[tokio::test]
async fn token_follows_no_redirect_to_another_host() {
    let site = polled().await;
    let elsewhere = FakeRegistry::start().await;
    elsewhere.answer(PAGE, packages(&["tea"]));
    let target = format!("{}{PAGE}", elsewhere.url());
    site.api.answer(PAGE, json!([])).status(301).header("location", &target);
    let summary = site.poll().await;
    assert!(only_error(&summary).contains("where the listing token must not go"), "{summary}");
    assert!(elsewhere.asked().is_empty());
    // A renamed organisation is on the same host.
    site.api.answer(PAGE, json!([])).status(301).header("location", "/renamed");
    site.api.answer("/renamed", packages(&["tea"])).needs("Bearer ghp_x", "Basic");
    assert_summary!(site.poll().await, complete = true);
}

#[tokio::test]
async fn list_without_an_end_is_an_error() {
    let site = polled().await;
    let next = |page: usize| PAGE.replace("&page=1", &format!("&page={page}"));
    let link = |page: usize| format!("<{}>; rel=\"next\"", next(page));
    for page in 1..4 {
        site.api.answer(&next(page), packages(&["tea"])).link(&link(page + 1));
    }
    let summary = site.poll().await;
    assert!(only_error(&summary).contains("in a circle or without end"), "{summary}");
}
