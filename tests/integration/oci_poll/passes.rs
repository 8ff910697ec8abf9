//! `oci-poll` with real registries: which charts it finds, and how many requests it makes.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tests::helm;

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, count, instance};

#[tokio::test]
async fn charts_pushed_by_helm_are_found() {
    let stack = Stack::new().await;
    let host = stack.registry.host();
    helm::push_sample("hello", "0.2.0+build.7", host, "demo").await.unwrap();
    helm::push_sample("orders", "1.0.0", host, "shop/eu").await.unwrap();
    let summary = stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();

    let charts = stack.charts().await;
    assert_eq!(charts.len(), 2, "{charts:?}");
    assert!(charts[0].starts_with("LOCAL demo/hello hello 0.2.0_build.7 sha256:"), "{charts:?}");
    assert!(charts[1].starts_with("LOCAL shop/eu/orders orders 1.0.0 sha256:"), "{charts:?}");
    assert!(charts.iter().all(|chart| chart.ends_with(" available")), "{charts:?}");
    let expected = json!({
        "instance": "test", "passes": 1, "repositories": 2, "tags": 2, "manifests": 2, "added": 2,
            "unavailable": 0,
        "broken": 0, "skipped": 0, "held": 0, "waiting": 0, "errors": [], "complete": true,
    });
    assert_eq!(summary, expected);
    // Helm writes the time of creation, and the row has this time.
    let dated =
        "SELECT count(*) FROM helm_charts AS chart JOIN observations AS seen ON seen.reference = \
         chart.image_tag
        WHERE chart.created_at BETWEEN seen.observed_at - interval '1 minute' AND seen.observed_at";
    assert_eq!(count(&stack.rows, dated).await, 2);
}

#[tokio::test]
async fn every_chart_of_a_large_registry_is_found_once_and_no_image() {
    const REPOSITORIES: usize = 150;
    const CHARTS: usize = 10;
    const IMAGES: usize = 50;
    let stack = Stack::new().await;
    let pusher = &stack.pusher;
    let charts = (0..REPOSITORIES).map(|n| async move {
        for version in 0..CHARTS {
            let (repository, tag) = (format!("team/chart-{n}"), format!("1.{version}.0"));
            pusher.push_chart(&repository, &tag, &format!("{n} {version}")).await?;
        }
        anyhow::Ok(())
    });
    stream::iter(charts).buffer_unordered(8).try_collect::<()>().await.unwrap();
    let images = (0..IMAGES).map(|n| {
        pusher.push_image("team/image", Box::leak(format!("{n}").into_boxed_str()), "image")
    });
    stream::iter(images).buffer_unordered(8).try_collect::<Vec<_>>().await.unwrap();

    let function = stack.oci_poll().await;
    let before = stack.registry.requests().len();
    let first = function.invoke(&stack.instance()).await.unwrap();
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available").await, 1500);
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_registries").await, 150);
    let requests = stack.registry.requests().len() - before;
    assert_summary!(first, added = 1500, skipped = 50, complete = true);
    // One page of the catalog, one list per repository, one manifest per tag, and one layer per
    // chart.
    assert_eq!(requests, 1 + (REPOSITORIES + 1) + (2 * REPOSITORIES * CHARTS + IMAGES));

    // Each row comes with the transaction that wrote it, so that a rewritten row shows.
    let written = "SELECT string_agg(o.xmin::text || o::text, ',' ORDER BY repo_name, reference) \
                   FROM observations AS o";
    let observations =
        async || stack.rows.query_one(written, &[]).await.unwrap().get::<_, String>(0);
    let rows_before = (stack.charts().await, observations().await);
    let before = (stack.registry.requests().len(), stack.manifest_requests());
    let second = function.invoke(&stack.instance()).await.unwrap();
    assert_summary!(second, added = 0, manifests = 0, complete = true);
    assert_eq!(stack.registry.requests().len() - before.0, 1 + REPOSITORIES + 1);
    assert_eq!(stack.manifest_requests() - before.1, 0);
    assert!(
        (stack.charts().await, observations().await) == rows_before,
        "the second pass wrote something"
    );
}

#[tokio::test]
async fn deadline_in_the_past_is_ignored() {
    let stack = Stack::new().await;
    stack.pusher.push_chart("demo/hello", "1.0.0", "a").await.unwrap();
    let summary = stack.oci_poll().await.invoke_as_cargo_lambda(&stack.instance()).await.unwrap();
    assert_summary!(summary, added = 1, complete = true);
}

#[tokio::test]
async fn chart_pushed_between_two_passes_is_found_by_the_second() {
    let stack = Stack::new().await;
    let function = stack.oci_poll().await;
    assert_eq!(function.invoke(&stack.instance()).await.unwrap()["added"], 0);
    let digest = stack.pusher.push_chart("demo/hello", "1.0.0", "a").await.unwrap();
    assert_eq!(function.invoke(&stack.instance()).await.unwrap()["added"], 1);
    assert_eq!(stack.charts().await, [format!("LOCAL demo/hello hello 1.0.0 {digest} available")]);
}

#[tokio::test]
async fn domain_names_the_rows_of_a_mirror() {
    let stack = Stack::new().await;
    stack.pusher.push_chart("demo/hello", "1.0.0", "a").await.unwrap();
    let mut instance = stack.instance();
    instance["oci"]["domain"] = json!("https://ghcr.io");
    stack.oci_poll().await.invoke(&instance).await.unwrap();
    let sql = "SELECT domain_name || ' ' || registry_host(domain_name) || ' ' || provider
        FROM helm_registries";
    let row: String = stack.rows.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(row, "https://ghcr.io ghcr.io Oci");
}

#[tokio::test]
async fn named_repositories_need_no_catalog_and_excluded_ones_are_not_read() {
    let stack = Stack::new().await;
    for repository in ["team-a/api", "team-a/web", "team-a/old", "team-b/api"] {
        stack.pusher.push_chart(repository, "1.0.0", repository).await.unwrap();
    }
    let function = stack.oci_poll().await;
    let poll = async |repositories: Value, exclude: Value| {
        let mut instance = stack.instance();
        instance["oci"]["repositories"] = repositories;
        instance["oci"]["exclude"] = exclude;
        let before = stack.registry.requests().len();
        let summary = function.invoke(&instance).await.unwrap();
        let requests = stack.registry.requests().split_off(before);
        let catalogs = requests.iter().filter(|request| request.contains("_catalog")).count();
        (catalogs, summary["added"].as_u64().unwrap(), summary["errors"].as_array().unwrap().len())
    };
    assert_eq!(poll(json!(["team-b/api"]), json!([])).await, (0, 1, 0));
    assert_eq!(poll(json!(["team-a/*", "team-b/api"]), json!(["*/old"])).await, (1, 2, 0));
    assert_eq!(poll(json!(["team-b/appi"]), json!([])).await, (0, 0, 1));
    assert_eq!(poll(json!(null), json!(["team-a/{api,web}"])).await, (1, 1, 0));
}

#[tokio::test]
async fn newest_versions_of_all_repositories_come_first() {
    let stack = Stack::new().await;
    for repository in ["a", "b"] {
        for version in ["1.9.0", "1.10.0", "1.2.0", "1.10.0-rc.1"] {
            stack.pusher.push_chart(repository, version, version).await.unwrap();
        }
    }
    let mut instance = stack.instance();
    instance["oci"]["maxConcurrency"] = json!(1);
    let before = stack.registry.requests().len();
    stack.oci_poll().await.invoke(&instance).await.unwrap();
    let requests = stack.registry.requests().split_off(before);
    let manifests = requests.iter().filter_map(|request| request.split_once("/manifests/"));
    let order: Vec<&str> = manifests.map(|(_, tag)| tag).collect();
    let expected =
        ["1.10.0", "1.10.0", "1.10.0-rc.1", "1.10.0-rc.1", "1.9.0", "1.9.0", "1.2.0", "1.2.0"];
    assert_eq!(order, expected);
}

#[tokio::test]
async fn pages_are_followed_by_relative_and_absolute_links() {
    let stack = Stack::new().await;
    for (first_link, second_link) in [
        ("</v2/_catalog?n=2&last=b>; rel=\"next\"", "</v2/_catalog?n=2&last=d>; rel=\"next\""),
        (
            "<http://wrong.example/x?n=2&last=b>; rel=\"next\"",
            "<https://127.0.0.1:1/v2/_catalog?n=2&last=d>; rel=next",
        ),
    ] {
        let fake = FakeRegistry::start().await;
        fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["a", "b"]})).link(first_link);
        fake.answer("/v2/_catalog?n=2&last=b", json!({"repositories": ["c", "d"]}))
            .link(second_link);
        fake.answer(
            "/v2/_catalog?n=2&last=d",
            json!({"repositories": ["e", "../../x", "a?b", "%2e%2e"]}),
        );
        for repository in ["a", "b", "c", "d", "e"] {
            fake.answer(
                &format!("/v2/{repository}/tags/list?n=1000"),
                json!({"name": repository, "tags": null}),
            );
        }
        let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
        let seen = (&summary["repositories"], &summary["skipped"], &summary["complete"]);
        assert_eq!(seen, (&json!(5), &json!(3), &json!(true)), "{summary}");
    }
}

/// Hostile input 28.
#[tokio::test]
async fn circular_catalog_is_an_error() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.answer("/v2/_catalog?n=1000", json!({"repositories": []})).link("<?last=b>; rel=\"next\"");
    fake.answer("/v2/_catalog?last=b", json!({"repositories": []})).link("<?n=1000>; rel=\"next\"");
    let error = only_error(&stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap());
    assert!(error.contains("in a circle"), "{error}");
}

/// Hostile input 17.
#[tokio::test]
async fn wrong_digest_is_never_stored_and_other_tags_are() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let chart = json!({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json",
        "digest": "", "size": 2}});
    let wrong = format!("sha256:{}", "0".repeat(64));
    fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["a", "b"]}));
    fake.answer("/v2/a/tags/list?n=1000", json!({"tags": ["1.0.0", "2.0.0"]}));
    fake.answer("/v2/b/tags/list?n=1000", Value::String("<html>".to_owned()));
    fake.answer("/v2/a/manifests/1.0.0", chart.clone()).header("docker-content-digest", &wrong);
    fake.answer("/v2/a/manifests/2.0.0", chart);
    let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();

    assert_summary!(summary, added = 1, complete = false);
    let errors = summary["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 2, "{summary}");
    assert!(errors.iter().any(|error| error.as_str().unwrap().starts_with("b: ")), "{summary}");
    assert!(errors.iter().any(|error| error.as_str().unwrap().contains(&wrong)), "{summary}");
    let stored = format!(
        "SELECT count(*) FROM observations WHERE digest = '{wrong}' OR reference = '1.0.0'"
    );
    assert_eq!(count(&stack.rows, &stored).await, 0);
}

/// Hostile input 18.
#[tokio::test]
async fn missing_digest_header_is_computed_from_the_body() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let chart = json!({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}});
    let digest = shared::domain::Digest::sha256(chart.to_string().as_bytes());
    fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["a"]}));
    fake.answer("/v2/a/tags/list?n=1000", json!({"tags": ["1.0.0"]}));
    fake.answer("/v2/a/manifests/1.0.0", chart);
    for _restart in 0..2 {
        stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
        let charts = stack.charts().await;
        assert!(charts.len() == 1 && charts[0].contains(digest.as_str()), "{charts:?}");
    }
}

#[tokio::test]
async fn unreachable_registry_is_named_in_one_line() {
    let stack = Stack::new().await;
    // The server at this address has ended, so the connection is refused.
    let url = FakeRegistry::start().await.url();
    let error = only_error(&stack.oci_poll().await.invoke(&instance(&url)).await.unwrap());
    assert!(error.contains(&url) && error.contains("refused") && !error.contains('\n'), "{error}");
}

#[tokio::test]
async fn registry_that_requires_a_login_is_explained_in_one_line() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.answer("/v2/_catalog?n=1000", json!({"errors": [{"code": "UNAUTHORIZED"}]})).status(401);
    let error = only_error(&stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap());
    assert!(error.contains("401 Unauthorized (UNAUTHORIZED)"), "{error}");
}

/// Fault 26.
#[tokio::test]
async fn slow_registry_is_read_over_several_invocations() {
    const TAGS: usize = 40;
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let tags: Vec<String> = (0..TAGS).map(|n| format!("1.{n}.0")).collect();
    fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["a"]}));
    fake.answer("/v2/a/tags/list?n=1000", json!({"tags": tags}));
    for tag in &tags {
        let chart = json!({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"},
            "annotations": {"t": tag}});
        fake.answer(&format!("/v2/a/manifests/{tag}"), chart).slow(Duration::from_millis(200));
    }
    let mut instance = instance(&fake.url());
    instance["oci"]["maxConcurrency"] = json!(2);
    let function = stack.oci_poll().await;
    let (mut added, mut invocations) = (0, 0);
    loop {
        // The invocation can look for three seconds. All tags need at least four.
        let summary = function.invoke_within(&instance, Duration::from_secs(4)).await.unwrap();
        invocations += 1;
        added += usize::try_from(summary["added"].as_u64().unwrap()).unwrap();
        if summary["complete"] == true {
            break;
        }
        // All but the requests under way at the end of the time have brought a chart.
        assert!(fake.count("GET", "/manifests/") <= added + 4 * invocations, "{summary}");
        let is_expected = |error: &Value| {
            let error = error.as_str().unwrap();
            error.contains("time was over") || error.contains("need more time for their tags")
        };
        assert!(summary["errors"].as_array().unwrap().iter().all(is_expected), "{summary}");
    }
    assert!(invocations > 1, "one invocation had time for everything");
    let rows = count(&stack.rows, "SELECT count(*) FROM helm_charts").await;
    assert_eq!((added, rows), (TAGS, 40));
}

#[tokio::test]
async fn absent_tag_is_looked_at_again_while_it_is_listed() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["a"]}));
    fake.answer("/v2/a/tags/list?n=1000", json!({"tags": ["1.0.0"]}));
    fake.answer("/v2/a/manifests/1.0.0", json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]}))
        .status(404);
    let function = stack.oci_poll().await;
    assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["added"], 0);
    let chart = json!({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}});
    fake.answer("/v2/a/manifests/1.0.0", chart);
    assert_eq!(
        function.invoke(&instance(&fake.url())).await.unwrap()["added"],
        0,
        "not immediately"
    );
    let a_while = "UPDATE observations SET observed_at = observed_at - interval '10 seconds'";
    stack.rows.execute(a_while, &[]).await.unwrap();
    assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["added"], 1);
}

#[tokio::test]
async fn empty_repository_and_endless_manifest_do_not_fail_the_pass() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["a", "b", "c"]}));
    fake.answer("/v2/a/tags/list?n=1000", json!({"errors": [{"code": "NAME_UNKNOWN"}]}))
        .status(404);
    fake.answer("/v2/b/tags/list?n=1000", json!({"tags": ["1.0.0"]}));
    fake.answer("/v2/b/manifests/1.0.0", json!("")).endless();
    fake.answer("/v2/c/tags/list?n=1000", json!({"tags": ["1.0.0"]}));
    fake.answer(
        "/v2/c/manifests/1.0.0",
        json!({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}}),
    );
    let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    let seen =
        (&summary["repositories"], &summary["added"], &summary["skipped"], &summary["complete"]);
    assert_eq!(seen, (&json!(3), &json!(1), &json!(1), &json!(true)), "{summary}");
}

#[tokio::test]
async fn pass_that_runs_out_of_time_answers_and_is_resumed() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["a"]}));
    fake.answer("/v2/a/tags/list?n=1000", json!({"tags": []})).hang();
    let function = stack.oci_poll().await;
    let timeout = Duration::from_millis(1500);
    let summary = function.invoke_within(&instance(&fake.url()), timeout).await.unwrap();
    assert_eq!(
        (&summary["complete"], summary["errors"].as_array().unwrap().len()),
        (&json!(false), 1),
        "{summary}"
    );
    fake.answer("/v2/a/tags/list?n=1000", json!({"tags": []}));
    assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["complete"], true);
}

/// Returns the only error of the summary.
fn only_error(summary: &Value) -> String {
    let errors = summary["errors"].as_array().unwrap();
    assert!(errors.len() == 1 && summary["complete"] == false, "{summary}");
    errors[0].as_str().unwrap().to_owned()
}
