//! A person deletes the row of a chart. It stays deleted whatever its tag does, until a rescan.

use serde_json::json;
use tests::function::Function;

use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, charts, list, numbers, poll};
use crate::support::stack::{Stack, count, instance};

/// Starts a poller that has seen two charts of one repository, and whose first row was deleted.
async fn one_row_deleted() -> (Stack, FakeRegistry, Vec<String>, Function) {
    let stack = Stack::new().await;
    let (fake, tags) = charts(2).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let delete = "DELETE FROM helm_charts WHERE image_tag = '1.0.0'";
    stack.rows.execute(delete, &[]).await.unwrap();
    (stack, fake, tags, function)
}

async fn rescan(function: &Function, fake: &FakeRegistry) -> (u64, u64, u64) {
    let payload =
        json!({"instance": instance(&fake.url()), "rescan": {"repository": "a", "tag": "1.0.0"}});
    numbers(&function.invoke(&payload).await.unwrap())
}

/// Fault 50.
#[tokio::test]
async fn dismissed_chart_stays_away_when_its_tag_is_absent_for_a_moment() {
    let (stack, fake, tags, function) = one_row_deleted().await;
    list(&fake, &tags[1..]);
    fake.absent("a", &tags[0]);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    list(&fake, &tags);
    fake.chart("a", &tags[0], &tags[0]);
    for _ in 0..2 {
        assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    }
    assert_eq!(available(&stack).await, 1);
    assert_eq!(rescan(&function, &fake).await, (1, 0, 0));
    // From now on, the chart is as any other one.
    list(&fake, &tags[1..]);
    fake.absent("a", &tags[0]);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 1, 0));
    list(&fake, &tags);
    fake.chart("a", &tags[0], &tags[0]);
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 0, 0));
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM dismissed_charts").await, 0);
}

/// Fault 50.
#[tokio::test]
async fn dismissed_chart_stays_away_when_its_tag_moves_away_and_back() {
    let (stack, fake, tags, function) = one_row_deleted().await;
    for (content, expected) in [("other", (1, 0, 0)), (&tags[0], (0, 1, 0)), ("other", (1, 0, 0))] {
        fake.chart("a", &tags[0], content);
        // Without a cursor, the poller verifies every tag.
        stack.dynamodb.clear().await.unwrap();
        assert_eq!(numbers(&poll(&function, &fake).await), expected, "{content}");
    }
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM dismissed_charts").await, 1);
}

/// Fault 50.
#[tokio::test]
async fn change_of_a_tag_without_a_chart_dismisses_nothing() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(1).await;
    let image = json!({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}});
    fake.answer("/v2/a/manifests/1.0.0", image);
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    fake.chart("a", &tags[0], "chart");
    stack.dynamodb.clear().await.unwrap();
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 0, 0));
    fake.chart("a", &tags[0], "moved");
    stack.dynamodb.clear().await.unwrap();
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 1, 0));
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM dismissed_charts").await, 0);
}
