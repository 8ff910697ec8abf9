//! What is refused before a body is read, and what happens without the queue.

use reqwest::Method;
use serde_json::json;
use tests::function::Function;

use super::{SECRET, WebhookSite, authorization, headers, push_to};

#[tokio::test]
async fn large_body_and_other_methods_are_refused() {
    let site = WebhookSite::new().await;
    assert_eq!(site.post(vec![b' '; 256 * 1024 + 1]).await, 413);
    assert_eq!(site.post(vec![b' '; 256 * 1024]).await, 202);
    assert_eq!(site.hints().await.len(), 1);
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::HEAD, Method::PATCH] {
        let answer = site.send(method.clone(), "/sample", authorization(SECRET), "").await;
        assert_eq!(answer.status(), 405, "{method}");
    }
    assert_eq!(site.hints().await, [] as [serde_json::Value; 0]);
}

#[tokio::test]
async fn event_grid_may_ask_before_it_sends() {
    let site = WebhookSite::new().await;
    let origin = headers(&[("webhook-request-origin", "eventgrid.azure.net")]);
    let path = format!("/sample/{SECRET}");
    let answer = site.send(Method::OPTIONS, &path, origin.clone(), "").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["webhook-allowed-origin"], "eventgrid.azure.net");
    assert_eq!(answer.headers()["webhook-allowed-rate"], "*");
    let answer = site.send(Method::OPTIONS, "/sample/other", origin, "").await;
    assert_eq!(answer.status(), 401);
    let answer = site.send(Method::OPTIONS, &path, headers(&[]), "").await;
    assert_eq!(answer.status(), 405);
}

#[tokio::test]
async fn webhook_is_refused_while_the_queue_is_away() {
    let site = WebhookSite::with(&[("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")]).await;
    assert_eq!(site.post(push_to("acme/tea")).await, 503);
    assert_eq!(site.post(json!({"action": "ping"}).to_string()).await, 200);
    let log = site.function.log().concat();
    assert!(log.contains("the hints were not sent") && !log.contains(SECRET), "{log}");
}

#[tokio::test]
async fn unusable_setting_is_named_in_one_line() {
    let queue = ("HINT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/hints");
    for (settings, said) in [
        (vec![queue], "oci-events: WEBHOOKS is not set"),
        (vec![queue, ("WEBHOOKS", "hunter2")], "oci-events: WEBHOOKS cannot be used"),
        (
            vec![("WEBHOOKS", r#"{"a":{"secretArn":"arn:a"}}"#)],
            "oci-events: HINT_QUEUE_URL is not set",
        ),
    ] {
        let function = Function::start("oci-events", &settings).await.unwrap();
        let (status, lines) = function.wait().await.unwrap();
        assert!(!status.success() && lines.len() == 1, "{lines:?}");
        assert!(lines[0].starts_with(said) && !lines[0].contains("hunter2"), "{lines:?}");
    }
}
