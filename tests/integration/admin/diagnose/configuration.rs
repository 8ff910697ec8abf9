//! Names the setting that keeps a chart out.

use serde_json::{Value, json};

use crate::support::diagnosis_site::{DiagnosisSite, api, one_chart, with};
use crate::support::stack::instance;

#[tokio::test]
async fn what_is_configured_wrongly_is_named_and_right_afterwards() {
    let desk = DiagnosisSite::new().await;
    let fake = one_chart().await;
    let (url, reference) = (fake.url(), api(&fake));
    desk.expect(&reference, "instance", "No instance has run yet", "configure an instance").await;

    // Not followed.
    for (settings, detail, remedy) in [
        (json!({"exclude": ["team/*"]}), "oci.exclude leaves team/api out", "oci.exclude"),
        (json!({"repositories": ["other/*"]}), "oci.repositories has neither", "Add \"team/api\""),
    ] {
        desk.poll(&with(&url, &settings)).await;
        desk.expect(&reference, "listed", detail, remedy).await;
    }
    desk.poll(&with(&url, &json!({"repositories": ["other/*", "team/api"]}))).await;
    desk.expect_ok(&reference).await;

    // Listed by no catalog, for one reason or another: followed by its name.
    for (status, detail) in [
        (404, "no catalog"),
        (401, "no catalog"),
        (405, "no catalog"),
        (200, "lists 0 repositories"),
    ] {
        fake.catalog(&[]).status(status);
        desk.poll(&instance(&url)).await;
        desk.expect(
            &reference,
            "listed",
            detail,
            "Name \"team/api\" in the instance's oci.repositories",
        )
        .await;
    }
    desk.poll(&with(&url, &json!({"repositories": ["team/api"]}))).await;
    desk.expect_ok(&reference).await;

    // Another registry.
    let cause = desk
        .expect(
            "quay.io/team/api:1",
            "instance",
            &format!("Watched are {url}"),
            "instance for quay.io",
        )
        .await;
    assert!(cause.detail.contains("quay.io"), "{cause:?}");
    let gone = with("http://127.0.0.1:1", &json!({"domain": "registry.example.com"}));
    desk.poll(&gone).await;
    desk.expect(
        "registry.example.com/team/api:1.0.0",
        "reachable",
        "http://127.0.0.1:1",
        "oci.registryUrl",
    )
    .await;
    desk.poll(&with(
        &url,
        &json!({"domain": "registry.example.com", "repositories": ["team/api"]}),
    ))
    .await;
    desk.expect_ok("registry.example.com/team/api:1.0.0").await;
    // By its address as well; the rows are found under their own name.
    desk.expect_ok(&reference).await;

    // Of several instances the one that names it, whatever comes first by name; and none that was
    // removed.
    let named = |name: &str, settings: Value| {
        let mut instance = with(&url, &settings);
        instance["name"] = json!(name);
        instance
    };
    fake.catalog(&[]).status(404);
    desk.poll(&named("a", json!({}))).await;
    desk.poll(&named("b", json!({"repositories": ["team/api"]}))).await;
    desk.poll(&named("0", json!({"repositories": ["team/api"]}))).await;
    let long_ago = "UPDATE discovery_instances SET last_started_at = now() - interval '9 days', \
         last_succeeded_at = NULL
        WHERE name IN ('0', 'test')";
    desk.stack.rows.execute(long_ago, &[]).await.unwrap();
    let diagnosis = desk.ask(&reference).await;
    assert_eq!(
        diagnosis["steps"][0]["detail"], "The instance b watches it, with the function oci-poll.",
        "{diagnosis:#}"
    );
    // A name that stands for another one is taken as it is first.
    desk.poll(&named("hub", json!({"domain": "docker.io", "repositories": ["team/api"]}))).await;
    assert_eq!(desk.ask("docker.io/team/api:1.0.0").await["verdict"], "ok");
    desk.expect(
        "index.docker.io/team/api:1.0.0",
        "instance",
        "registry-1.docker.io",
        "instance for registry-1.docker.io",
    )
    .await;
}
