//! The diagnosis names the setting that excludes a chart, or the missing instance.

use serde_json::{Value, json};

use crate::support::diagnosis_site::{DiagnosisSite, api, one_chart, step, with};
use crate::support::stack::{count, instance};

#[tokio::test]
async fn filters_that_leave_a_repository_out_are_named() {
    let site = DiagnosisSite::new().await;
    let fake = one_chart().await;
    let (url, reference) = (fake.url(), api(&fake));
    site.expect(&reference, "instance", "No instance has run yet", "configure an instance").await;
    for (settings, detail, remedy) in [
        (json!({"exclude": ["team/*"]}), "oci.exclude leaves team/api out", "oci.exclude"),
        (json!({"repositories": ["other/*"]}), "oci.repositories has neither", "Add \"team/api\""),
    ] {
        site.poll(&with(&url, &settings)).await;
        site.expect(&reference, "listed", detail, remedy).await;
    }
    site.poll(&with(&url, &json!({"repositories": ["other/*", "team/api"]}))).await;
    site.expect_ok(&reference).await;
}

#[tokio::test]
async fn repository_outside_the_catalog_must_be_named_in_the_settings() {
    let site = DiagnosisSite::new().await;
    let fake = one_chart().await;
    let (url, reference) = (fake.url(), api(&fake));
    for (status, detail) in [
        (404, "no catalog"),
        (401, "no catalog"),
        (405, "no catalog"),
        (200, "lists 0 repositories"),
    ] {
        fake.catalog(&[]).status(status);
        site.poll(&instance(&url)).await;
        let remedy = "Name \"team/api\" in the instance's oci.repositories";
        site.expect(&reference, "listed", detail, remedy).await;
    }
    site.poll(&with(&url, &json!({"repositories": ["team/api"]}))).await;
    site.expect_ok(&reference).await;
}

#[tokio::test]
async fn registry_without_an_instance_is_named() {
    let site = DiagnosisSite::new().await;
    let fake = one_chart().await;
    let url = fake.url();
    site.poll(&instance(&url)).await;
    let watched = format!("Watched registries: {url}");
    let cause =
        site.expect("quay.io/team/api:1", "instance", &watched, "instance for quay.io").await;
    assert!(cause.detail.contains("quay.io"), "{cause:?}");
}

#[tokio::test]
async fn registry_with_a_domain_of_its_own_is_found_by_both_names() {
    let site = DiagnosisSite::new().await;
    let fake = one_chart().await;
    let (by_domain, by_address) = ("registry.example.com/team/api:1.0.0", api(&fake));
    site.poll(&with("http://127.0.0.1:1", &json!({"domain": "registry.example.com"}))).await;
    site.expect(by_domain, "reachable", "http://127.0.0.1:1", "oci.registryUrl").await;
    let settings = json!({"domain": "registry.example.com", "repositories": ["team/api"]});
    site.poll(&with(&fake.url(), &settings)).await;
    site.expect_ok(by_domain).await;
    // The rows have the domain as the registry's name. The address finds them as well.
    site.expect_ok(&by_address).await;
}

#[tokio::test]
async fn instance_that_names_the_repository_is_chosen_among_several() {
    let site = DiagnosisSite::new().await;
    let fake = one_chart().await;
    fake.catalog(&[]).status(404);
    let team_api = json!({"repositories": ["team/api"]});
    for (name, settings) in
        [("test", &team_api), ("a", &json!({})), ("b", &team_api), ("0", &team_api)]
    {
        site.poll(&named(name, &with(&fake.url(), settings))).await;
    }
    // The configuration no longer has an instance that has not run for days.
    let long_ago = "UPDATE discovery_instances
        SET last_started_at = now() - interval '9 days', last_succeeded_at = NULL
        WHERE name IN ('0', 'test')";
    site.stack.rows.execute(long_ago, &[]).await.unwrap();
    let diagnosis = site.ask(&api(&fake)).await;
    let chosen = &step(&diagnosis, "instance")["detail"];
    assert_eq!(chosen, "The instance b watches it, with the function oci-poll.", "{diagnosis:#}");
}

/// Fault 47.
#[tokio::test]
async fn chart_under_a_former_name_is_an_orphan_and_the_remedy_ends_it() {
    let fake = one_chart().await;
    let site = DiagnosisSite::new().await;
    for domain in ["https://one.example", "https://two.example"] {
        site.poll(&with(&fake.url(), &json!({"domain": domain}))).await;
    }
    let reference = "one.example/team/api:1.0.0";
    let detail = "No instance watches one.example";
    let cause = site.expect(reference, "instance", detail, "which are orphans").await;
    site.follow(&cause.remedy).await;
    site.expect(reference, "instance", detail, "Look for a mistype").await;
    let left = "SELECT count(*) FROM helm_charts WHERE available";
    assert_eq!(count(&site.stack.rows, left).await, 1);
}

#[tokio::test]
async fn docker_io_is_looked_up_as_written_before_its_alias() {
    let site = DiagnosisSite::new().await;
    let fake = one_chart().await;
    let settings = json!({"domain": "docker.io", "repositories": ["team/api"]});
    site.poll(&named("hub", &with(&fake.url(), &settings))).await;
    assert_eq!(site.ask("docker.io/team/api:1.0.0").await["verdict"], "ok");
    site.expect(
        "index.docker.io/team/api:1.0.0",
        "instance",
        "registry-1.docker.io",
        "instance for registry-1.docker.io",
    )
    .await;
}

/// Returns the instance under another name.
fn named(name: &str, instance: &Value) -> Value {
    let mut instance = instance.clone();
    instance["name"] = json!(name);
    instance
}
