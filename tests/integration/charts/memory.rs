//! The memory of a poller that reads many charts, or several large ones at the same time.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tests::chart::{Archive, CHART_YAML};

use crate::support::assert_summary::assert_summary;
use crate::support::stack::{Stack, count};

/// Time for all charts, also on a busy machine.
const ENOUGH: std::time::Duration = std::time::Duration::from_mins(10);

const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn memory_stays_flat_over_ten_thousand_charts() {
    const REPOSITORIES: usize = 100;
    const CHARTS: usize = 50;
    let stack = Stack::new().await;
    let function = stack.oci_poll().await;
    let mut peaks = Vec::new();
    for half in 0..2 {
        let pushes = (0..REPOSITORIES).map(|n| {
            let pusher = &stack.pusher;
            async move {
                for version in 0..CHARTS {
                    let content = format!("{half} {n} {version}");
                    pusher
                        .push_chart(
                            &format!("team/chart-{n}"),
                            &format!("{half}.{version}.0"),
                            &content,
                        )
                        .await?;
                }
                anyhow::Ok(())
            }
        });
        stream::iter(pushes).buffer_unordered(8).try_collect::<()>().await.unwrap();
        let mut added = 0;
        while added < REPOSITORIES * CHARTS {
            let summary = function.invoke_within(&stack.instance(), ENOUGH).await.unwrap();
            added += usize::try_from(summary["added"].as_u64().unwrap()).unwrap();
        }
        peaks.push(function.memory_peak().unwrap());
    }
    let read = "SELECT count(*) FROM helm_charts JOIN helm_chart_contents ON digest = image_digest
        WHERE chart_name = 'chart' AND chart_version = '1.0.0'";
    assert_eq!(count(&stack.rows, read).await, i64::try_from(2 * REPOSITORIES * CHARTS).unwrap());
    println!("5,000 charts: {} MiB, 10,000: {} MiB", peaks[0] / MIB, peaks[1] / MIB);
    assert!(peaks[1] - peaks[0] < 4 * MIB, "{peaks:?}");
}

#[tokio::test]
async fn charts_at_every_limit_fit_into_the_memory_of_a_function() {
    let stack = Stack::new().await;
    let function = stack.oci_poll().await;
    stack.pusher.push_chart("good/chart", "1.0.0", "").await.unwrap();
    function.invoke(&stack.instance()).await.unwrap();
    let idle = function.memory_peak().unwrap();
    for n in 0..24_u8 {
        // One text of nearly four megabytes, which is just within the limit of a column.
        let text = char::from(b'a' + n % 26).to_string().repeat((4 << 20) - 1000);
        let ui = format!(
            r#"{{"inputs":[{{"id":"a","type":"text","label":"{text}"}}],
            "outputs":{{"values":[]}}}}"#
        );
        // This JSON has nearly as many values as the limit allows.
        let options = "{\"value\":1},".repeat(12_000);
        let actions = format!(
            r#"{{"schema_version":0,"actions":[{{"id":"a","allowed_role":"Owner",
            "endpoint":"standard_ingress","path":"/",
            "method":"GET","title":"{n}","description":"",
            "ui_schema":{{"inputs":[{{"id":"a","type":"text","label":"",
            "options":[{options}{{"value":1}}]}}],"outputs":{{"values":[]}}}}}}]}}"#
        );
        let layer = Archive::new()
            .file("chart/Chart.yaml", CHART_YAML)
            .file("chart/values.ui.json", ui)
            .file("chart/actions.schema.json", actions)
            .file("chart/zeros", vec![0; 10 << 20]);
        stack.pusher.push_archive("large/chart", &format!("1.{n}.0"), &layer.pack()).await.unwrap();
    }
    let summary = function.invoke_within(&stack.instance(), ENOUGH).await.unwrap();
    assert_summary!(summary, added = 24, broken = 0, complete = true);
    let above = (function.memory_peak().unwrap() - idle) / MIB;
    println!("24 charts with 4 MiB of extensions each, 16 at a time: {above} MiB above idle");
    assert!(above < 64, "{above} MiB");
    let stored = "SELECT count(*) FROM helm_charts WHERE length(values_ui::text) > 4000000 AND \
                  actions_schema IS NOT NULL";
    assert_eq!(count(&stack.rows, stored).await, 24);
}

#[tokio::test]
async fn chart_with_many_tags_is_in_memory_once() {
    let stack = Stack::new().await;
    let function = stack.oci_poll().await;
    stack.pusher.push_chart("good/chart", "1.0.0", "").await.unwrap();
    function.invoke(&stack.instance()).await.unwrap();
    let idle = function.memory_peak().unwrap();
    let text = "x".repeat((4 << 20) - 1000);
    let ui = format!(
        r#"{{"inputs":[{{"id":"a","type":"text","label":"{text}"}}],
            "outputs":{{"values":[]}}}}"#
    );
    let layer =
        Archive::new().file("chart/Chart.yaml", CHART_YAML).file("chart/values.ui.json", ui).pack();
    for n in 0..40 {
        stack.pusher.push_archive("large/chart", &format!("1.{n}.0"), &layer).await.unwrap();
    }
    let summary = function.invoke_within(&stack.instance(), ENOUGH).await.unwrap();
    assert_summary!(summary, added = 40, broken = 0, complete = true);
    let above = (function.memory_peak().unwrap() - idle) / MIB;
    println!("one chart with 4 MiB of extensions and 40 tags: {above} MiB above idle");
    assert!(above < 64, "{above} MiB");
}

#[tokio::test]
async fn documents_at_their_limits_fit_into_the_memory_of_a_function() {
    let stack = Stack::new().await;
    let function = stack.oci_poll().await;
    stack.pusher.push_chart("good/chart", "1.0.0", "").await.unwrap();
    function.invoke(&stack.instance()).await.unwrap();
    let idle = function.memory_peak().unwrap();
    for n in 0..48_u8 {
        // Each quote has two bytes as JSON.
        let text = |letter| [letter, b'"'].repeat(128 * 1024);
        let layer = Archive::new()
            .file("chart/Chart.yaml", CHART_YAML)
            .file("chart/README.md", text(b'a' + n % 26))
            .file("chart/values.yaml", text(b'b' + n % 24))
            .file("chart/values.schema.json", text(b'c' + n % 23))
            .file("chart/requirements.yaml", text(b'd'))
            .file("chart/number", [n]);
        stack.pusher.push_archive("large/chart", &format!("1.{n}.0"), &layer.pack()).await.unwrap();
    }
    let summary = function.invoke(&stack.instance()).await.unwrap();
    assert_summary!(summary, added = 48, broken = 0, complete = true);
    let above = (function.memory_peak().unwrap() - idle) / MIB;
    println!("48 charts with 1 MiB of documents each, 16 at a time: {above} MiB above idle");
    assert!(above < 64, "{above} MiB");
    let stored = "SELECT count(*) FROM helm_chart_contents WHERE length(readme) = 262144
        AND length(values_yaml) = 262144 AND length(values_schema) = 262144";
    assert_eq!(count(&stack.rows, stored).await, 48);
}
