//! Hostile and broken registries. The poller still reads the other repositories.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::lease::forget_closed;
use crate::support::oci_poll::let_faults_be_due;
use crate::support::stack::{Stack, count, instance};

/// Hostile input 22.
#[tokio::test]
async fn artifact_that_is_not_a_chart_is_fetched_once() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let image = json!({"mediaType": "application/vnd.oci.image.config.v1+json"});
    fake.catalog(&["a"]);
    fake.tags("a", &["docker", "image", "index", "nothing"]);
    let docker = json!({"mediaType": "application/vnd.docker.container.image.v1+json"});
    fake.answer("/v2/a/manifests/docker", json!({"config": docker}));
    fake.answer("/v2/a/manifests/image", json!({"config": image}));
    let platform = json!({"os": "linux", "architecture": "amd64"});
    let child = json!({"digest": format!("sha256:{}", "a".repeat(64)), "platform": platform});
    fake.answer("/v2/a/manifests/index", json!({"manifests": [child]}));
    fake.answer("/v2/a/manifests/nothing", json!({"schemaVersion": 2}));
    for (manifests, skipped) in [(4, 4), (0, 0)] {
        let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
        let seen = (&summary["manifests"], &summary["skipped"], &summary["complete"]);
        assert_eq!(seen, (&json!(manifests), &json!(skipped), &json!(true)), "{summary}");
    }
    assert_eq!(fake.count("GET", "/manifests/"), 4);
}

/// Hostile input 22.
#[tokio::test]
async fn chart_in_an_index_gets_the_digest_of_the_index() {
    let stack = Stack::new().await;
    let config =
        json!({"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": "", "size": 0});
    let created = json!({"org.opencontainers.image.created": "2026-01-02T03:04:05Z"});
    let chart = json!({"schemaVersion": 2, "config": config, "annotations": created});
    let fake = FakeRegistry::start().await;
    let digest = shared::domain::Digest::sha256(chart.to_string().as_bytes());
    let index = json!({"manifests": [
        {"digest": format!("sha256:{}", "a".repeat(64)), "artifactType": "application/spdx+json"},
        {"digest": digest.as_str()},
    ]});
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0"]);
    fake.answer("/v2/a/manifests/1.0.0", index.clone());
    fake.answer(&format!("/v2/a/manifests/{digest}"), chart);
    assert_eq!(stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap()["added"], 1);
    let sql =
        "SELECT image_digest || ' ' || (created_at AT TIME ZONE 'UTC')::text FROM helm_charts";
    let row: String = stack.rows.query_one(sql, &[]).await.unwrap().get(0);
    let of_index = shared::domain::Digest::sha256(index.to_string().as_bytes());
    assert_eq!(row, format!("{of_index} 2026-01-02 03:04:05"));
    assert_eq!(fake.count("GET", "/manifests/"), 2);
}

/// Hostile inputs 21 and 27.
#[tokio::test]
async fn size_and_urls_that_a_layer_claims_are_not_followed() {
    let stack = Stack::new().await;
    let (fake, elsewhere) = (FakeRegistry::start().await, FakeRegistry::start().await);
    let config = json!({"mediaType": "application/vnd.cncf.helm.config.v1+json"});
    let layer = json!({"mediaType": "x", "digest": "sha256:0", "size": 1, "urls":
        [format!("{}/layer", elsewhere.url())]});
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0"]);
    fake.answer("/v2/a/manifests/1.0.0", json!({"config": config, "layers": [layer]}));
    assert_eq!(stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap()["added"], 1);
    assert!(elsewhere.asked().is_empty());
    assert_eq!(fake.asked().len(), 3);
}

/// Hostile input 28.
#[tokio::test]
async fn links_that_lead_nowhere_are_bounded() {
    let stack = Stack::new().await;
    let function = stack.oci_poll().await;
    // The links lead to the same page, to another host, and to a page of a billion names.
    for (link, page, error) in [
        ("</v2/a/tags/list?n=1000>; rel=\"next\"", "n=1000", Some("in a circle")),
        ("<http://169.254.169.254/v2/a/tags/list?last=b>; rel=\"next\"", "last=b", None),
        ("</v2/a/tags/list?n=1000000000&last=b>; rel=\"next\"", "n=1000000000&last=b", None),
    ] {
        let fake = FakeRegistry::start().await;
        fake.catalog(&["a", "b"]);
        fake.tags("b", &["1.0.0"]);
        fake.chart("b", "1.0.0", link);
        fake.answer(&format!("/v2/a/tags/list?{page}"), json!({"tags": []}));
        fake.tags("a", &[]).link(link);
        let summary = function.invoke(&instance(&fake.url())).await.unwrap();
        assert_eq!(summary["added"], 1, "{summary}");
        match error {
            Some(error) => {
                assert!(summary["errors"][0].as_str().unwrap().contains(error), "{summary}");
            }
            None => assert_eq!(
                (&summary["complete"], fake.count("GET", "/v2/a/tags/list")),
                (&json!(true), 2)
            ),
        }
    }
}

/// Hostile input 29.
#[tokio::test]
async fn null_long_and_repeating_lists_are_bounded() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let function = stack.oci_poll().await;
    fake.catalog(&["null", "million", "twice", "good"]);
    fake.answer("/v2/null/tags/list?n=1000", json!({"tags": null}));
    let million = format!(r#"{{"tags":["1"{}]}}"#, r#","1""#.repeat(999_999));
    fake.answer("/v2/million/tags/list?n=1000", Value::String(million));
    fake.tags("twice", &["1.0.0", "1.0.0", "1.0.0"]);
    fake.tags("good", &["1.0.0"]);
    fake.chart("twice", "1.0.0", "x");
    fake.chart("good", "1.0.0", "x");
    let empty = FakeRegistry::start().await;
    empty.catalog(&[]);
    let mut idle = instance(&empty.url());
    idle["name"] = json!("idle");
    function.invoke(&idle).await.unwrap();
    let before = function.memory_peak().unwrap();
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    let above = (function.memory_peak().unwrap() - before) / 1024 / 1024;
    println!("a list of a million tags: {above} MiB above idle");
    assert!(above < 64, "{above} MiB");
    assert_summary!(summary, added = 2, tags = 2);
    let error = summary["errors"][0].as_str().unwrap();
    assert!(error.starts_with("million: ") && error.contains("more than 100000 names"), "{error}");
}

/// Hostile input 30.
#[tokio::test]
async fn invalid_repository_names_are_skipped() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["../../x", "a?b", "%2e%2e", "A", "", "good"]);
    fake.tags("good", &["1.0.0", "-x", "a/b", "\u{1b}[31m"]);
    fake.chart("good", "1.0.0", "x");
    let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    let seen =
        (&summary["added"], &summary["repositories"], &summary["skipped"], &summary["complete"]);
    assert_eq!(seen, (&json!(1), &json!(1), &json!(8), &json!(true)), "{summary}");
    assert_eq!(fake.asked().len(), 4, "{:?}", fake.asked());
}

/// Hostile input 31.
#[tokio::test]
async fn registry_that_asks_for_a_pause_gets_it() {
    let stack = Stack::new().await;
    let function = stack.oci_poll().await;
    for wait in ["999999999", "Tue, 31 Dec 2199 23:59:59 GMT"] {
        let fake = FakeRegistry::start().await;
        fake.catalog(&["a", "b"]).status(429).header("retry-after", wait);
        let summary = function.invoke(&instance(&fake.url())).await.unwrap();
        let error = summary["errors"][0].as_str().unwrap();
        assert!(error.contains("asks to be left alone"), "{error}");
        assert_eq!((fake.asked().len(), &summary["complete"]), (1, &json!(false)), "{wait}");
    }
    // The other values are not valid pauses.
    for wait in ["1", "-5", "soon"] {
        let fake = FakeRegistry::start().await;
        fake.catalog(&[])
            .status(503)
            .header("retry-after", wait)
            .then(json!({"repositories": ["a"]}));
        fake.tags("a", &[]);
        let summary = function.invoke(&instance(&fake.url())).await.unwrap();
        assert_eq!(
            (fake.asked().len(), &summary["complete"]),
            (3, &json!(true)),
            "{wait} {summary}"
        );
    }
}

/// Hostile input 31.
#[tokio::test]
async fn invocation_after_a_pause_resumes_with_earlier_finds() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0", "2.0.0"]);
    fake.chart("a", "2.0.0", "x");
    fake.answer("/v2/a/manifests/1.0.0", json!(""))
        .status(429)
        .header("retry-after", "3600")
        .gated();
    let instance = instance(&fake.url());
    let function = stack.oci_poll().await;
    let polled = function.invoke(&instance);
    let opened = async {
        fake.wait_for("/blobs/").await;
        fake.open();
    };
    let (summary, ()) = tokio::join!(polled, opened);
    let summary = summary.unwrap();
    assert_summary!(summary, added = 1, complete = false);
    fake.chart("a", "1.0.0", "x");
    forget_closed(&stack).await;
    let other = stack.oci_poll().await;
    let summary = other.invoke(&instance).await.unwrap();
    assert_summary!(summary, added = 1, complete = true);
    assert_eq!(fake.count("GET", "/manifests/2.0.0"), 1);
}

/// Hostile input 32.
#[tokio::test]
async fn slow_body_ends_at_the_deadline_of_the_request() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["slow", "good"]);
    fake.tags("slow", &[]).drip();
    fake.tags("good", &["1.0.0"]);
    fake.chart("good", "1.0.0", "x");
    // The invocation has more time than one request.
    let long = Duration::from_secs(90);
    let summary = stack.oci_poll().await.invoke_within(&instance(&fake.url()), long).await.unwrap();
    assert_summary!(summary, added = 1, complete = false);
    let error = summary["errors"][0].as_str().unwrap();
    assert!(
        error.starts_with("slow: ") && error.ends_with("no complete answer within 30 s"),
        "{error}"
    );
    assert_eq!(fake.count("GET", "/v2/slow/"), 1, "not asked again: it would take as long");
}

/// Hostile input 33.
#[tokio::test]
async fn invalid_list_is_an_error_of_its_repository_and_keeps_the_cursor() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a", "b"]);
    fake.tags("a", &["1.0.0"]);
    fake.tags("b", &["1.0.0"]);
    fake.chart("a", "1.0.0", "a");
    fake.chart("b", "1.0.0", "b");
    let function = stack.oci_poll().await;
    assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["added"], 2);
    let cursor = stack.cursor_items().await;
    for wrong in ["<html>maintenance</html>", "{\"tags\":[\"1.0.0\"", "{\"errors\":[]}"] {
        fake.answer("/v2/a/tags/list?n=1000", json!(wrong));
        let_faults_be_due(&stack).await;
        let summary = function.invoke(&instance(&fake.url())).await.unwrap();
        let errors = summary["errors"].as_array().unwrap();
        assert!(errors.len() == 1 && errors[0].as_str().unwrap().starts_with("a: "), "{summary}");
        assert_summary!(summary, unavailable = 0, complete = false);
        assert_eq!(stack.cursor_items().await, cursor);
    }
    fake.tags("a", &["1.0.0"]);
    let_faults_be_due(&stack).await;
    let manifests = fake.count("GET", "/manifests/");
    assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["complete"], true);
    assert_eq!(fake.count("GET", "/manifests/"), manifests);
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available").await, 2);
}

#[tokio::test]
async fn registry_that_answers_one_request_at_a_time_is_followed() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let slow = Duration::from_millis(300);
    fake.catalog(&["a", "b", "c"]).slow(slow);
    for name in ["a", "b", "c"] {
        fake.tags(name, &["1.0.0"]).slow(slow);
        fake.chart(name, "1.0.0", name).slow(slow);
    }
    let mut instance = instance(&fake.url());
    instance["oci"]["maxConcurrency"] = json!(1);
    let summary = stack.oci_poll().await.invoke(&instance).await.unwrap();
    assert_summary!(summary, added = 3, complete = true);
    assert_eq!(fake.asked().len(), 10);
}

#[tokio::test]
async fn tag_of_a_repository_denied_at_first_is_found_later() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    fake.tags("a", &["1.0.0"]);
    let denied = json!({"errors": [{"code": "NAME_UNKNOWN"}]});
    fake.answer("/v2/a/manifests/1.0.0", denied).status(404);
    let function = stack.oci_poll().await;
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    assert!(summary["errors"][0].as_str().unwrap().contains("NAME_UNKNOWN"), "{summary}");
    assert_summary!(summary, held = 0, complete = false);
    fake.chart("a", "1.0.0", "x");
    let_faults_be_due(&stack).await;
    assert_eq!(function.invoke(&instance(&fake.url())).await.unwrap()["added"], 1);
}

/// Hostile input 28.
#[tokio::test]
async fn page_that_is_always_refused_is_an_error() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]).link("<?last=a>; rel=next");
    fake.answer("/v2/_catalog?last=a", json!("")).status(404);
    fake.tags("a", &["1.0.0"]);
    fake.chart("a", "1.0.0", "x");
    for added in [1, 0] {
        let before = fake.asked().len();
        let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
        assert_summary!(summary, added = added, complete = false);
        assert!(
            summary["errors"][0].as_str().unwrap().starts_with("the catalog cannot be read"),
            "{summary}"
        );
        assert_eq!(fake.asked().len() - before, 3 + 2 * added);
    }
    // A link that cannot be read does not count as the end of the list.
    let long = format!("<?last={}>; rel=next", "x".repeat(5000));
    fake.catalog(&["a"]).link(&long);
    let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
    assert!(
        summary["errors"][0].as_str().unwrap().contains("names a next page that cannot be read"),
        "{summary}"
    );
}

#[tokio::test]
async fn only_transient_faults_are_retried() {
    let stack = Stack::new().await;
    let function = stack.oci_poll().await;
    for (status, requests, complete) in
        [(500, 2, true), (502, 2, true), (403, 1, false), (501, 1, false)]
    {
        let fake = FakeRegistry::start().await;
        fake.catalog(&["a"]);
        fake.tags("a", &[]).status(status).then(json!({"tags": []}));
        let summary = function.invoke(&instance(&fake.url())).await.unwrap();
        assert_eq!(
            (fake.count("GET", "/tags/list"), &summary["complete"]),
            (requests, &json!(complete)),
            "{status}"
        );
    }
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    fake.tags("a", &[]).status(500);
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    assert_eq!((fake.count("GET", "/tags/list"), &summary["complete"]), (3, &json!(false)));
    assert!(summary["errors"][0].as_str().unwrap().starts_with("a: GET http://"), "{summary}");
}

/// Fault 25.
#[tokio::test]
async fn other_repositories_finish_while_one_of_twenty_hangs() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let names: Vec<String> = (0..20).map(|n| format!("r{n:02}")).collect();
    fake.catalog(&names.iter().map(String::as_str).collect::<Vec<_>>());
    for name in &names {
        fake.tags(name, &["1.0.0"]);
        fake.chart(name, "1.0.0", name);
    }
    fake.tags("r07", &[]).hang();
    let function = stack.oci_poll().await;
    let summary =
        function.invoke_within(&instance(&fake.url()), Duration::from_secs(10)).await.unwrap();
    assert_summary!(summary, added = 19, complete = false);
    fake.tags("r07", &["1.0.0"]);
    let_faults_be_due(&stack).await;
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    assert_summary!(summary, added = 1, complete = true);
}
