//! Marks of a change in the vendor's list: an unchanged one spares the request for the tags.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;

use crate::support::assert_summary::assert_summary;
use crate::support::lease::{edit_lease, lease};
use crate::support::vendor_site::VendorSite;

/// Harbor's pages of a hundred repositories.
fn page(number: usize) -> String {
    format!("/api/v2.0/repositories?page_size=100&page={number}")
}

/// A repository, and the seconds since its last change.
type Change<'a> = (&'a str, i64);

fn repositories(changes: &[Change<'_>]) -> Value {
    let repository = |(name, ago): &Change<'_>| {
        // A fixed time, so that it is the same in each answer of a test.
        let now =
            if *ago < 60 { OffsetDateTime::now_utc() } else { datetime!(2026-01-09 0:00 UTC) };
        let at = now.replace_nanosecond(0).unwrap() - time::Duration::seconds(*ago);
        json!({"name": name, "update_time": at.format(&Rfc3339).unwrap()})
    };
    changes.iter().map(repository).collect()
}

const DAY: i64 = 24 * 3600;

async fn site() -> VendorSite {
    let mut site =
        VendorSite::start("harbor", json!({"username": "x", "password": "letmein"})).await;
    // So long that no repository has its turn.
    site.set("verifyInterval", json!("10000h"));
    site
}

/// Starts a site with two repositories, and polls it.
async fn polled() -> VendorSite {
    let site = site().await;
    site.push(&["a/tea", "a/cups"]);
    site.api.answer(&page(1), repositories(&[("a/tea", DAY), ("a/cups", 2 * DAY)]));
    assert_summary!(site.poll().await, added = 2, repositories = 2, complete = true);
    site
}

/// Makes a pass in which each repository has its turn, whatever its mark is.
async fn verify(site: &mut VendorSite) -> Value {
    let usual = site.instance.clone();
    site.set("verifyInterval", json!("1ms"));
    site.set("pollInterval", json!("1ms"));
    let now = json!({"instance": site.instance, "now": true});
    let summary = site.function.invoke(&now).await.unwrap();
    site.instance = usual;
    summary
}

fn push_more(site: &VendorSite, repository: &str) {
    site.registry.tags(repository, &["1.0.0", "2.0.0"]);
    site.registry.chart(repository, "2.0.0", "new");
}

fn lists(site: &VendorSite) -> usize {
    site.registry.count("", "/tags/list")
}

/// Changes what the cursor remembers about the list.
async fn edit_list(site: &VendorSite, edit: impl FnOnce(&mut Value)) {
    let state = lease(&site.stack).await["cursor"].as_s().unwrap().clone();
    let mut state: Value = serde_json::from_str(&state).unwrap();
    edit(&mut state["list"]);
    edit_lease(&site.stack, &[("cursor", AttributeValue::S(state.to_string()))]).await;
}

#[tokio::test]
async fn unchanged_repositories_cost_a_hundredth_of_a_request() {
    let site = site().await;
    let names: Vec<String> = (0..2000).map(|n| format!("a/chart-{n:04}")).collect();
    for name in &names {
        site.registry.tags(name, &["1.0.0"]);
        site.registry.chart(name, "1.0.0", "same");
    }
    for (index, names) in names.chunks(100).enumerate() {
        let changes: Vec<Change<'_>> = names.iter().map(|name| (name.as_str(), DAY)).collect();
        let answer = site.api.answer(&page(index + 1), repositories(&changes));
        if index < 19 {
            answer.link(&format!("<{}>; rel=\"next\"", page(index + 2)));
        } else {
            answer.link(&format!("<{}>; rel=\"prev\"", page(index)));
        }
    }
    assert_summary!(site.poll().await, added = 2000, complete = true);
    let items = site.stack.cursor_items().await;
    let (listed, asked) = (site.api.asked().len(), site.registry.asked().len());
    let summary = site.poll_anew().await;
    assert_eq!(
        summary["spared"].as_u64().unwrap() + summary["repositories"].as_u64().unwrap(),
        2000
    );
    assert_summary!(summary, manifests = 0, added = 0, unavailable = 0, complete = true);
    assert_eq!(site.api.asked().len() - listed, 20);
    // The challenge of `/v2/`, and the turn of a few repositories.
    let others = site.registry.asked().len() - asked - site.registry.count("HEAD", "");
    assert!(others <= 4, "{others} requests, {summary}");
    assert_eq!(site.stack.cursor_items().await, items, "nothing is written");
}

#[tokio::test]
async fn changed_mark_has_the_tags_of_that_repository_listed() {
    let site = polled().await;
    let before = lists(&site);
    push_more(&site, "a/cups");
    site.api.answer(&page(1), repositories(&[("a/tea", DAY), ("a/cups", 3600)]));
    assert_summary!(site.poll().await, added = 1, spared = 1, repositories = 1, complete = true);
    assert_summary!(site.poll().await, added = 0, spared = 2, repositories = 0, complete = true);
    assert_eq!(lists(&site) - before, 1);
    // A pull raises Harbor's mark too.
    site.api.answer(&page(1), repositories(&[("a/tea", 3600), ("a/cups", 3600)]));
    assert_summary!(site.poll().await, added = 0, spared = 1, complete = true);
    assert_summary!(site.poll().await, added = 0, spared = 2, complete = true);
}

/// A second change in the same second would leave the mark the same.
#[tokio::test]
async fn mark_that_is_younger_than_a_minute_spares_nothing() {
    let site = polled().await;
    site.api.answer(&page(1), repositories(&[("a/tea", DAY), ("a/cups", 5)]));
    assert_summary!(site.poll().await, spared = 1, repositories = 1, complete = true);
    push_more(&site, "a/cups");
    assert_summary!(site.poll().await, added = 1, spared = 1, complete = true);
}

#[tokio::test]
async fn repository_without_a_mark_or_with_a_difference_is_not_spared() {
    let site = polled().await;
    site.api.answer(&page(1), json!([{"name": "a/tea"}, {"name": "a/cups", "update_time": null}]));
    assert_summary!(site.poll().await, spared = Value::Null, repositories = 2, complete = true);
    // A rescan beside the passes changes the rows.
    site.api.answer(&page(1), repositories(&[("a/tea", DAY), ("a/cups", 2 * DAY)]));
    assert_summary!(site.poll().await, spared = 2, complete = true);
    let sql = "DELETE FROM helm_charts WHERE image_tag = '1.0.0'";
    site.stack.rows.execute(sql, &[]).await.unwrap();
    let rescan =
        json!({"instance": site.instance, "rescan": {"repository": "a/tea", "tag": "1.0.0"}});
    assert_summary!(site.function.invoke(&rescan).await.unwrap(), added = 1);
    assert_summary!(site.poll().await, spared = 1, repositories = 1, complete = true);
}

#[tokio::test]
async fn passes_between_two_lists_spare_what_the_last_list_had() {
    let mut site = polled().await;
    site.poll().await;
    site.set("catalogInterval", json!("1h"));
    let (before, listed) = (lists(&site), site.api.asked().len());
    assert_summary!(site.poll_anew().await, spared = 2, repositories = 0, complete = true);
    assert_eq!((lists(&site), site.api.asked().len()), (before, listed));
    // A list that failed says nothing about the repositories.
    site.set("catalogInterval", json!("0s"));
    site.api.answer(&page(1), json!({})).status(500);
    push_more(&site, "a/cups");
    let summary = site.poll().await;
    assert_summary!(summary, added = 1, spared = Value::Null, repositories = 2, complete = false);
    site.set("catalogInterval", json!("1h"));
    let summary = site.poll().await;
    assert_summary!(summary, spared = Value::Null, repositories = 2, complete = false);
}

#[tokio::test]
async fn wrong_mark_is_found_by_verification_and_switches_marks_off_for_a_day() {
    let mut site = polled().await;
    site.poll().await;
    push_more(&site, "a/cups");
    assert_summary!(site.poll().await, added = 0, spared = 2, complete = true);
    assert_summary!(verify(&mut site).await, added = 1, spared = Value::Null, complete = true);
    assert_summary!(site.poll().await, spared = 2, complete = true);
    assert_eq!(site.health().await, "", "the list may have been read before the change");
    edit_list(&site, |list| list["doubted"]["at"] = json!(1)).await;
    let summary = site.poll_anew().await;
    assert_summary!(summary, spared = Value::Null, repositories = 2, complete = true);
    let health = site.health().await;
    assert!(health.contains("are not used until 2") && health.contains("a/cups"), "{health}");
    // A day later.
    edit_list(&site, |list| {
        let at = list["wrong"]["at"].as_i64().unwrap();
        list["wrong"]["at"] = json!(at - DAY * 1000);
    })
    .await;
    assert_summary!(site.poll_anew().await, spared = 2, repositories = 0, complete = true);
    assert_eq!(site.health().await, "");
}

#[tokio::test]
async fn mark_that_follows_its_change_is_trusted_again() {
    let mut site = polled().await;
    push_more(&site, "a/cups");
    assert_summary!(verify(&mut site).await, added = 1, complete = true);
    edit_list(&site, |list| list["doubted"]["at"] = json!(1)).await;
    site.api.answer(&page(1), repositories(&[("a/tea", DAY), ("a/cups", 3600)]));
    assert_summary!(site.poll_anew().await, spared = 1, complete = true);
    assert_summary!(site.poll().await, spared = 2, complete = true);
    assert_eq!(site.health().await, "");
}

/// A tag that moves without a mark is found by its HEAD request.
#[tokio::test]
async fn moved_tag_under_an_unchanged_mark_is_doubted_too() {
    let mut site = polled().await;
    site.registry.chart("a/cups", "1.0.0", "moved");
    assert_summary!(verify(&mut site).await, added = 1, unavailable = 1, complete = true);
    edit_list(&site, |list| list["doubted"]["at"] = json!(1)).await;
    let summary = site.poll_anew().await;
    assert_summary!(summary, spared = Value::Null, complete = true);
    assert!(site.health().await.contains("a/cups"));
}
