//! The credentials that the client sends to the registry, and to the realm that it names.

use serde_json::json;
use shared::oci::Client;

use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_client::anonymous;

/// Cases from the field 1 and 2.
#[tokio::test]
async fn token_answers_of_docker_hub_and_harbor_are_understood() {
    let fake = FakeRegistry::start().await;
    let challenge = format!("Bearer realm=\"{}/token\",service=\"fake\"", fake.url());
    let realm = "/token?scope=repository%3Aa%3Apull&service=fake";
    for answer in [
        json!({"token": "pull", "access_token": "pull", "expires_in": 300}),
        json!({"token": "pull", "access_token": "", "expires_in": "1800"}),
        json!({"token": "", "access_token": "pull", "expires_in": -1}),
    ] {
        fake.answer(realm, answer.clone());
        fake.tags("a", &["1.0.0"]).needs("Bearer pull", &challenge);
        let tags = tags(&anonymous(&fake.url())).await;
        assert_eq!(tags, ["1.0.0"], "{answer}");
    }
}

async fn tags(client: &Client) -> Vec<String> {
    let page = client.list_tags(&"a".parse().unwrap()).await.unwrap();
    page.names.iter().map(ToString::to_string).collect()
}
