//! A chart is read again if a rescan requests it, or if an older version left its row without
//! contents.

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::support::assert_summary::assert_summary;
use crate::support::stack::{ECR, Stack, count};

async fn row(client: &Client) -> (String, Option<String>, Option<String>, bool) {
    let sql = "SELECT id::text, chart_name, chart.error, available
        FROM helm_charts AS chart
        LEFT JOIN helm_chart_contents ON digest = image_digest";
    let row = client.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

#[tokio::test]
async fn rescan_reads_a_chart_again_and_keeps_its_row() {
    for is_ecr in [false, true] {
        let stack = Stack::new().await;
        let digest = stack.pusher.push_chart("team/api", "1.0.0", "a").await.unwrap();
        let fields = json!({"repository": "team/api", "tag": "1.0.0"});
        let (function, rescan) = if is_ecr {
            let mut fields = fields;
            fields["registry"] = json!(ECR);
            (stack.ecr_events().await, json!({"rescan": fields}))
        } else {
            (stack.oci_poll().await, json!({"instance": stack.instance(), "rescan": fields}))
        };
        let added = |answer: &Value| answer["added"].as_u64().unwrap();
        assert_eq!(added(&function.invoke(&rescan).await.unwrap()), 1);
        let first = row(&stack.rows).await;
        assert_eq!((&first.1, &first.2), (&Some("chart".to_owned()), &None));

        // An older version had a bug that marked the row.
        let spoil = "UPDATE helm_charts SET error = 'our fault';
            UPDATE helm_chart_contents SET chart_name = NULL, error = 'our fault'";
        stack.rows.batch_execute(spoil).await.unwrap();
        let answer = function.invoke(&rescan).await.unwrap();
        assert_summary!(answer, added = 0, broken = 0);
        assert_eq!(row(&stack.rows).await, first);
        let written = "SELECT xmin::text::bigint FROM helm_charts";
        let before = count(&stack.rows, written).await;
        function.invoke(&rescan).await.unwrap();
        assert_eq!(
            count(&stack.rows, written).await,
            before,
            "a rescan without changes writes no row"
        );

        // A row deleted by hand comes back only on request.
        stack.rows.batch_execute("DELETE FROM helm_charts").await.unwrap();
        if !is_ecr {
            function.invoke(&stack.instance()).await.unwrap();
            assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts").await, 0);
        }
        assert_eq!(added(&function.invoke(&rescan).await.unwrap()), 1);
        let again = row(&stack.rows).await;
        assert_eq!((again.1, again.3), (Some("chart".to_owned()), true));

        stack.pusher.delete("team/api", &digest).await.unwrap();
        let answer = function.invoke(&rescan).await.unwrap();
        assert_summary!(answer, unavailable = 1);
        assert!(!row(&stack.rows).await.3, "the row is still available: {answer}");
    }
}

#[tokio::test]
async fn failed_rescan_is_a_function_error() {
    let stack = Stack::new().await;
    let mut instance = stack.instance();
    instance["oci"]["registryUrl"] = json!("http://127.0.0.1:9");
    let rescan =
        json!({"instance": instance, "rescan": {"repository": "team/api", "tag": "1.0.0"}});
    let error = stack.oci_poll().await.invoke(&rescan).await.unwrap_err().to_string();
    assert!(
        error.contains("cannot look up 127.0.0.1:9/team/api:1.0.0") && !error.contains('\n'),
        "{error}"
    );
}

#[tokio::test]
async fn rows_without_contents_are_completed() {
    let stack = Stack::new().await;
    for tag in ["1.0.0", "2.0.0"] {
        stack.pusher.push_chart("team/api", tag, tag).await.unwrap();
    }
    let mut instance = stack.instance();
    instance["oci"]["pollInterval"] = json!("50ms");
    instance["oci"]["verifyInterval"] = json!("100ms");
    let function = stack.oci_poll().await;
    assert_summary!(function.invoke(&stack.instance()).await.unwrap(), added = 2);
    stack.rows.batch_execute("DELETE FROM helm_chart_contents").await.unwrap();
    let complete = "SELECT count(*) FROM helm_chart_contents
        WHERE chart_name = 'chart' AND chart_version = '1.0.0'";
    // Verification notices it some passes later.
    for _ in 0..20 {
        let time = std::time::Duration::from_secs(3);
        let summary = function.invoke_within(&instance, time).await.unwrap();
        assert_summary!(summary, added = 0, broken = 0);
        if count(&stack.rows, complete).await == 2 {
            return;
        }
    }
    panic!("{} of 2 contents are complete", count(&stack.rows, complete).await);
}
