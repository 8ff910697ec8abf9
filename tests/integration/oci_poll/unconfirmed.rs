//! Registries that answer 404 for a deleted tag without saying that the manifest is unknown.

use serde_json::{Value, json};

use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, charts, list, numbers, poll, wait};
use crate::support::stack::{Stack, count, instance};

const HELD: &str = "SELECT count(*) FROM observations WHERE missing_since IS NOT NULL";

/// Returns the answers to a request for a deleted tag: Harbor's, Quay's, one without a code, and
/// a proxy's.
fn answers() -> [Value; 4] {
    let error = |code| json!({"errors": [{"code": code, "message": "x"}]});
    [error("NOT_FOUND"), error("TAG_EXPIRED"), json!({}), json!("<html>not found</html>")]
}

fn missing(fake: &FakeRegistry, tag: &str, answer: Value) {
    fake.answer(&format!("/v2/a/manifests/{tag}"), answer).status(404);
}

/// Case 3 from the field.
#[tokio::test]
async fn unconfirmed_absence_is_held_and_then_believed() {
    for answer in answers() {
        let stack = Stack::new().await;
        let (fake, tags) = charts(3).await;
        let function = stack.oci_poll().await;
        poll(&function, &fake).await;
        list(&fake, &tags[1..]);
        missing(&fake, &tags[0], answer.clone());
        let summary = poll(&function, &fake).await;
        assert_eq!(numbers(&summary), (0, 0, 1), "{answer}");
        assert_eq!(summary["complete"], json!(true), "{answer}: {summary}");
        wait(&stack, "59 minutes").await;
        let asked = fake.count("GET", "/manifests/");
        let summary = poll(&function, &fake).await;
        assert_eq!((numbers(&summary), &summary["complete"]), ((0, 0, 1), &json!(true)));
        assert_eq!(fake.count("GET", "/manifests/"), asked, "not in every pass");
        wait(&stack, "1 minute").await;
        assert_eq!(numbers(&poll(&function, &fake).await), (0, 1, 0), "{answer}");
        assert_eq!(available(&stack).await, 2);
        fake.chart("a", &tags[0], &tags[0]);
        list(&fake, &tags);
        assert_eq!(numbers(&poll(&function, &fake).await), (1, 0, 0), "it is back");
    }
}

/// Case 3 from the field.
#[tokio::test]
async fn unconfirmed_absence_is_not_believed_while_a_list_has_the_tag() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    missing(&fake, &tags[0], json!("<html>"));
    // Without a cursor, the poller verifies every tag.
    stack.dynamodb.clear().await.unwrap();
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 1));
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 1));
    let asked = fake.count("", "/manifests/");
    for _ in 0..2 {
        let summary = poll(&function, &fake).await;
        assert_eq!((numbers(&summary), &summary["complete"]), ((0, 0, 1), &json!(true)));
    }
    assert_eq!(fake.count("", "/manifests/"), asked, "not in every pass");
    fake.chart("a", &tags[0], &tags[0]);
    let hours = "UPDATE observations SET observed_at = observed_at - interval '2 hours', \
                 missing_since = missing_since - interval '2 hours'";
    stack.rows.execute(hours, &[]).await.unwrap();
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0), "it is verified again");
    assert_eq!((available(&stack).await, count(&stack.rows, HELD).await), (3, 0));
}

/// Case 3 from the field.
#[tokio::test]
async fn repository_that_harbor_does_not_have_is_held_and_then_believed() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    fake.catalog(&["b"]);
    fake.tags("b", &[]);
    let [not_found, ..] = answers();
    fake.answer("/v2/a/tags/list?n=1000", not_found.clone()).status(404);
    for tag in &tags {
        missing(&fake, tag, not_found.clone());
    }
    for _ in 0..2 {
        let summary = poll(&function, &fake).await;
        assert_eq!((numbers(&summary), &summary["complete"]), ((0, 0, 3), &json!(true)));
    }
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 3, 0));
}

/// Case 3 from the field.
#[tokio::test]
async fn last_charts_that_harbor_does_not_have_are_held_and_then_believed() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    // The only repository is deleted, so that the catalog is empty.
    fake.catalog(&[]);
    let [not_found, ..] = answers();
    fake.answer("/v2/a/tags/list?n=1000", not_found.clone()).status(404);
    for tag in &tags {
        missing(&fake, tag, not_found.clone());
    }
    for _ in 0..2 {
        assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 3));
    }
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 3, 0));
    assert_eq!(poll(&function, &fake).await["complete"], json!(true));
}

/// Case 3 from the field.
#[tokio::test]
async fn answers_other_than_404_never_mean_absent() {
    for status in [401, 403, 500, 503] {
        let stack = Stack::new().await;
        let (fake, tags) = charts(3).await;
        let function = stack.oci_poll().await;
        poll(&function, &fake).await;
        list(&fake, &tags[1..]);
        let unknown = json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]});
        fake.answer(&format!("/v2/a/manifests/{}", tags[0]), unknown).status(status);
        let summary = poll(&function, &fake).await;
        assert_eq!((numbers(&summary), &summary["complete"]), ((0, 0, 0), &json!(false)));
        assert_eq!((available(&stack).await, count(&stack.rows, HELD).await), (3, 0), "{status}");
    }
}

/// Case 3 from the field.
#[tokio::test]
async fn rescan_of_an_unconfirmed_absence_holds_the_chart_back() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    missing(&fake, &tags[0], json!("<html>"));
    let rescan = json!({
        "instance": instance(&fake.url()),
        "rescan": {"repository": "a", "tag": tags[0]},
    });
    let summary = function.invoke(&rescan).await.unwrap();
    assert_eq!(numbers(&summary), (0, 0, 1), "{summary}");
    assert_eq!((available(&stack).await, count(&stack.rows, HELD).await), (1, 1));
}
