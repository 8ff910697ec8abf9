//! The credentials that the client sends to the registry, and to the realm that it names.

use serde_json::json;
use shared::oci::{Client, Error, Login, Reason};

use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_client::{anonymous, client};

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

/// The Basic credentials `puller:letmein`.
const PASSWORD: &str = "Basic cHVsbGVyOmxldG1laW4=";

fn with_password(fake: &FakeRegistry) -> Client {
    let (username, password) = ("puller".to_owned(), "letmein".to_owned());
    client(&fake.url(), Login::Password { username, password })
}

async fn list_error(client: &Client) -> Error {
    client.list_tags(&"a".parse().unwrap()).await.unwrap_err()
}

/// Returns the error with its causes.
fn said(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        said = format!("{said}: {inner}");
        cause = inner.source();
    }
    said
}

/// Makes a registry with a Bearer challenge that issues the tokens `catalog` and `pull`.
fn issue_tokens(fake: &FakeRegistry) -> String {
    let challenge = format!("Bearer realm=\"{}/token\",service=\"fake\"", fake.url());
    fake.answer("/v2/", json!("")).needs("Bearer base", &challenge);
    for (scope, token) in [("registry%3Acatalog%3A*", "catalog"), ("repository%3Aa%3Apull", "pull")]
    {
        fake.answer(&format!("/token?scope={scope}&service=fake"), json!({"token": token}))
            .needs(PASSWORD, "Basic realm=\"x\"");
    }
    challenge
}

/// Case from the field 24.
#[tokio::test]
async fn password_is_used_although_anonymous_callers_are_served() {
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0"]);
    // zot's header, and none.
    for challenge in [Some("basic realm="), None] {
        let base = fake.answer("/v2/", json!("")).status(200);
        if let Some(challenge) = challenge {
            base.header("www-authenticate", challenge);
        }
        let before = fake.asked().len();
        let client = with_password(&fake);
        for _ in 0..2 {
            client.list_repositories(None).next().await.unwrap();
            tags(&client).await;
        }
        let asked = fake.asked().split_off(before);
        let sent: Vec<_> = asked.iter().map(|asked| asked.authorization.as_deref()).collect();
        let with = Some(PASSWORD);
        assert_eq!(sent, [None, with, with, with, with], "{challenge:?}");
        assert_eq!(asked[0].path, "/v2/");
    }
}

/// Case from the field 24.
#[tokio::test]
async fn tokens_are_used_although_anonymous_callers_are_served() {
    let fake = FakeRegistry::start().await;
    issue_tokens(&fake);
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0"]);
    let client = with_password(&fake);
    client.list_repositories(None).next().await.unwrap();
    tags(&client).await;
    let sent = |path: &str| {
        let asked = fake.asked().into_iter().find(|asked| asked.path.starts_with(path));
        asked.unwrap().authorization
    };
    assert_eq!(sent("/v2/_catalog").as_deref(), Some("Bearer catalog"));
    assert_eq!(sent("/v2/a/tags").as_deref(), Some("Bearer pull"));
    assert_eq!(fake.asked().len(), 5);
}

/// Cases from the field 24 and 25.
#[tokio::test]
async fn wrong_credentials_are_told_from_missing_rights() {
    let fake = FakeRegistry::start().await;
    let basic = "Basic realm=\"x\"";
    fake.tags("a", &["1.0.0"]).needs("Basic other", basic);
    fake.answer("/v2/", json!("")).needs("Basic other", basic);
    let client = with_password(&fake);
    for _ in 0..3 {
        let error = list_error(&client).await;
        assert!(error.is_credentials_refused(), "{error}");
        let expected = "/v2/ refuses the credentials of oci.credentialsSecretArn: it answered 401";
        assert!(said(&error).contains(expected), "{error}");
    }
    assert_eq!(fake.count("GET", "/v2/") - fake.count("GET", "/tags/"), 2);

    fake.answer("/v2/", json!("")).needs(PASSWORD, basic);
    let error = list_error(&with_password(&fake)).await;
    assert_eq!(error.reason(), Some(&Reason::NotPermitted), "{error}");
    assert!(said(&error).contains("are accepted and do not permit this"), "{error}");
}

/// Cases from the field 24 and 25.
#[tokio::test]
async fn realm_that_refuses_the_password_is_named() {
    let fake = FakeRegistry::start().await;
    issue_tokens(&fake);
    for token in ["/token?scope=repository%3Aa%3Apull&service=fake", "/token?service=fake"] {
        let denied = json!({"errors": [{"code": "DENIED"}]});
        fake.answer(token, denied).status(403);
    }
    let error = list_error(&with_password(&fake)).await;
    assert!(error.is_credentials_refused(), "{error}");
    let expected = "/token refuses the credentials of oci.credentialsSecretArn: it answered 403";
    assert!(said(&error).contains(expected), "{error}");

    // Without a scope, the realm accepts the password.
    fake.answer("/token?service=fake", json!({"token": "x"}));
    let error = list_error(&with_password(&fake)).await;
    assert_eq!(error.reason(), Some(&Reason::NotPermitted), "{error}");
}

/// Case from the field 27.
#[tokio::test]
async fn harbor_takes_the_password_for_the_catalog_and_tokens_for_repositories() {
    let fake = FakeRegistry::start().await;
    let challenge = issue_tokens(&fake);
    fake.catalog(&["a"]).needs(PASSWORD, "Basic realm=\"harbor\"");
    fake.tags("a", &["1.0.0"]).needs("Bearer pull", &challenge);
    let client = with_password(&fake);
    for requests in [4, 1] {
        let before = fake.asked().len();
        let page = client.list_repositories(None).next().await.unwrap().unwrap();
        assert_eq!((page.names.len(), fake.asked().len() - before), (1, requests));
    }
    assert_eq!(tags(&client).await, ["1.0.0"]);
}

/// Case from the field 28.
#[tokio::test]
async fn realm_that_does_not_answer_is_named() {
    let fake = FakeRegistry::start().await;
    fake.tags("a", &[]).needs("Bearer x", "Bearer realm=\"http://127.0.0.1:1/down\"");
    let error = list_error(&anonymous(&fake.url())).await;
    assert!(said(&error).contains("realm http://127.0.0.1:1/down issues no token"), "{error}");

    let realm = format!("{}/hangs", fake.url());
    fake.tags("a", &[]).needs("Bearer x", &format!("Bearer realm=\"{realm}\""));
    fake.answer("/hangs?scope=repository%3Aa%3Apull", json!("")).hang();
    let said = said(&list_error(&anonymous(&fake.url())).await);
    assert!(said.contains(&format!("realm {realm} issues no token")), "{said}");
    assert!(said.contains("gave no complete answer within 10 s"), "{said}");
}

/// Case from the field 15.
#[tokio::test]
async fn http_registry_that_redirects_to_https_is_told_apart() {
    let fake = FakeRegistry::start().await;
    for path in ["/v2/", "/v2/a/tags/list?n=1000"] {
        fake.answer(path, json!("")).status(301).header("location", "https://127.0.0.1:1/v2/");
    }
    for client in [anonymous(&fake.url()), with_password(&fake)] {
        let said = said(&list_error(&client).await);
        let expected = "answers there, so change registryUrl to https://127.0.0.1:1";
        assert!(said.ends_with(expected), "{said}");
    }
    assert!(fake.asked().iter().all(|asked| asked.authorization.is_none()));
}

/// Case from the field 16.
#[tokio::test]
async fn wrong_address_or_challenge_is_named_in_the_error() {
    let fake = FakeRegistry::start().await;
    let client = anonymous(&format!("{}/my-org", fake.url()));
    let text = said(&list_error(&client).await);
    assert!(text.contains("no registry seems to answer below \"/my-org\""), "{text}");

    let client = anonymous(&fake.url());
    for (challenge, expected) in [
        ("Negotiate", "it asks for a login by \"Negotiate\""),
        ("Bearer service=x", "its Bearer challenge names no realm"),
        ("Bearer realm=\"http://\"", "its realm \"http://\" is no address"),
    ] {
        fake.tags("a", &[]).needs("x", challenge);
        let text = said(&list_error(&client).await);
        assert!(text.contains(expected), "{text}");
    }
    // These two are understood.
    fake.answer("/token?scope=repository%3Aa%3Apull", json!({"token": "pull"}));
    for realm in ["/token".to_owned(), format!("{}/token", fake.url())] {
        fake.tags("a", &["1.0.0"]).needs("Bearer pull", &format!("Bearer realm={realm}"));
        assert_eq!(tags(&anonymous(&fake.url())).await, ["1.0.0"], "{realm}");
    }
}

/// Case from the field 18.
#[tokio::test]
async fn private_or_missing_repository_needs_credentials() {
    let fake = FakeRegistry::start().await;
    let challenge = format!("Bearer realm=\"{}/token\"", fake.url());
    fake.tags("a", &["1.0.0"]).needs("Bearer pull", &challenge);
    let denied = json!({"errors": [{"code": "UNAUTHORIZED"}]});
    fake.answer("/token?scope=repository%3Aa%3Apull", denied).status(401);
    let error = list_error(&anonymous(&fake.url())).await;
    assert_eq!(error.reason(), Some(&Reason::NoCredentials), "{error}");
    assert!(said(&error).contains("it is private or not there"), "{error}");
    assert!(!error.is_credentials_refused() && !error.is_unreachable());
}
