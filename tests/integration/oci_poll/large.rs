//! Registries of a size that must fit into a small function.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::function::Function;
use tests::push::Pusher;
use tests::registry::{Options, Registry};

use crate::support::stack::{Stack, count, instance};

/// The first pass has as much time as it needs. The second pass follows immediately.
const FIRST: Schedule = Schedule { interval: "1m", time: Duration::from_mins(15) };
const AGAIN: Schedule = Schedule { interval: "59s 900ms", time: Duration::from_mins(1) };

/// The poll interval of the instance, and the time of each invocation.
#[derive(Clone, Copy)]
struct Schedule {
    interval: &'static str,
    time: Duration,
}

/// The most memory that a function may use, in bytes.
const MEMORY: u64 = 128 * 1024 * 1024;

/// Polls until a pass is complete. Prints and returns what that took.
async fn poll(what: &str, function: &Function, registry: &Registry, schedule: Schedule) -> Value {
    let mut instance = instance(&registry.url().unwrap().to_string());
    instance["oci"]["pollInterval"] = json!(schedule.interval);
    let (began, before) = (Instant::now(), registry.requests().len());
    let mut added = 0;
    for invocations in 1.. {
        let summary = function.invoke_within(&instance, schedule.time).await.unwrap();
        added += summary["added"].as_u64().unwrap();
        if summary["complete"] == true {
            let requests = registry.requests().split_off(before);
            let of = |part: &str| requests.iter().filter(|request| request.contains(part)).count();
            println!(
                "{what}: {invocations} invocations, {:.1} s, {} catalog pages, {} lists, {} \
                 manifests, {added} added, {} MiB",
                began.elapsed().as_secs_f64(),
                of("/v2/_catalog"),
                of("/tags/list"),
                of("/manifests/"),
                function.memory_peak().unwrap() / 1024 / 1024,
            );
            return json!({"added": added, "requests": requests.len(), "manifests":
                of("/manifests/")});
        }
    }
    unreachable!()
}

#[tokio::test]
async fn two_thousand_repositories_of_five_tags_are_followed() {
    const REPOSITORIES: usize = 2000;
    let stack = Stack::new().await;
    let registry = Registry::start_with(Options { on_disk: true, login: false }).await.unwrap();
    let pusher = Pusher::new(registry.host()).unwrap();
    for version in 0..5 {
        pusher
            .push_chart("team/chart-0", &format!("1.{version}.0"), &version.to_string())
            .await
            .unwrap();
    }
    registry
        .copy_repository("team/chart-0", (1..REPOSITORIES).map(|n| format!("team/chart-{n}")))
        .unwrap();
    let function = stack.oci_poll().await;
    let first = poll("2,000 × 5, first scan", &function, &registry, FIRST).await;
    let lists = REPOSITORIES + 2;
    assert_eq!(
        first,
        json!({"added": 10_000, "requests": lists + 10_000 + 5, "manifests": 10_000})
    );
    let second = poll("2,000 × 5, again", &function, &registry, AGAIN).await;
    assert_eq!(second, json!({"added": 0, "requests": lists, "manifests": 0}));
    assert!(function.memory_peak().unwrap() < MEMORY);
    assert_eq!(
        count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available").await,
        10_000
    );
}

#[tokio::test]
async fn a_repository_of_fifty_thousand_tags_is_followed() {
    const TAGS: usize = 50_000;
    let stack = Stack::new().await;
    let registry = Registry::start_with(Options { on_disk: true, login: false }).await.unwrap();
    Pusher::new(registry.host()).unwrap().push_chart("team/chart", "1.0.0", "x").await.unwrap();
    registry.copy_tag("team/chart", "1.0.0", (1..TAGS).map(|n| format!("1.0.{n}"))).unwrap();
    let function = stack.oci_poll().await;
    let first = poll("50,000 tags, first scan", &function, &registry, FIRST).await;
    assert_eq!(first, json!({"added": TAGS, "requests": 2 + TAGS + 1, "manifests": TAGS}));
    let second = poll("50,000 tags, again", &function, &registry, AGAIN).await;
    assert_eq!(second, json!({"added": 0, "requests": 2, "manifests": 0}));
    assert!(function.memory_peak().unwrap() < MEMORY);
}
