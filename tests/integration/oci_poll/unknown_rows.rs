//! Available rows that discovery did not write: an import, a backup or a person made them.

use std::time::Duration;

use serde_json::{Value, json};
use tests::function::Function;

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, charts, list, numbers, poll, wait};
use crate::support::stack::{Stack, count, instance};

const HELD: &str = "SELECT count(*) FROM observations WHERE missing_since IS NOT NULL";

/// Adds a row of the repository `a` by hand.
async fn add_row(stack: &Stack, tag: &str) {
    let sql = "INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag)
        SELECT now(), id, 'sha256:0', $1 FROM helm_registries";
    stack.rows.execute(sql, &[&tag]).await.unwrap();
}

/// Polls with intervals so short that every tag is verified within the invocation.
async fn poll_for_a_while(function: &Function, fake: &FakeRegistry) -> Value {
    let mut instance = instance(&fake.url());
    instance["oci"]["pollInterval"] = json!("50ms");
    instance["oci"]["verifyInterval"] = json!("100ms");
    function.invoke_within(&instance, Duration::from_secs(3)).await.unwrap()
}

/// Fault 38.
#[tokio::test]
async fn row_that_no_list_has_is_looked_at() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    add_row(&stack, "9.0.0").await;
    fake.absent("a", "9.0.0");
    stack.rows.execute("DELETE FROM observations WHERE reference = '1.0.0'", &[]).await.unwrap();
    list(&fake, &tags[1..]);
    fake.absent("a", &tags[0]);
    let summary = poll(&function, &fake).await;
    assert_eq!((numbers(&summary), &summary["complete"]), ((0, 2, 0), &json!(true)), "{summary}");
    assert_eq!(available(&stack).await, 2);
}

/// Fault 38.
#[tokio::test]
async fn row_in_a_repository_with_an_unchanged_list_is_looked_at_within_the_verify_interval() {
    let stack = Stack::new().await;
    let (fake, _) = charts(3).await;
    let function = stack.oci_poll().await;
    poll_for_a_while(&function, &fake).await;
    add_row(&stack, "9.0.0").await;
    fake.absent("a", "9.0.0");
    assert_summary!(poll_for_a_while(&function, &fake).await, unavailable = 1, complete = true);
    assert_eq!(available(&stack).await, 3);
    assert_eq!(fake.count("GET", "/manifests/9.0.0"), 1);
}

/// Fault 38.
#[tokio::test]
async fn listed_row_is_looked_at_once() {
    let stack = Stack::new().await;
    let (fake, mut tags) = charts(2).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    // The row has another digest than the tag.
    add_row(&stack, "9.0.0").await;
    fake.chart("a", "9.0.0", "9.0.0");
    tags.push("9.0.0".to_owned());
    list(&fake, &tags);
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 1, 0));
    assert_eq!(available(&stack).await, 3);
    let asked = fake.count("GET", "/manifests/");
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    assert_eq!(fake.count("GET", "/manifests/"), asked);
}

/// Fault 38.
#[tokio::test]
async fn unconfirmed_absence_of_a_row_without_an_observation_is_held() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    stack.rows.execute("DELETE FROM observations", &[]).await.unwrap();
    let not_found = json!({"errors": [{"code": "NOT_FOUND"}]});
    fake.answer(&format!("/v2/a/manifests/{}", tags[0]), not_found).status(404);
    let payload = json!({
        "instance": instance(&fake.url()),
        "rescan": {"repository": "a", "tag": tags[0]},
    });
    for held in 0..2 {
        assert_eq!(numbers(&function.invoke(&payload).await.unwrap()), (0, 0, 1), "{held}");
        assert_eq!((available(&stack).await, count(&stack.rows, HELD).await), (3, 1));
    }
    list(&fake, &tags[1..]);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 1));
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 1, 0));
    assert_eq!(available(&stack).await, 2);
}

/// Fault 38.
#[tokio::test]
async fn denied_repository_with_rows_without_observations_is_held() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    stack.rows.execute("DELETE FROM observations", &[]).await.unwrap();
    stack.dynamodb.clear().await.unwrap();
    fake.catalog(&["b"]);
    fake.tags("b", &[]);
    let unknown = json!({"errors": [{"code": "NAME_UNKNOWN"}]});
    fake.answer("/v2/a/tags/list?n=1000", unknown).status(404);
    for tag in &tags {
        fake.absent("a", tag);
    }
    let summary = poll(&function, &fake).await;
    assert_eq!((numbers(&summary), &summary["complete"]), ((0, 0, 3), &json!(true)), "{summary}");
    assert_eq!((available(&stack).await, count(&stack.rows, HELD).await), (3, 3));
}

/// Fault 38.
#[tokio::test]
async fn empty_catalog_holds_rows_without_observations_back() {
    let stack = Stack::new().await;
    let (fake, _) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    stack.rows.execute("DELETE FROM observations", &[]).await.unwrap();
    stack.dynamodb.clear().await.unwrap();
    fake.catalog(&[]);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 3));
    assert_eq!((available(&stack).await, count(&stack.rows, HELD).await), (3, 3));
}
