//! Tags move to another manifest.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::oci_poll::{available, charts, let_faults_be_due, numbers, poll};
use crate::support::stack::{Stack, count, instance};

#[tokio::test]
async fn moved_tags_are_noticed_and_only_they_are_fetched() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(40).await;
    let mut instance = instance(&fake.url());
    instance["oci"]["pollInterval"] = json!("100ms");
    instance["oci"]["verifyInterval"] = json!("1s");
    let function = stack.oci_poll().await;
    assert_eq!(numbers(&poll(&function, &fake).await), (40, 0, 0));
    // Simulates that an interval has passed since the tags were seen.
    let older = "UPDATE observations SET observed_at = observed_at - interval '1 second', \
                 changed_at = changed_at - interval '1 second'";
    fake.chart("a", &tags[7], "moved");
    let image = json!({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}});
    let digest = shared::domain::Digest::sha256(image.to_string().as_bytes());
    fake.answer(&format!("/v2/a/manifests/{}", tags[8]), image)
        .header("docker-content-digest", digest.as_str());
    stack.rows.execute(older, &[]).await.unwrap();
    let before = (fake.count("GET", "/manifests/"), fake.count("HEAD", "/manifests/"));
    let (mut added, mut unavailable) = (0, 0);
    for _ in 0..10 {
        // The invocation makes passes for over two seconds. In that time, every slot is verified.
        let summary = function.invoke_within(&instance, Duration::from_secs(4)).await.unwrap();
        (added, unavailable) = (added + numbers(&summary).0, unavailable + numbers(&summary).1);
        if unavailable == 2 {
            break;
        }
    }
    assert_eq!((added, unavailable), (1, 2));
    let gets = fake.count("GET", "/manifests/") - before.0;
    println!(
        "{} HEAD requests, {gets} GET for 2 moved tags of 40",
        fake.count("HEAD", "/manifests/") - before.1
    );
    assert_eq!(gets, 2, "only the moved tags are fetched");
    let moved =
        format!("SELECT count(*) FROM helm_charts WHERE image_tag = '{}' AND available", tags[7]);
    assert_eq!((available(&stack).await, count(&stack.rows, &moved).await), (39, 1));
}

#[tokio::test]
async fn moved_tag_whose_layer_cannot_be_read_retires_the_old_chart() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let layer = tests::chart::plain();
    let digest = shared::domain::Digest::sha256(&[&layer[..], b"x"].concat());
    fake.manifest("a", &tags[0], digest.as_str(), layer.len() + 1);
    fake.blob("a", digest.as_str(), Vec::new()).status(500);
    stack.dynamodb.clear().await.unwrap();
    let summary = poll(&function, &fake).await;
    assert_eq!((numbers(&summary), &summary["complete"]), ((0, 1, 0), &json!(false)), "{summary}");
    assert_eq!(available(&stack).await, 0);
    // The layer is there in the end.
    fake.blob("a", digest.as_str(), [&layer[..], b"x"].concat());
    let_faults_be_due(&stack).await;
    let a_while = "UPDATE observations SET observed_at = observed_at - interval '10 seconds'";
    stack.rows.execute(a_while, &[]).await.unwrap();
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 0, 0));
    assert_eq!(available(&stack).await, 1);
}

/// Fault 24.
#[tokio::test]
async fn tag_that_moves_while_it_is_read_converges() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    // The HEAD request sees one digest, and the GET request another. Then the tag moves again.
    stack.dynamodb.clear().await.unwrap();
    let path = format!("/v2/a/manifests/{}", tags[0]);
    let config = json!({"mediaType": "application/vnd.cncf.helm.config.v1+json"});
    let second = json!({"config": config, "annotations": {"content": "second"}});
    fake.answer(&path, json!({"config": config}))
        .then(second.clone())
        .then(json!({"config": config}));
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 1, 0));
    let digest = |manifest: &Value| shared::domain::Digest::sha256(manifest.to_string().as_bytes());
    let sql = format!(
        "SELECT count(*) FROM helm_charts WHERE available AND image_digest = '{}'",
        digest(&second)
    );
    assert_eq!(count(&stack.rows, &sql).await, 1);
    stack.dynamodb.clear().await.unwrap();
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 1, 0));
    assert_eq!(available(&stack).await, 1);
}
