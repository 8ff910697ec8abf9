//! The law of `ecr-events`: after any changes and any delivery of their events, the rows equal the
//! registry. If events were lost, this needs a backfill.
//!
//! The test makes many short histories. A few tags share a few contents, so that collisions are
//! likely. `LAW_HISTORIES` sets the number of histories; the default is 200.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use fastrand::Rng;
use serde_json::{Value, json};
use shared::domain::Digest;
use tests::function::Function;
use tests::moto::Moto;
use tokio::net::TcpListener;

use crate::support::stack::{Stack, batch, count, event, failed};

const HISTORIES: usize = 200;
const CHANGES: usize = 14;
const TAGS: [&str; 3] = ["1.0.0", "1.1.0", "latest"];
const CONTENTS: usize = 3;
const CONSUMERS: usize = 4;

/// One event in this many is lost, in the histories that lose events.
const LOST: usize = 20;

/// Repository and tag → manifest.
type Content = Arc<Mutex<BTreeMap<(String, String), Value>>>;

fn manifest(is_chart: bool, content: usize) -> Value {
    let media_type = if is_chart {
        "application/vnd.cncf.helm.config.v1+json"
    } else {
        "application/vnd.oci.image.config.v1+json"
    };
    json!({"config": {"mediaType": media_type}, "annotations": {"content": content.to_string()}})
}

fn digest_of(manifest: &Value) -> Digest {
    Digest::sha256(manifest.to_string().as_bytes())
}

async fn answer(
    State(content): State<Content>,
    Path((team, name, reference)): Path<(String, String, String)>,
) -> (StatusCode, String) {
    let (repository, content) = (format!("{team}/{name}"), content.lock().unwrap());
    let mut of_repository = content.iter().filter(|((name, _), _)| *name == repository).peekable();
    let code = if of_repository.peek().is_some() { "MANIFEST_UNKNOWN" } else { "NAME_UNKNOWN" };
    let found = of_repository.find(|((_, tag), manifest)| {
        *tag == reference || digest_of(manifest).as_str() == reference
    });
    match found {
        Some((_, manifest)) => (StatusCode::OK, manifest.to_string()),
        None => (StatusCode::NOT_FOUND, json!({"errors": [{"code": code}]}).to_string()),
    }
}

/// Changes a repository, and returns the events of that change.
fn change(content: &Content, repository: &str, rng: &mut Rng) -> Vec<Value> {
    let mut content = content.lock().unwrap();
    let tag = TAGS[rng.usize(..TAGS.len())];
    let key = (repository.to_owned(), tag.to_owned());
    let there = content.get(&key).map(digest_of);
    match (rng.usize(..10), there) {
        (0..2, Some(digest)) => {
            content.remove(&key);
            vec![event("DELETE", repository, Some(tag), &digest)]
        }
        // A deletion by digest deletes all its tags. AWS does not document the events that follow.
        (2..4, Some(digest)) => {
            let mut gone = Vec::new();
            content.retain(|(name, tag), manifest| {
                let stays = name != repository || digest_of(manifest) != digest;
                if !stays {
                    gone.push(tag.clone());
                }
                stays
            });
            match rng.usize(..3) {
                0 => vec![event("DELETE", repository, None, &digest)],
                1 => vec![event("DELETE", repository, Some(&gone[0]), &digest)],
                _ => {
                    gone.iter().map(|tag| event("DELETE", repository, Some(tag), &digest)).collect()
                }
            }
        }
        (other, _) => {
            let manifest = manifest(other != 9, rng.usize(..CONTENTS));
            let digest = digest_of(&manifest);
            content.insert(key, manifest);
            vec![event("PUSH", repository, Some(tag), &digest)]
        }
    }
}

/// Delivers events in batches of any size and in any order, until no more events will come.
async fn consume(
    function: &Function,
    waiting: &Mutex<Vec<Value>>,
    is_over: &Mutex<bool>,
    seed: u64,
) {
    let mut rng = Rng::with_seed(seed);
    loop {
        let over = *is_over.lock().unwrap();
        let taken: Vec<String> = {
            let mut waiting = waiting.lock().unwrap();
            rng.shuffle(&mut waiting);
            let left = waiting.len().saturating_sub(rng.usize(1..=10));
            waiting.split_off(left).iter().map(Value::to_string).collect()
        };
        if taken.is_empty() {
            if over {
                return;
            }
            tokio::task::yield_now().await;
            continue;
        }
        assert_eq!(function.invoke(&batch(&taken)).await.unwrap(), failed(&[]));
    }
}

fn repository(history: usize) -> String {
    format!("{}/h{history}", if history.is_multiple_of(2) { "whole" } else { "lossy" })
}

/// Makes the changes of all histories in one random order. Delivers their events one to five times.
/// Odd histories lose some events. Returns the numbers of delivered and lost events.
async fn change_all(
    content: &Content,
    histories: usize,
    seed: u64,
    waiting: &Mutex<Vec<Value>>,
    is_over: &Mutex<bool>,
) -> (usize, usize) {
    let mut rng = Rng::with_seed(seed);
    let mut order: Vec<usize> = (0..histories).flat_map(|history| [history; CHANGES]).collect();
    rng.shuffle(&mut order);
    let (mut delivered, mut lost) = (0, 0);
    for history in order {
        for event in change(content, &repository(history), &mut rng) {
            if !history.is_multiple_of(2) && rng.usize(..LOST) == 0 {
                lost += 1;
                continue;
            }
            let times = rng.usize(1..=5);
            delivered += times;
            waiting.lock().unwrap().extend(std::iter::repeat_n(event, times));
        }
        while waiting.lock().unwrap().len() > 60 {
            tokio::task::yield_now().await;
        }
    }
    *is_over.lock().unwrap() = true;
    (delivered, lost)
}

/// Returns the available charts of the rows, and the charts of the registry.
async fn compare(stack: &Stack, content: &Content) -> (BTreeSet<String>, BTreeSet<String>) {
    let rows = stack.charts().await;
    let available = rows.iter().filter(|row| row.ends_with(" available")).map(|row| {
        let fields: Vec<&str> = row.split(' ').collect();
        format!("{}:{}@{}", fields[1], fields[3], fields[4])
    });
    let content = content.lock().unwrap();
    let charts =
        content.iter().filter(|(_, manifest)| manifest.to_string().contains("helm.config"));
    let there = charts
        .map(|((repository, tag), manifest)| format!("{repository}:{tag}@{}", digest_of(manifest)));
    (available.collect(), there.collect())
}

/// Fault 14.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_follow_events_and_a_backfill_repairs_losses() {
    let environment = shared::config::Environment::of_process();
    let histories =
        environment.get("LAW_HISTORIES").and_then(|text| text.parse().ok()).unwrap_or(HISTORIES);
    let seed = fastrand::u64(..);
    println!("{histories} histories, seed {seed}");
    let stack = Stack::new().await;
    let moto = Moto::start().await.unwrap();
    let content = Content::default();
    let route = "/v2/{team}/{name}/manifests/{reference}";
    let router = Router::new().route(route, get(answer)).with_state(Arc::clone(&content));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let settings = [&moto.settings()[..], &[("ECR_REGISTRY_ENDPOINT", url.as_str())]].concat();
    let mut functions = Vec::new();
    for _ in 0..CONSUMERS {
        functions.push(stack.ecr_events_with(&settings).await);
    }

    let (waiting, is_over) = (Mutex::new(Vec::new()), Mutex::new(false));
    let changes = change_all(&content, histories, seed, &waiting, &is_over);
    let consumers = functions
        .iter()
        .zip(1..)
        .map(|(function, n)| consume(function, &waiting, &is_over, seed ^ n));
    let ((delivered, lost), _) = tokio::join!(changes, futures_util::future::join_all(consumers));

    let whole = |set: &BTreeSet<String>| {
        set.iter().filter(|row| row.starts_with("whole/")).cloned().collect::<HashSet<_>>()
    };
    let (rows, there) = compare(&stack, &content).await;
    let wrong = rows.symmetric_difference(&there).count();
    println!(
        "{delivered} deliveries, {lost} lost; {wrong} of {} charts wrong before the backfill",
        there.len()
    );
    assert_eq!(whole(&rows), whole(&there), "no event was lost of these");

    // moto lists the same tags as the registry.
    let listed: Vec<(String, String)> = content.lock().unwrap().keys().cloned().collect();
    for (repository, tag) in &listed {
        moto.create_repository(repository).await.unwrap();
        moto.put_image(repository, tag).await.unwrap();
    }
    let summary = functions[0].invoke(&json!({"backfill": {"region": "us-east-1"}})).await.unwrap();
    assert_eq!(summary["complete"], true, "{summary}");
    let (rows, there) = compare(&stack, &content).await;
    assert_eq!(rows, there);
    let twice = "SELECT count(*) FROM (
        SELECT FROM helm_charts GROUP BY helm_registry_id, image_tag, image_digest HAVING count(*) \
        > 1) AS twice";
    assert_eq!(count(&stack.rows, twice).await, 0);
    server.abort();
}
