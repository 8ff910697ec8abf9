//! Artifact Registry's lists of packages. The fake follows Google's documents, and checks the
//! signature of the assertion.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::CoreRsaPrivateSigningKey;
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::vendor_site::{VendorSite, only_error};

/// A key that is used for nothing else.
const KEY: &str = include_str!("../../support/service_account_key.pem");

const FIRST: &str =
    "/v1/projects/my-project/locations/us/repositories/charts/packages?pageSize=1000";

fn packages(names: &[&str], next: &str) -> Value {
    let place = "projects/my-project/locations/us/repositories/charts/packages";
    let time = "2026-01-02T03:04:05.123456Z";
    let package = |name: &&str| json!({"name": format!("{place}/{name}"), "updateTime": time});
    json!({"packages": names.iter().map(package).collect::<Vec<Value>>(), "nextPageToken": next})
}

/// Starts a site whose secret has a key that is exchanged at the API's own host.
async fn site() -> VendorSite {
    let mut site = VendorSite::start("artifactRegistry", json!({"apiToken": "replaced"})).await;
    let key = json!({"type": "service_account", "client_email": "reader@my-project.example",
        "private_key": KEY, "private_key_id": "k1", "token_uri": format!("{}/token",
        site.api.url())});
    let secret = json!({"username": "_json_key", "password": key.to_string()});
    site.replace_secret(&secret).await;
    site.set("namespaces", json!(["my-project/us/charts"]));
    site
}

#[tokio::test]
async fn key_of_a_service_account_is_exchanged_and_names_are_decoded() {
    let site = site().await;
    site.push(&["my-project/charts/tea", "my-project/charts/deep/cups"]);
    site.api.answer("/token", json!({"access_token": "ya29", "expires_in": 3599}));
    site.api.answer(FIRST, packages(&["tea"], "a/b=")).needs("Bearer ya29", "Bearer");
    let next = format!("{FIRST}&pageToken=a%2Fb%3D");
    site.api.answer(&next, packages(&["deep%2Fcups"], "")).needs("Bearer ya29", "Bearer");
    assert_summary!(site.poll().await, added = 2, complete = true);
    assert_summary!(site.poll().await, added = 0, complete = true);
    assert_eq!(site.api.count("POST", "/token"), 1, "the access token is kept");
    check_assertion(&site);
}

/// Checks the assertion that the fake received: its claims, and its signature by the key.
fn check_assertion(site: &VendorSite) {
    let asked = site.api.asked().into_iter();
    let body = asked.map(|asked| asked.body).find(|body| body.contains("assertion=")).unwrap();
    assert!(body.starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&"));
    let assertion = body.split("assertion=").nth(1).unwrap();
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, claims, signature]: [&str; 3] = parts.try_into().unwrap();
    let read = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(read(header), json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
    let claims_read = read(claims);
    assert_eq!(claims_read["iss"], "reader@my-project.example");
    assert_eq!(claims_read["aud"], json!(format!("{}/token", site.api.url())));
    let valid = claims_read["exp"].as_i64().unwrap() - claims_read["iat"].as_i64().unwrap();
    assert!(valid > 0 && Duration::from_secs(valid.unsigned_abs()) <= Duration::from_hours(1));
    // An RSA signature with PKCS#1 padding is the same whenever it is made.
    let pem = include_str!("../../support/service_account_key_pkcs1.pem");
    let key = CoreRsaPrivateSigningKey::from_pem(pem, Some(JsonWebKeyId::new("k1".to_owned())));
    let signed = format!("{header}.{claims}");
    let algorithm = openidconnect::core::CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    let expected = key.unwrap().sign(&algorithm, signed.as_bytes()).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap(), expected);
}

#[tokio::test]
async fn unusable_key_is_an_error_that_quotes_nothing_of_it() {
    let site = site().await;
    let key = |token_uri: &str, private_key: &str| {
        json!({"client_email": "x", "private_key": private_key, "token_uri": token_uri}).to_string()
    };
    let own = format!("{}/token", site.api.url());
    for (password, expected) in [
        ("letmein".to_owned(), "it must be the whole JSON file"),
        (key("https://googleapis.com.evil.example/token", KEY), "not below https://googleapis"),
        (key("http://oauth2.googleapis.com/token", KEY), "not below https://googleapis"),
        (key(&own, "secret"), "private_key cannot be used"),
        (key(&own, KEY), "The key is wrong, or it was deleted or disabled"),
    ] {
        site.api.answer("/token", json!({"error": "invalid_grant"})).status(400);
        let secret = json!({"username": "_json_key", "password": password});
        site.replace_secret(&secret).await;
        let summary = site.poll().await;
        let error = only_error(&summary);
        assert!(error.contains(expected) && !error.contains("secret\""), "{expected}: {error}");
        assert!(!error.contains("letmein") && !error.contains("PRIVATE"), "{error}");
    }
    assert_eq!(site.api.count("", "/v1/"), 0);
}

#[tokio::test]
async fn namespaces_and_the_role_are_named() {
    let mut site = site().await;
    site.api.answer("/token", json!({"access_token": "ya29"}));
    site.api.answer(FIRST, json!({"error": {"code": 403}})).status(403);
    assert!(only_error(&site.poll().await).contains("roles/artifactregistry.reader"));
    site.set("namespaces", Value::Null);
    assert!(only_error(&site.poll().await).contains("project/location/repository"));
}
