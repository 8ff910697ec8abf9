//! Wrong proofs, and secrets that rotate or cannot be read.

use reqwest::{Method, StatusCode};
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
    // The failure counts for some seconds, so that it does not cost a read per webhook.
    let mut answers = vec![site.post(body.clone()).await];
    while answers.last() != Some(&StatusCode::ACCEPTED) {
        assert_eq!(answers.last(), Some(&StatusCode::SERVICE_UNAVAILABLE));
        answers.push(site.post(body.clone()).await);
    }
    assert_eq!((answers[0], site.hints().await.len()), (StatusCode::SERVICE_UNAVAILABLE, 1));
}
