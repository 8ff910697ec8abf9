//! `oci-poll` over several invocations: how often it polls, where it resumes, and which health it
//! writes.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::assert_summary::assert_summary;
use crate::support::fake_registry::FakeRegistry;
use crate::support::lease::forget_closed;
use crate::support::stack::{Stack, instance};

const SHORT: Duration = Duration::from_secs(3);

#[tokio::test]
async fn passes_repeat_within_an_invocation_at_their_interval() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let mut instance = instance(&fake.url());
    instance["oci"]["pollInterval"] = json!("500ms");
    let function = stack.oci_poll().await;
    let summary = function.invoke_within(&instance, Duration::from_secs(6)).await.unwrap();
    let passes = summary["passes"].as_u64().unwrap();
    // Passes begin at least half a second apart. A slow machine makes fewer of them.
    assert!((2..=12).contains(&passes), "{summary}");
    assert_eq!(fake.count("GET", "/v2/_catalog") as u64, passes);
    assert_summary!(summary, repositories = 1, added = 1, complete = true);

    // An interval of a minute or more counts from the last pass of any process.
    instance["oci"]["pollInterval"] = json!("10m");
    let summary = stack.oci_poll().await.invoke(&instance).await.unwrap();
    assert_summary!(summary, passes = 0, errors = json!([]));
    assert_eq!(fake.count("GET", "/v2/_catalog") as u64, passes);
}

/// Fault 26.
#[tokio::test]
async fn next_invocations_resume_an_interrupted_scan_and_fetch_nothing_twice() {
    const REPOSITORIES: usize = 300;
    const TAGS: usize = 4;
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let names: Vec<String> = (0..REPOSITORIES).map(|n| format!("r{n:03}")).collect();
    for (page, names) in names.chunks(150).enumerate() {
        let query = if page == 0 { "n=1000" } else { "last=r149" };
        let answer = fake.answer(&format!("/v2/_catalog?{query}"), json!({"repositories": names}));
        if page == 0 {
            answer.link("</v2/_catalog?last=r149>; rel=\"next\"");
        }
    }
    let tags: Vec<String> = (0..TAGS).map(|n| format!("1.{n}.0")).collect();
    for name in &names {
        fake.tags(name, &tags.iter().map(String::as_str).collect::<Vec<_>>());
        for tag in &tags {
            fake.chart(name, tag, &format!("{name} {tag}"));
        }
    }
    let mut instance = instance(&fake.url());
    instance["oci"]["maxConcurrency"] = json!(8);
    // The test needs 1,200 manifests. The registry accepts 450 requests of an invocation for them.
    let (mut invocations, mut added, mut is_resumed) = (0, 0, false);
    loop {
        let before = fake.asked().len();
        fake.close_after("/manifests/", 450);
        let function = stack.oci_poll().await;
        let summary = function.invoke(&instance).await.unwrap();
        (invocations, added) = (invocations + 1, added + summary["added"].as_u64().unwrap());
        let asked = fake.asked().split_off(before);
        let page = asked.iter().find(|asked| asked.path.contains("_catalog"));
        is_resumed |= page.is_some_and(|page| page.path.ends_with("?last=r149"));
        if summary["complete"] == true {
            break;
        }
        assert!(summary["errors"].to_string().contains("registry closed"), "{summary}");
        forget_closed(&stack).await;
    }
    let mut fetched: HashMap<String, usize> = HashMap::new();
    for asked in fake.asked().iter().filter(|asked| asked.path.contains("/manifests/")) {
        *fetched.entry(asked.path.clone()).or_default() += 1;
    }
    let twice = fetched.values().filter(|times| **times > 1).count();
    println!(
        "{invocations} invocations, {} lists, {} manifests, {twice} of them twice",
        fake.count("GET", "/tags/list"),
        fake.count("GET", "/manifests/")
    );
    assert!((3..=5).contains(&invocations), "{invocations}");
    assert_eq!((added, fetched.len()), ((REPOSITORIES * TAGS) as u64, REPOSITORIES * TAGS));
    assert!(twice <= 8 * invocations, "more than the requests in flight: {twice}");
    assert!(is_resumed, "at least one invocation resumes after the first page");
}

#[tokio::test]
async fn refused_position_restarts_the_list() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["a"]})).link("<?last=a>; rel=next");
    fake.answer("/v2/_catalog?last=a", json!({"repositories": ["b"]}));
    fake.tags("a", &[]);
    fake.tags("b", &[]).status(429).header("retry-after", "3600");
    let function = stack.oci_poll().await;
    assert_eq!(
        function.invoke_within(&instance(&fake.url()), SHORT).await.unwrap()["complete"],
        false
    );
    forget_closed(&stack).await;
    // The registry no longer has the name at which the list would resume.
    for status in [400, 404] {
        fake.answer("/v2/_catalog?last=a", json!("")).status(status);
        fake.answer("/v2/_catalog?n=1000", json!({"repositories": ["b"]}));
        fake.tags("b", &[]);
        let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
        assert_summary!(summary, complete = true, errors = json!([]), "{status}");
    }
}

#[tokio::test]
async fn registry_that_refuses_every_saved_position_is_read_over_several_invocations() {
    const PAGE: usize = 70;
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let names: Vec<String> = (0..3 * PAGE).map(|n| format!("r{n:03}")).collect();
    for name in &names {
        fake.tags(name, &[]);
    }
    let mut invocations = 0;
    loop {
        // A position is accepted in the invocation that got it, and in no later one.
        for (page, names) in names.chunks(PAGE).enumerate() {
            let next = format!("<?token={invocations}-{}>; rel=next", page + 1);
            let query = match page {
                0 => "n=1000".to_owned(),
                _ => format!("token={invocations}-{page}"),
            };
            let answer =
                fake.answer(&format!("/v2/_catalog?{query}"), json!({"repositories": names}));
            if page < 2 {
                answer.link(&next);
            }
            if invocations > 0 {
                let old = format!("/v2/_catalog?token={}-{page}", invocations - 1);
                fake.answer(&old, json!("")).status(400);
            }
        }
        fake.close_after("/tags/list", 50);
        let summary = stack.oci_poll().await.invoke(&instance(&fake.url())).await.unwrap();
        invocations += 1;
        if summary["complete"] == true {
            break;
        }
        assert!(invocations < 10, "no progress: {summary}");
        forget_closed(&stack).await;
    }
    let lists = fake.count("GET", "/tags/list");
    println!("{invocations} invocations, {lists} lists of {} repositories", names.len());
    // The requests under way when the registry closes are repeated.
    assert!(lists <= names.len() + 16 * invocations, "{lists}");
}

#[tokio::test]
async fn health_is_written_at_the_end_of_each_invocation() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::with_charts(&["1.0.0"]).await;
    let function = stack.oci_poll().await;
    let health = async || {
        let sql = "SELECT provider, source, last_started_at IS NOT NULL, last_succeeded_at::text, \
                   last_error,
            last_summary::text, generation FROM discovery_instances WHERE name = 'test'";
        stack.rows.query_one(sql, &[]).await.unwrap()
    };
    let summary = function.invoke(&instance(&fake.url())).await.unwrap();
    let good = health().await;
    assert_eq!((good.get::<_, &str>(0), good.get::<_, &str>(1)), ("oci", fake.url().as_str()));
    let succeeded = good.get::<_, Option<String>>(3);
    assert!(
        good.get::<_, bool>(2) && succeeded.is_some() && good.get::<_, Option<&str>>(4).is_none()
    );
    assert_eq!(serde_json::from_str::<Value>(good.get(5)).unwrap(), summary);
    assert_eq!(good.get::<_, i64>(6), 1);

    fake.catalog(&[]).status(403);
    function.invoke(&instance(&fake.url())).await.unwrap();
    let bad = health().await;
    assert!(bad.get::<_, &str>(4).contains("403 Forbidden"));
    assert_eq!((bad.get::<_, Option<String>>(3), bad.get::<_, i64>(6)), (succeeded, 1));
}
