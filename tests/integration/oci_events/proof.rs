//! Wrong proofs, and secrets that rotate or cannot be read.

use reqwest::Method;
use serde_json::json;

use super::{SECRET, WebhookSite, authorization, headers, push_to};

#[tokio::test]
async fn wrong_proof_is_answered_with_401_and_nothing_else() {
    let site = WebhookSite::new().await;
    let body = push_to("acme/tea");
    for (path, headers) in [
        ("/sample", headers(&[])),
        ("/sample", authorization("other")),
        ("/sample", authorization("")),
        ("/sample/", headers(&[])),
        ("/sample/other", headers(&[])),
        ("/unknown", authorization(SECRET)),
        ("/", authorization(SECRET)),
        ("/google", authorization(SECRET)),
        ("/google", authorization(&format!("Bearer {SECRET}"))),
        ("/sample", headers(&[("x-hub-signature-256", "sha256=")])),
        ("/sample", headers(&[("x-gitlab-token", "other")])),
    ] {
        let answer = site.send(Method::POST, path, headers, body.clone()).await;
        assert_eq!(answer.status(), 401, "{path}");
        assert!(answer.text().await.unwrap().is_empty(), "{path}");
    }
    assert!(site.hints().await.is_empty());
}

#[tokio::test]
async fn unreadable_secret_is_no_proof() {
    let site = WebhookSite::new().await;
    let body = push_to("acme/tea");
    let answer = site.send(Method::POST, "/broken", authorization(SECRET), body.clone()).await;
    assert_eq!(answer.status(), 503);
    site.moto.put_secret(&site.secret_arn, &json!({"secret": ""})).await.unwrap();
    assert_eq!(site.post(body.clone()).await, 503);
    let answer = site.send(Method::POST, "/sample", authorization(""), body.clone()).await;
    assert_eq!(answer.status(), 401);
    site.moto.put_secret(&site.secret_arn, &json!({"secret": SECRET})).await.unwrap();
    assert_eq!(site.post(body).await, 202);
    assert_eq!(site.hints().await.len(), 1);
}
