//! The diagnosis names a row that is missing, outdated or held back.

use serde_json::json;

use crate::support::assert_summary::assert_summary;
use crate::support::diagnosis_site::{DiagnosisSite, api, one_chart, place, step};
use crate::support::oci_poll::let_faults_be_due;
use crate::support::stack::instance;

#[tokio::test]
async fn row_deleted_by_hand_is_brought_back() {
    let site = DiagnosisSite::new().await;
    let stack = &site.stack;
    stack.pusher.push_chart("team/api", "1.0.0", "x").await.unwrap();
    site.poll(&stack.instance()).await;
    let reference = stack.reference("team/api:1.0.0");
    site.expect_ok(&reference).await;

    stack.rows.execute("DELETE FROM helm_charts", &[]).await.unwrap();
    site.poll(&stack.instance()).await;
    let remedy = "invoke oci-poll with";
    let cause = site.expect(&reference, "row", "the row was deleted by hand", remedy).await;
    site.follow(&cause.remedy).await;
    site.expect_ok(&reference).await;
}

#[tokio::test]
async fn broken_row_of_an_older_version_is_read_again() {
    let site = DiagnosisSite::new().await;
    let stack = &site.stack;
    stack.pusher.push_chart("team/api", "1.0.0", "x").await.unwrap();
    site.poll(&stack.instance()).await;
    let reference = stack.reference("team/api:1.0.0");
    stack.rows.execute("UPDATE helm_charts SET error = 'too new'", &[]).await.unwrap();
    let remedy = "invoke oci-poll with";
    let cause = site.expect(&reference, "row", "BROKEN, and it can be read now", remedy).await;
    site.follow(&cause.remedy).await;
    site.expect_ok(&reference).await;
}

#[tokio::test]
async fn moved_tag_is_followed() {
    let site = DiagnosisSite::new().await;
    let stack = &site.stack;
    let first = stack.pusher.push_chart("team/api", "1.0.0", "x").await.unwrap();
    site.poll(&stack.instance()).await;
    stack.pusher.push_chart("team/api", "1.0.0", "y").await.unwrap();
    let reference = stack.reference("team/api:1.0.0");
    let cause = site.expect(&reference, "row", "The tag has moved", "oci.verifyInterval").await;
    site.follow(&cause.remedy).await;
    site.expect_ok(&reference).await;
    let by_first_digest = stack.reference(&format!("team/api@{first}"));
    site.expect(&by_first_digest, "row", "has another one now", ":1.0.0").await;
}

#[tokio::test]
async fn chart_overwritten_by_an_image_becomes_deleted() {
    let site = DiagnosisSite::new().await;
    let stack = &site.stack;
    stack.pusher.push_chart("team/api", "1.0.0", "x").await.unwrap();
    site.poll(&stack.instance()).await;
    stack.pusher.push_image("team/api", "1.0.0", "i").await.unwrap();
    let reference = stack.reference("team/api:1.0.0");
    let overwritten = site.ask(&reference).await;
    assert_eq!(overwritten["verdict"], "manifest");
    let row = step(&overwritten, "row");
    assert_summary!(row, ok = false);
    site.follow(row["remedy"].as_str().unwrap()).await;
    assert_eq!(step(&site.ask(&reference).await, "row")["detail"], "The row is DELETED.");
}

#[tokio::test]
async fn held_back_chart_is_deleted_on_request() {
    let site = DiagnosisSite::new().await;
    let stack = &site.stack;
    let mut digests = Vec::new();
    for n in 0..15 {
        let tag = format!("1.{n}.0");
        digests.push(stack.pusher.push_chart("team/web", &tag, &n.to_string()).await.unwrap());
    }
    site.poll(&stack.instance()).await;
    for digest in &digests {
        stack.pusher.delete("team/web", digest).await.unwrap();
    }
    assert_eq!(site.poll(&stack.instance()).await["held"], 15);

    let held = stack.reference("team/web:1.3.0");
    let diagnosis = site.ask(&held).await;
    assert_eq!(diagnosis["verdict"], "tag", "{diagnosis:#}");
    let row = step(&diagnosis, "row");
    assert_summary!(row, ok = false);
    let detail = row["detail"].as_str().unwrap();
    assert!(detail.contains("and is held back until 20") && detail.contains(" UTC"), "{row}");
    assert!(row["remedy"].as_str().unwrap().contains("if it is still missing at 20"), "{row}");
    site.follow(row["remedy"].as_str().unwrap()).await;
    assert_eq!(step(&site.ask(&held).await, "row")["detail"], "The row is DELETED.");
    let pushed_again = diagnosis["steps"][4]["remedy"].as_str().unwrap();
    assert!(pushed_again.contains("helm push"), "{pushed_again}");
    stack.pusher.push_chart("team/web", "1.3.0", "3").await.unwrap();
    site.poll(&stack.instance()).await;
    site.expect_ok(&held).await;
}

#[tokio::test]
async fn unconfirmed_absence_is_released_on_request() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    let reference = api(&fake);
    fake.tags("team/api", &[]);
    fake.answer("/v2/team/api/manifests/1.0.0", json!("<html>")).status(404);
    assert_eq!(site.poll(&instance(&fake.url())).await["held"], 1);
    let diagnosis = site.ask(&reference).await;
    assert_eq!(diagnosis["verdict"], "tag", "{diagnosis:#}");
    let row = step(&diagnosis, "row");
    assert!(row["detail"].as_str().unwrap().contains("unconfirmed absence since"), "{row}");
    site.follow(row["remedy"].as_str().unwrap()).await;
    assert_eq!(step(&site.ask(&reference).await, "row")["detail"], "The row is DELETED.");
    fake.tags("team/api", &["1.0.0"]);
    fake.chart("team/api", "1.0.0", "x");
    site.poll(&instance(&fake.url())).await;
    site.expect_ok(&reference).await;
}

#[tokio::test]
async fn look_that_failed_is_named_with_its_next_try() {
    let fake = one_chart().await;
    fake.tags("team/api", &["1.0.0", "2.0.0"]);
    let denied = json!({"errors": [{"code": "DENIED"}]});
    fake.answer("/v2/team/api/manifests/2.0.0", denied).status(403);
    let site = DiagnosisSite::polling(&fake).await;
    let reference = api(&fake).replace("1.0.0", "2.0.0");
    let diagnosis = site.ask(&reference).await;
    assert_eq!(diagnosis["verdict"], "authorized", "{diagnosis:#}");
    let row = step(&diagnosis, "row")["detail"].as_str().unwrap();
    let failed = "There is no row. Discovery could not look at it just now, at try 1: ";
    assert!(row.starts_with(failed) && row.contains("403"), "{row}");
    assert!(row.contains("The next try is at 20"), "{row}");
    fake.chart("team/api", "2.0.0", "y");
    let remedy = "Wait for the next try at 20";
    let cause = site.expect(&reference, "row", "The next try is at 20", remedy).await;
    site.follow(&cause.remedy).await;
    site.expect_ok(&reference).await;
}

/// Case from the field 8.
#[tokio::test]
async fn artifact_past_a_limit_is_named_with_its_next_try() {
    let fake = one_chart().await;
    fake.tags("team/api", &["1.0.0", "2.0.0"]);
    fake.answer("/v2/team/api/manifests/2.0.0", json!("")).endless();
    let site = DiagnosisSite::polling(&fake).await;
    let reference = api(&fake).replace("1.0.0", "2.0.0");
    site.expect(&reference, "manifest", "4194304", "Push a smaller artifact").await;
    let diagnosis = site.ask(&reference).await;
    let row = step(&diagnosis, "row")["detail"].as_str().unwrap();
    let skipped = "Discovery skipped it just now, because the artifact is past a limit: ";
    assert!(row.contains(skipped) && row.contains("The next try is at 20"), "{row}");
    fake.chart("team/api", "2.0.0", "y");
    let cause = site.expect(&reference, "row", skipped, "Wait for the next try at 20").await;
    site.follow(&cause.remedy).await;
    site.expect_ok(&reference).await;
}

#[tokio::test]
async fn held_tags_of_a_repository_are_counted_and_dated() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    fake.tags("team/api", &[]);
    fake.answer("/v2/team/api/manifests/1.0.0", json!("<html>")).status(404);
    assert_eq!(site.poll(&instance(&fake.url())).await["held"], 1);
    let since = "UPDATE observations SET missing_since = '2026-11-22 12:00 UTC'";
    site.stack.rows.execute(since, &[]).await.unwrap();
    fake.tags("team/api", &["1.0.0"]);
    let row = step(&site.ask(&place(&fake)).await, "row")["detail"].clone();
    let held = "Held back as missing: 1, the first of them until 2026-11-22 13:00 UTC.";
    assert!(row.as_str().unwrap().contains(held), "{row}");
}

#[tokio::test]
async fn charts_of_a_denied_repository_are_released_on_request() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    let unknown = json!({"errors": [{"code": "NAME_UNKNOWN"}]});
    fake.answer("/v2/team/api/tags/list?n=1000", unknown.clone()).status(404);
    fake.answer("/v2/team/api/manifests/1.0.0", unknown).status(404);
    assert_eq!(site.poll(&instance(&fake.url())).await["held"], 1);

    let reference = api(&fake);
    let diagnosis = site.ask(&reference).await;
    assert_eq!(diagnosis["verdict"], "listed", "{diagnosis:#}");
    site.follow(step(&diagnosis, "row")["remedy"].as_str().unwrap()).await;
    assert_eq!(step(&site.ask(&reference).await, "row")["detail"], "The row is DELETED.");
    fake.tags("team/api", &["1.0.0"]);
    fake.chart("team/api", "1.0.0", "x");
    site.poll(&instance(&fake.url())).await;
    site.expect_ok(&reference).await;
}

/// Case from the field 26.
#[tokio::test]
async fn charts_of_a_hidden_repository_end_on_request() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    let denied = || json!({"errors": [{"code": "DENIED"}]});
    fake.answer("/v2/team/api/tags/list?n=1000", denied()).status(403);
    let reference = api(&fake);
    let diagnosis = site.ask(&reference).await;
    assert_eq!(diagnosis["verdict"], "authorized", "{diagnosis:#}");
    let row = step(&diagnosis, "row");
    assert!(row["detail"].as_str().unwrap().contains("hidden from the credentials"), "{row}");
    // What the first remedy asks for.
    fake.tags("team/api", &["1.0.0"]);
    site.expect_ok(&reference).await;
    // What the second one asks for.
    fake.answer("/v2/team/api/tags/list?n=1000", denied()).status(403);
    site.poll(&instance(&fake.url())).await;
    site.follow(row["remedy"].as_str().unwrap()).await;
    fake.answer("/v2/team/api/manifests/1.0.0", denied()).status(403);
    assert_eq!(step(&site.ask(&reference).await, "row")["detail"], "The row is DELETED.");
    // A push to the repository makes it visible again, and the same row comes back.
    fake.tags("team/api", &["1.0.0"]);
    fake.chart("team/api", "1.0.0", "x");
    site.poll(&instance(&fake.url())).await;
    site.expect_ok(&reference).await;
}

/// Case from the field 26.
#[tokio::test]
async fn hidden_repository_is_dated_until_the_credentials_read_it() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    let denied = json!({"errors": [{"code": "DENIED"}]});
    fake.answer("/v2/team/api/tags/list?n=1000", denied).status(403);
    site.poll(&instance(&fake.url())).await;
    let reference = api(&fake);
    let row = step(&site.ask(&reference).await, "row")["detail"].as_str().unwrap().to_owned();
    assert!(row.contains("hidden from the credentials since 20"), "{row}");
    assert!(row.contains("The next try is at 20"), "{row}");
    fake.tags("team/api", &["1.0.0"]);
    let_faults_be_due(&site.stack).await;
    site.poll(&instance(&fake.url())).await;
    site.expect_ok(&reference).await;
}
