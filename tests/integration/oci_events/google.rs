//! Google's ID tokens, signed by a key of the test.

use axum::routing::get;
use axum::{Json, Router};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{WebhookSite, authorization, push_to};
use crate::support::hostile_oidc_provider::{Signed, public_keys, token};

/// Returns the claims of a token that is right.
fn claims() -> Value {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    json!({
        "iss": "https://accounts.google.com", "aud": "https://hooks.example", "sub": "1",
        "azp": "1", "iat": now, "exp": now + 60, "email": "push@example.com",
        "email_verified": true,
    })
}

#[tokio::test]
async fn token_counts_only_with_every_claim_right() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let router = Router::new().route("/keys", get(async || Json(public_keys())));
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let site = WebhookSite::with(&[("TEST_GOOGLE_KEYS_URL", &url)]).await;
    let send = async |claims: &Value, signed| {
        let bearer = authorization(&format!("Bearer {}", token(claims, signed)));
        site.send(Method::POST, "/google", bearer, push_to("acme/tea")).await.status().as_u16()
    };
    assert_eq!(send(&claims(), Signed::Rightly).await, 202);
    assert_eq!(site.hints().await[0]["instance"], "google");
    for signed in [Signed::ByAnotherKey, Signed::WithTheSecret, Signed::Not] {
        assert_eq!(send(&claims(), signed).await, 401, "{signed:?}");
    }
    for (claim, wrong) in [
        ("iss", json!("https://accounts.example.com")),
        ("aud", json!("https://other.example")),
        ("aud", json!(["https://hooks.example", "https://other.example"])),
        ("exp", json!(1_700_000_000)),
        ("email", json!("other@example.com")),
        ("email", Value::Null),
        ("email_verified", json!(false)),
        ("email_verified", Value::Null),
    ] {
        let mut claims = claims();
        claims[claim] = wrong;
        assert_eq!(send(&claims, Signed::Rightly).await, 401, "{claims}");
    }
    assert!(site.hints().await.is_empty());
    server.abort();
}
