//! The diagnosis names a registry that refuses, does not answer, or requires a login.

use serde_json::{Value, json};
use tests::moto::Moto;
use tests::push::Pusher;
use tests::registry::{self, Registry};

use crate::support::assert_summary::assert_summary;
use crate::support::diagnosis_site::{DiagnosisSite, api, one_chart, step, with};
use crate::support::stack::instance;

#[tokio::test]
async fn refused_list_of_tags_is_named() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    let reference = api(&fake);
    site.expect_ok(&reference).await;
    for (status, id, detail, remedy) in [
        (403, "authorized", "403 Forbidden", "oci.credentialsSecretArn"),
        (429, "reachable", "429 Too Many Requests", "oci.pollInterval"),
        (503, "reachable", "503 Service Unavailable", "registry's own log"),
        (404, "listed", "shows no repository team/api", "mistype in the repository's name"),
    ] {
        fake.tags("team/api", &["1.0.0"]).status(status);
        site.expect(&reference, id, detail, remedy).await;
    }
}

#[tokio::test]
async fn slow_lists_do_not_fail_the_diagnosis() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    let reference = api(&fake);
    fake.tags("team/api", &["1.0.0"]).hang();
    let slow = site.ask(&reference).await;
    assert_eq!(slow["verdict"], "ok", "{slow:#}");
    assert_summary!(step(&slow, "listed"), ok = Value::Null, "the list of tags hangs");

    fake.tags("team/api", &["1.0.0"]);
    fake.catalog(&["team/api"]).hang();
    assert_eq!(site.ask(&reference).await["verdict"], "ok");
    fake.catalog(&["team/api"]);
    site.expect_ok(&reference).await;
}

#[tokio::test]
async fn registry_that_answers_nothing_is_named() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    let reference = api(&fake);
    fake.tags("team/api", &["1.0.0"]).hang();
    fake.chart("team/api", "1.0.0", "x").hang();
    site.expect(&reference, "reachable", "no complete answer within 10 s", "overloaded").await;
}

#[tokio::test]
async fn refused_manifest_is_named() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    let reference = api(&fake);
    fake.chart("team/api", "1.0.0", "x").status(403);
    let refused = "manifests/1.0.0 answered 403";
    site.expect(&reference, "authorized", refused, "oci.credentialsSecretArn").await;
    fake.chart("team/api", "1.0.0", "x").status(404);
    site.expect(&reference, "tag", "404 Not Found", "mistype").await;
    fake.chart("team/api", "1.0.0", "x");
    fake.tags("team/api", &["1.0.1"]);
    let unlisted = "list of tags does not name it";
    site.expect(&reference, "tag", unlisted, "why the registry leaves it out").await;
}

/// Case 3 from the field.
#[tokio::test]
async fn unconfirmed_absence_is_dated() {
    let fake = one_chart().await;
    let site = DiagnosisSite::polling(&fake).await;
    let reference = api(&fake);
    fake.tags("team/api", &[]);
    fake.answer("/v2/team/api/manifests/1.0.0", json!("<html>")).status(404);
    assert_eq!(site.poll(&instance(&fake.url())).await["held"], 1);
    let since = "UPDATE observations SET missing_since = '2026-11-22 12:00 UTC'";
    site.stack.rows.execute(since, &[]).await.unwrap();
    let diagnosis = site.ask(&reference).await;
    assert_eq!(diagnosis["verdict"], "tag", "{diagnosis:#}");
    let detail = step(&diagnosis, "row")["detail"].as_str().unwrap().to_owned();
    let dates = "unconfirmed absence since 2026-11-22 12:00 UTC, believed at 2026-11-22 13:00 UTC";
    assert!(detail.contains(dates), "{detail}");
}

#[tokio::test]
async fn unusable_credentials_are_named() {
    let moto = Moto::start().await.unwrap();
    let secrets = ("AWS_ENDPOINT_URL_SECRETS_MANAGER", moto.settings()[0].1);
    let site = DiagnosisSite::with(&[secrets], &[]).await;
    let registry = registry_with_login().await;
    let (url, reference) =
        (registry.url().unwrap().to_string(), format!("{}/team/api:1.0.0", registry.host()));
    site.poll(&instance(&url)).await;
    let remedy = "into oci.credentialsSecretArn";
    site.expect(&reference, "authorized", "401 Unauthorized", remedy).await;

    let secret = async |name: &str, password: &str| {
        let secret = json!({"username": registry::USER.0, "password": password});
        moto.create_secret(name, &secret).await.unwrap()
    };
    let (wrong, right) = (secret("wrong", "x").await, secret("right", registry::USER.1).await);
    let none = "arn:aws:secretsmanager:us-east-1:123456789012:secret:none";
    let unusable = "oci.credentialsSecretArn cannot be used";
    for (arn, detail, remedy) in [
        (wrong.as_str(), "401 Unauthorized", "Renew the credentials in the secret"),
        (none, unusable, "secretsmanager:GetSecretValue"),
    ] {
        site.poll(&with(&url, &json!({"credentialsSecretArn": arn}))).await;
        site.expect(&reference, "authorized", detail, remedy).await;
    }
    site.poll(&with(&url, &json!({"credentialsSecretArn": right, "caFile": "/nowhere.pem"}))).await;
    site.expect(&reference, "reachable", "oci.caFile cannot be used", "oci.caFile").await;
    site.poll(&with(&url, &json!({"credentialsSecretArn": right}))).await;
    site.expect_ok(&reference).await;
}

/// Starts a registry that requires a login and has one chart.
async fn registry_with_login() -> Registry {
    let options = registry::Options { login: true, on_disk: false };
    let registry = Registry::start_with(options).await.unwrap();
    let pusher = Pusher::as_user(registry.host(), registry::USER.0, registry::USER.1).unwrap();
    pusher.push_chart("team/api", "1.0.0", "x").await.unwrap();
    registry
}
