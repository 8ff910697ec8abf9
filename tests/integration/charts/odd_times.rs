//! Times that no chart and no push can have, from the registry and from events to the API and the
//! pages.

use reqwest::Client;
use serde_json::{Value, json};
use shared::domain::Digest;
use shared::helm::{CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE};
use tests::chart;

use crate::support::admin_site::client;
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{numbers, poll};
use crate::support::stack::{Stack, batch, count, event, failed};
use crate::support::walk::admin;

/// RFC 3339 has all of them.
const ODD: [&str; 5] = [
    "0000-01-01T00:00:00+23:59",
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-23:59",
];

/// A chart, and a push of another one, with an odd time.
struct OddTime {
    tag: String,
    push: String,
}

/// Serves two charts per odd time: in the repository `a` with the time as an annotation, and in
/// `b` without it.
fn serve(fake: &FakeRegistry) -> Vec<OddTime> {
    let layer = chart::plain();
    let digest = Digest::sha256(&layer).to_string();
    let layers = json!([{"mediaType": CHART_MEDIA_TYPE, "digest": digest, "size": layer.len()}]);
    let config = json!({"mediaType": CONFIG_MEDIA_TYPE});
    let serve_one = |(n, time): (usize, &str)| {
        let tag = format!("1.{n}.0");
        let dated = json!({"org.opencontainers.image.created": time});
        let dated = json!({"config": config, "layers": layers, "annotations": dated});
        fake.answer(&format!("/v2/a/manifests/{tag}"), dated);
        let pushed = json!({"config": config, "layers": layers, "annotations": {"n": tag}});
        let mut push =
            event("PUSH", "b", Some(&tag), &Digest::sha256(pushed.to_string().as_bytes()));
        push["time"] = json!(time);
        fake.answer(&format!("/v2/b/manifests/{tag}"), pushed);
        OddTime { tag, push: push.to_string() }
    };
    let odd: Vec<OddTime> = ODD.into_iter().enumerate().map(serve_one).collect();
    for repository in ["a", "b"] {
        fake.blob(repository, &digest, layer.clone());
    }
    fake.catalog(&["a"]);
    fake.tags("a", &odd.iter().map(|odd| odd.tag.as_str()).collect::<Vec<_>>());
    odd
}

async fn status(http: &Client, url: &str) -> (u16, String) {
    let answer = http.get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Opens every list and page that shows a time of a chart.
async fn assert_all_are_shown(stack: &Stack, charts: usize) {
    let admin = admin(stack, &[]).await;
    let http = client();
    let ids =
        |sql| async move { stack.rows.query_one(sql, &[]).await.unwrap().get::<_, String>(0) };
    let kind = ids("SELECT kind_id::text FROM helm_registries WHERE repo_name = 'a'").await;
    let registry = ids("SELECT id::text FROM helm_registries WHERE repo_name = 'a'").await;
    let chart = ids("SELECT id::text FROM helm_charts WHERE image_tag = '1.0.0' LIMIT 1").await;
    let (code, list) = status(&http, &format!("{}/api/v2/helm-charts", admin.url())).await;
    assert_eq!(code, 200, "{list}");
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), charts);
    for path in [
        "/api/v2/helm-registries".to_owned(),
        format!("/api/v2/helm-charts/{chart}"),
        "/api/v2/deployment-kinds".to_owned(),
        "/admin/kinds".to_owned(),
        "/admin/helm-registries".to_owned(),
        format!("/admin/kinds/{kind}"),
        format!("/admin/helm-registries/{registry}"),
    ] {
        let (code, body) = status(&http, &format!("{}{path}", admin.url())).await;
        assert_eq!(code, 200, "{path}: {body}");
    }
}

#[tokio::test]
async fn odd_times_of_charts_and_pushes_are_not_taken() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let odd = serve(&fake);
    let added = numbers(&poll(&stack.oci_poll().await, &fake).await);
    let pushes: Vec<String> = odd.into_iter().map(|odd| odd.push).collect();
    let function = stack.ecr_events_at(&fake.url()).await;
    assert_eq!(function.invoke(&batch(&pushes)).await.unwrap(), failed(&[]));
    assert_eq!(added, (ODD.len() as u64, 0, 0));
    let wrong = "SELECT count(*) FROM helm_charts
        WHERE created_at NOT BETWEEN now() - interval '1 hour' AND now()";
    assert_eq!(count(&stack.rows, wrong).await, 0);
    assert_all_are_shown(&stack, 2 * ODD.len()).await;
}

/// A database of Platz's may have such rows.
#[tokio::test]
async fn odd_times_in_rows_are_shown() {
    let stack = Stack::new().await;
    let (fake, tags) = crate::support::oci_poll::charts(4).await;
    poll(&stack.oci_poll().await, &fake).await;
    for (tag, time) in tags.iter().zip(["4713-01-01 BC", "infinity", "-infinity", "12000-01-01"]) {
        let sql = format!("UPDATE helm_charts SET created_at = '{time}' WHERE image_tag = '{tag}'");
        assert_eq!(stack.rows.execute(&sql, &[]).await.unwrap(), 1);
    }
    assert_all_are_shown(&stack, 4).await;
}
