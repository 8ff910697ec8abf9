//! `ecr-events` with a registry that hangs, is unreachable, or refuses requests.

use std::time::Duration;

use serde_json::json;
use shared::domain::Digest;

use crate::support::ecr_messages::{push, push_image};
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, batch, failed};

/// Fault 25.
#[tokio::test]
async fn hanging_look_fails_only_its_own_message() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let chart = json!({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}});
    let digest = Digest::sha256(chart.to_string().as_bytes());
    fake.answer("/v2/my-org/api/manifests/1.0.0", chart.clone());
    fake.answer("/v2/my-org/api/manifests/2.0.0", chart.clone()).hang();
    fake.answer("/v2/my-org/api/manifests/3.0.0", chart);
    fake.answer("/v2/my-org/api/manifests/4.0.0", json!("")).endless();
    let function = stack.ecr_events_at(&fake.url()).await;
    let messages = ["1.0.0", "2.0.0", "3.0.0", "4.0.0"].map(|tag| push("my-org/api", tag, &digest));
    let answer = function.invoke_within(&batch(&messages), Duration::from_secs(8)).await.unwrap();
    // A retry can help the message whose request hung, but not the message whose content exceeds a
    // limit.
    assert_eq!(answer, failed(&["m1"]));
    assert_eq!(stack.charts().await.len(), 2);
}

#[tokio::test]
async fn unreachable_registry_fails_its_messages_and_is_logged_once() {
    let stack = Stack::new().await;
    let gone = FakeRegistry::start().await.url();
    let function = stack.ecr_events_at(&gone).await;
    let digest = Digest::sha256(b"");
    let image = push_image("my-org/api", "1.0.0", &digest);
    let answer =
        function.invoke(&batch(&[push("my-org/api", "1.0.0", &digest), image])).await.unwrap();
    assert_eq!(answer, failed(&["m0"]));
    let said: Vec<String> =
        function.log().into_iter().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("123456789012.dkr.ecr") && said[0].contains("refused"), "{said:?}");
}

#[tokio::test]
async fn refusing_registry_is_never_taken_for_an_empty_one() {
    let stack = Stack::new().await;
    let digest = stack.pusher.push_chart("my-org/api", "1.0.0", "a").await.unwrap();
    stack.ecr_events().await.invoke(&batch(&[push("my-org/api", "1.0.0", &digest)])).await.unwrap();
    let available = stack.charts().await;

    let fake = FakeRegistry::start().await;
    let function = stack.ecr_events_at(&fake.url()).await;
    let unknown = json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]});
    for (status, body) in [
        (401, unknown.clone()),
        (403, unknown.clone()),
        (429, unknown.clone()),
        (500, unknown.clone()),
        (404, json!("<html>not here</html>")),
        (200, json!("<html>welcome</html>")),
    ] {
        fake.answer("/v2/my-org/api/manifests/1.0.0", body).status(status);
        let answer =
            function.invoke(&batch(&[push("my-org/api", "1.0.0", &digest)])).await.unwrap();
        assert_eq!(answer, failed(&["m0"]), "{status}");
        assert_eq!(stack.charts().await, available, "{status}");
    }
    // Only from ECR does `NAME_UNKNOWN` confirm that the repository does not exist.
    let no_repository = json!({"errors": [{"code": "NAME_UNKNOWN"}]});
    fake.answer("/v2/my-org/api/manifests/1.0.0", no_repository).status(404);
    let answer = function.invoke(&batch(&[push("my-org/api", "1.0.0", &digest)])).await.unwrap();
    assert_eq!(answer, failed(&[]));
    assert_eq!(stack.charts().await, [format!("ECR my-org/api api 1.0.0 {digest} gone")]);
}
