//! The diagnosis says that discovery does not run, or that its last run had errors.

use crate::support::assert_summary::assert_summary;
use crate::support::diagnosis_site::{DiagnosisSite, step};
use crate::support::hints::{batch_of, hint};
use crate::support::stack::failed;

#[tokio::test]
async fn discovery_without_a_recent_run_is_named() {
    let (site, reference) = polled().await;
    site.set_instances("last_started_at = now() - interval '1 hour'").await;
    let detail = "1 hour ago, and one should begin every 1 minute";
    site.expect(&reference, "freshness", detail, "instance's schedule").await;
}

#[tokio::test]
async fn error_of_another_repository_does_not_fail_a_present_chart() {
    let (site, reference) = polled().await;
    let failed = "last_started_at = now(), last_succeeded_at = NULL, last_error = 'team/x: 500'";
    site.set_instances(failed).await;
    let present = site.ask(&reference).await;
    assert_eq!(present["verdict"], "ok", "{present:#}");
    let freshness = step(&present, "freshness");
    assert_summary!(freshness, ok = true);
    let detail = freshness["detail"].as_str().unwrap();
    assert!(detail.ends_with("does not concern this chart. team/x: 500"), "{freshness}");

    let absent = site.ask(&site.stack.reference("team/api:9.9.9")).await;
    let freshness = step(&absent, "freshness");
    let detail = freshness["detail"].as_str().unwrap();
    assert!(detail.ends_with("did not read everything. team/x: 500"), "{freshness}");
    assert_summary!(freshness, ok = false);
}

#[tokio::test]
async fn diagnosis_says_whether_a_webhook_ever_came_and_when() {
    let (site, reference) = polled().await;
    let said = async || {
        let diagnosis = site.ask(&reference).await;
        step(&diagnosis, "freshness")["detail"].as_str().unwrap().to_owned()
    };
    assert!(!said().await.contains("webhook"));
    site.set_instances(
        "configuration = jsonb_set(configuration, '{oci,webhookSecretArn}', '\"arn\"')",
    )
    .await;
    assert!(said().await.starts_with("No webhook ever came. The last run"));
    let hint = batch_of(&[hint("team/api", Some("2.0.0"))]);
    assert_eq!(site.poll(&hint).await, failed(&[]));
    assert!(said().await.starts_with("The last webhook came just now. The last run"));

    // Not every batch writes the row, because many of them may name one instance.
    let at = "SELECT last_hint_at::text FROM discovery_instances";
    let first: String = site.stack.rows.query_one(at, &[]).await.unwrap().get(0);
    assert_eq!(site.poll(&hint).await, failed(&[]));
    let second: String = site.stack.rows.query_one(at, &[]).await.unwrap().get(0);
    assert_eq!(first, second);
}

#[tokio::test]
async fn first_run_is_waited_for() {
    let (site, reference) = polled().await;
    let unfinished = "last_started_at = NULL, last_succeeded_at = NULL, last_error = 'team/x: 500'";
    site.set_instances(unfinished).await;
    site.expect(&reference, "freshness", "not ended yet", "Wait for a minute").await;
    site.poll(&site.stack.instance()).await;
    site.expect_ok(&reference).await;
}

#[tokio::test]
async fn function_that_cannot_be_asked_is_named() {
    let (site, reference) = polled().await;
    for (assignments, detail, remedy) in [
        ("function_name = 'gone'", "Function not found: gone", "removed or renamed"),
        (
            "configuration = '{\"name\": \"x\"}', function_name = 'oci-poll'",
            "provider",
            "function's log",
        ),
        ("configuration = NULL", "has not run since this version", "schedule"),
    ] {
        site.set_instances(assignments).await;
        site.expect(&reference, "instance", detail, remedy).await;
    }
    site.poll(&site.stack.instance()).await;
    site.expect_ok(&reference).await;
}

#[tokio::test]
async fn rows_of_an_instance_that_is_gone_are_ended_or_watched_again() {
    let (site, reference) = polled().await;
    let ago = "now() - interval '2 days'";
    site.set_instances(&format!("last_started_at = {ago}, last_invoked_at = {ago}")).await;
    let remedy = "end its rows, which are orphans: invoke oci-poll with";
    let gone = site.expect(&reference, "freshness", "2 days ago", remedy).await;
    site.set_instances("name = 'other', source = 'https://example.com', configuration = NULL")
        .await;
    let unwatched = site.expect(&reference, "instance", "No instance watches", remedy).await;
    site.follow(&unwatched.remedy).await;
    let ended = site.ask(&reference).await;
    assert_summary!(step(&ended, "row"), ok = serde_json::Value::Null);
    let instance = step(&ended, "instance")["remedy"].as_str().unwrap();
    assert!(!instance.contains("orphans"), "nothing is left to end: {instance}");
    // What the first remedy asks for is to let the instance run.
    assert!(gone.remedy.contains("instance's schedule"), "{gone:?}");
    site.poll(&site.stack.instance()).await;
    site.expect_ok(&reference).await;
}

/// Starts a site whose poller has found one chart. Returns the site and the chart's reference.
async fn polled() -> (DiagnosisSite, String) {
    let site = DiagnosisSite::new().await;
    site.stack.pusher.push_chart("team/api", "2.0.0", "x").await.unwrap();
    site.poll(&site.stack.instance()).await;
    let reference = site.stack.reference("team/api:2.0.0");
    (site, reference)
}
