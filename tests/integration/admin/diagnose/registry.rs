//! Names the registry's refusal, and the login that it wants.

use serde_json::{Value, json};
use tests::moto::Moto;
use tests::registry;

use crate::support::diagnosis_site::{DiagnosisSite, api, one_chart, with};
use crate::support::stack::instance;

#[tokio::test]
async fn what_a_registry_refuses_is_named_and_right_afterwards() {
    let moto = Moto::start().await.unwrap();
    let desk =
        DiagnosisSite::with(&[("AWS_ENDPOINT_URL_SECRETS_MANAGER", moto.settings()[0].1)], &[])
            .await;
    let fake = one_chart().await;
    let (url, reference) = (fake.url(), api(&fake));
    desk.poll(&instance(&url)).await;
    desk.expect_ok(&reference).await;

    let tags = || fake.tags("team/api", &["1.0.0"]);
    tags().status(403);
    desk.expect(&reference, "authorized", "403 Forbidden", "oci.credentialsSecretArn").await;
    tags().status(429);
    desk.expect(&reference, "reachable", "429 Too Many Requests", "oci.pollInterval").await;
    tags().status(503);
    desk.expect(&reference, "reachable", "503 Service Unavailable", "registry's own log").await;
    tags().status(404);
    desk.expect(
        &reference,
        "listed",
        "shows no repository team/api",
        "mistype in the repository's name",
    )
    .await;
    // A long list is done without; where nothing comes at all it is the registry.
    tags().hang();
    let slow = desk.ask(&reference).await;
    assert_eq!(
        (&slow["verdict"], &slow["steps"][3]["ok"]),
        (&json!("ok"), &Value::Null),
        "{slow:#}"
    );
    fake.chart("team/api", "1.0.0", "x").hang();
    desk.expect(&reference, "reachable", "no complete answer within 10 s", "overloaded").await;
    tags();
    fake.chart("team/api", "1.0.0", "x");
    // A catalog that does not come is done without as well.
    fake.catalog(&["team/api"]).hang();
    assert_eq!(desk.ask(&reference).await["verdict"], "ok");
    fake.catalog(&["team/api"]);
    desk.expect_ok(&reference).await;
    // Where it shows only later, it is the same cause.
    fake.chart("team/api", "1.0.0", "x").status(403);
    desk.expect(
        &reference,
        "authorized",
        "manifests/1.0.0 answered 403",
        "oci.credentialsSecretArn",
    )
    .await;
    fake.chart("team/api", "1.0.0", "x").status(404);
    desk.expect(&reference, "tag", "404 Not Found", "mistype").await;
    fake.chart("team/api", "1.0.0", "x");
    fake.tags("team/api", &["1.0.1"]);
    desk.expect(
        &reference,
        "tag",
        "list of tags does not name it",
        "why the registry leaves it out",
    )
    .await;

    // A login is wanted: the secret is wrong, then not there, then right.
    let registry =
        tests::registry::Registry::start_with(registry::Options { login: true, on_disk: false })
            .await
            .unwrap();
    let pusher = tests::push::Pusher::as_user(registry.host(), registry::USER).unwrap();
    pusher.push_chart("team/api", "1.0.0", "x").await.unwrap();
    let (url, reference) =
        (registry.url().unwrap().to_string(), format!("{}/team/api:1.0.0", registry.host()));
    desk.poll(&instance(&url)).await;
    desk.expect(&reference, "authorized", "401 Unauthorized", "into oci.credentialsSecretArn")
        .await;
    let secret = async |name: &str, password: &str| {
        moto.create_secret(name, &json!({"username": registry::USER.0, "password": password}))
            .await
            .unwrap()
    };
    let (wrong, right) = (secret("wrong", "x").await, secret("right", registry::USER.1).await);
    desk.poll(&with(&url, &json!({"credentialsSecretArn": wrong}))).await;
    desk.expect(&reference, "authorized", "401 Unauthorized", "Renew what is in the secret").await;
    desk.poll(&with(
        &url,
        &json!({"credentialsSecretArn":
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:none"}),
    ))
    .await;
    desk.expect(
        &reference,
        "authorized",
        "oci.credentialsSecretArn cannot be used",
        "secretsmanager:GetSecretValue",
    )
    .await;
    desk.poll(&with(&url, &json!({"credentialsSecretArn": right, "caFile": "/nowhere.pem"}))).await;
    desk.expect(&reference, "reachable", "oci.caFile cannot be used", "oci.caFile").await;
    desk.poll(&with(&url, &json!({"credentialsSecretArn": right}))).await;
    desk.expect_ok(&reference).await;
}
