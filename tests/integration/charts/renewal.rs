//! Contents that an earlier version of the program read are read again, a few at a time.

use serde_json::json;
use tests::moto::Moto;

use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{charts, numbers, poll};
use crate::support::stack::{Stack, count};

/// The least number of contents that a pass reads again.
const RENEWALS: usize = 8;

const OUTDATED: &str = "SELECT count(*) FROM helm_chart_contents WHERE contents_version < 2";

/// Leaves the contents as an earlier version of the program would have written them.
async fn age(stack: &Stack) {
    let sql = "UPDATE helm_chart_contents SET contents_version = 1, metadata = NULL";
    stack.rows.execute(sql, &[]).await.unwrap();
}

/// Makes every tag due for verification, as a lost cursor does.
async fn let_all_be_due(stack: &Stack) {
    stack.dynamodb.clear().await.unwrap();
}

fn requests(fake: &FakeRegistry) -> [usize; 3] {
    [
        fake.count("HEAD", "/manifests/"),
        fake.count("GET", "/manifests/"),
        fake.count("GET", "/blobs/"),
    ]
}

#[tokio::test]
async fn outdated_contents_are_read_again_a_few_in_each_pass() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(20).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    assert_eq!(count(&stack.rows, OUTDATED).await, 0);
    age(&stack).await;
    let mut left = tags.len();
    while left > 0 {
        let before = requests(&fake);
        let_all_be_due(&stack).await;
        assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
        let renewed = left.min(RENEWALS);
        left -= renewed;
        let after = requests(&fake);
        let asked = [0, 1, 2].map(|n| after[n] - before[n]);
        assert_eq!(asked, [tags.len() - renewed, renewed, renewed]);
        assert_eq!(count(&stack.rows, OUTDATED).await, i64::try_from(left).unwrap());
    }
    // Contents that are current cost a verification and nothing more.
    let before = requests(&fake);
    let_all_be_due(&stack).await;
    poll(&function, &fake).await;
    let after = requests(&fake);
    assert_eq!([0, 1, 2].map(|n| after[n] - before[n]), [tags.len(), 0, 0]);
    let whole = "SELECT count(*) FROM helm_chart_contents WHERE metadata->>'name' = 'chart'";
    assert_eq!(count(&stack.rows, whole).await, 20);
}

#[tokio::test]
async fn unchanged_pass_reads_nothing_again() {
    let stack = Stack::new().await;
    let (fake, _) = charts(20).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    age(&stack).await;
    let before = requests(&fake);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    assert_eq!(requests(&fake), before);
}

#[tokio::test]
async fn chart_that_cannot_be_read_again_keeps_its_row() {
    let stack = Stack::new().await;
    let (fake, _) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    age(&stack).await;
    let layer = shared::domain::Digest::sha256(&tests::chart::plain());
    let gone = json!({"errors": [{"code": "BLOB_UNKNOWN"}]});
    fake.answer(&format!("/v2/a/blobs/{layer}"), gone).status(404);
    let_all_be_due(&stack).await;
    let summary = poll(&function, &fake).await;
    assert_eq!((numbers(&summary), &summary["errors"]), ((0, 0, 0), &json!([])));
    let kept = "SELECT count(*) FROM helm_charts JOIN helm_chart_contents ON digest = image_digest
        WHERE available AND helm_charts.error IS NULL AND chart_name = 'chart'";
    assert_eq!(count(&stack.rows, kept).await, 1);
    fake.blob("a", layer.as_str(), tests::chart::plain());
    let_all_be_due(&stack).await;
    poll(&function, &fake).await;
    assert_eq!(count(&stack.rows, OUTDATED).await, 0);
}

#[tokio::test]
async fn repair_reads_outdated_contents_again() {
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    moto.create_repository("charts/api").await.unwrap();
    for tag in ["1.0.0", "2.0.0"] {
        moto.put_image("charts/api", tag).await.unwrap();
        stack.pusher.push_chart("charts/api", tag, tag).await.unwrap();
    }
    let function = stack.ecr_events_with(&moto.settings()).await;
    let backfill = json!({"backfill": {"region": "us-east-1"}});
    function.invoke(&backfill).await.unwrap();
    age(&stack).await;
    function.invoke(&backfill).await.unwrap();
    assert_eq!(count(&stack.rows, OUTDATED).await, 0);
}
