//! The law of `ecr-events`: after any changes and any delivery of their events, the rows equal the
//! registry. If events were lost, this needs a backfill.
//!
//! The test makes many short histories. A few tags share a few contents, so that collisions are
//! likely. `LAW_HISTORIES` sets the number of histories; the default is 200.
//!
//! The kind of a history begins the name of its repository. In all of them some events come before
//! the registry shows the push, and the stored stamps jump into the future.
//!
//! - `whole`: every event is delivered one to five times.
//! - `once`: every event is delivered once, so that no copy of an early event repairs a loss.
//! - `hand`: rows are deleted by hand, and stay away.
//! - `lossy`: one event in twenty is lost, so that only the backfill makes the rows right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use fastrand::Rng;
use serde_json::{Value, json};
use shared::domain::Digest;
use tests::function::Function;
use tests::moto::Moto;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::TcpListener;
use tokio::sync::RwLock;

use crate::support::stack::{Stack, batch, count, event};

const HISTORIES: usize = 200;
const CHANGES: usize = 14;
const TAGS: [&str; 3] = ["1.0.0", "1.1.0", "latest"];
const CONTENTS: usize = 3;
const CONSUMERS: usize = 4;
/// The time of an invocation, too short for the pause before a second look at an early push.
const WITHIN: Duration = Duration::from_millis(2900);

/// The kinds of histories.
const KINDS: [&str; 5] = ["whole", "once", "once", "hand", "lossy"];

/// One event in this many is lost, in the histories that lose events.
const LOST: usize = 20;
/// After one change in this many, the database is changed behind the function's back.
const SPOILED: usize = 20;
/// One push in this many is reported before the registry shows it.
const EARLY: usize = 20;
const HELM: &str = shared::helm::CONFIG_MEDIA_TYPE;
const IMAGE: &str = "application/vnd.oci.image.config.v1+json";

/// Repository and tag → manifest.
type Content = Arc<Mutex<BTreeMap<(String, String), Value>>>;

#[derive(Clone, Copy)]
enum Kind {
    Chart,
    Image,
    /// An index with one chart. Only the index has a tag.
    Index,
}

/// An event that waits for its delivery.
#[derive(Clone)]
struct Waiting {
    event: Value,
    /// Counts its deliveries.
    receives: u8,
}

/// What the histories and the consumers share.
#[derive(Default)]
struct LawState {
    content: Content,
    /// Pushes that the registry does not show yet.
    hidden: Mutex<BTreeMap<(String, String), Value>>,
    waiting: Mutex<Vec<Waiting>>,
    is_over: Mutex<bool>,
    /// Held while a batch is handled, and alone while the database is spoiled.
    calm: RwLock<()>,
    /// The rows that were deleted by hand, as `repository:tag@digest`.
    dismissed: Mutex<BTreeSet<String>>,
}

impl LawState {
    /// Shows the pushes of a repository.
    fn reveal(&self, repository: &str) {
        let mut hidden = self.hidden.lock().unwrap();
        let mut content = self.content.lock().unwrap();
        let (shown, rest) =
            std::mem::take(&mut *hidden).into_iter().partition(|((name, _), _)| name == repository);
        *hidden = rest;
        content.extend::<BTreeMap<_, _>>(shown);
    }
}

fn manifest(kind: Kind, content: usize) -> Value {
    let media_type = match kind {
        Kind::Chart => HELM,
        Kind::Image => IMAGE,
        Kind::Index => {
            let chart = manifest(Kind::Chart, content);
            let entry = json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": HELM,
                "digest": digest_of(&chart).as_str(), "size": chart.to_string().len(),
            });
            let media_type = "application/vnd.oci.image.index.v1+json";
            return json!({"mediaType": media_type, "manifests": [entry]});
        }
    };
    json!({"config": {"mediaType": media_type}, "annotations": {"content": content.to_string()}})
}

/// Returns the charts in the indexes among some manifests.
fn children<'a>(manifests: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    let all: Vec<&Value> = manifests.collect();
    let is_there = |content: &usize| all.contains(&&manifest(Kind::Index, *content));
    (0..CONTENTS).filter(is_there).map(|content| manifest(Kind::Chart, content)).collect()
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
    let of_repository: Vec<(&str, &Value)> =
        of_repository.map(|((_, tag), manifest)| (tag.as_str(), manifest)).collect();
    let children = children(of_repository.iter().map(|(_, manifest)| *manifest));
    let named = of_repository.iter().copied().chain(children.iter().map(|child| ("", child)));
    let found = named
        .into_iter()
        .find(|(tag, manifest)| *tag == reference || digest_of(manifest).as_str() == reference);
    match found {
        Some((_, manifest)) => (StatusCode::OK, manifest.to_string()),
        None => (StatusCode::NOT_FOUND, json!({"errors": [{"code": code}]}).to_string()),
    }
}

/// Returns a time that is fresh for the whole test.
fn soon() -> Value {
    let soon = OffsetDateTime::now_utc() + time::Duration::HOUR;
    json!(soon.format(&Rfc3339).unwrap())
}

/// Changes a repository, and returns the events of that change.
fn change(state: &LawState, repository: &str, rng: &mut Rng) -> Vec<Value> {
    state.reveal(repository);
    let mut content = state.content.lock().unwrap();
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
            let kind = match other {
                9 => Kind::Image,
                8 => Kind::Index,
                _ => Kind::Chart,
            };
            let manifest = manifest(kind, rng.usize(..CONTENTS));
            let mut pushed = event("PUSH", repository, Some(tag), &digest_of(&manifest));
            match kind {
                Kind::Chart => pushed["detail"]["artifact-media-type"] = json!(HELM),
                Kind::Image => pushed["detail"]["artifact-media-type"] = json!(IMAGE),
                Kind::Index => {}
            }
            if rng.usize(..EARLY) == 0 {
                pushed["time"] = soon();
                state.hidden.lock().unwrap().insert(key, manifest);
            } else {
                content.insert(key, manifest);
            }
            vec![pushed]
        }
    }
}

/// Delivers events in batches of any size and in any order, until no more events will come. An
/// event that fails is delivered again, after the registry shows its push.
async fn consume(function: &Function, state: &LawState, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    loop {
        let is_over = *state.is_over.lock().unwrap();
        let mut taken: Vec<Waiting> = {
            let mut waiting = state.waiting.lock().unwrap();
            rng.shuffle(&mut waiting);
            let left = waiting.len().saturating_sub(rng.usize(1..=10));
            waiting.split_off(left)
        };
        if taken.is_empty() {
            if is_over {
                return;
            }
            tokio::task::yield_now().await;
            continue;
        }
        let _calm = state.calm.read().await;
        let bodies: Vec<String> = taken.iter().map(|waiting| waiting.event.to_string()).collect();
        let mut messages = batch(&bodies);
        for (n, waiting) in taken.iter_mut().enumerate() {
            waiting.receives += 1;
            let received = json!({"ApproximateReceiveCount": waiting.receives.to_string()});
            messages["Records"][n]["attributes"] = received;
        }
        let answer = function.invoke_within(&messages, WITHIN).await;
        if answer.is_err() {
            // It is late, and must end before anybody else acts.
            function.invoke(&batch(&[])).await.unwrap();
        }
        let failed = answer.map(|mut answer| answer["batchItemFailures"].take());
        for (n, waiting) in taken.into_iter().enumerate() {
            let has_failed = failed.as_ref().map_or(true, |failed| {
                let id = format!("m{n}");
                failed.as_array().unwrap().iter().any(|failure| failure["itemIdentifier"] == id)
            });
            if has_failed {
                state.reveal(waiting.event["detail"]["repository-name"].as_str().unwrap());
                state.waiting.lock().unwrap().push(waiting);
            }
        }
    }
}

fn repository(history: usize) -> String {
    format!("{}/h{history}", KINDS[history % KINDS.len()])
}

/// Makes the changes of all histories in one random order. Delivers their events one to five times.
/// Returns the numbers of delivered and lost events.
async fn change_all(
    stack: &Stack,
    state: &LawState,
    histories: usize,
    seed: u64,
) -> (usize, usize) {
    let mut rng = Rng::with_seed(seed);
    let mut order: Vec<usize> = (0..histories).flat_map(|history| [history; CHANGES]).collect();
    rng.shuffle(&mut order);
    let (mut delivered, mut lost) = (0, 0);
    for history in order {
        let repository = repository(history);
        for event in change(state, &repository, &mut rng) {
            if repository.starts_with("lossy/") && rng.usize(..LOST) == 0 {
                lost += 1;
                continue;
            }
            let times = if repository.starts_with("once/") { 1 } else { rng.usize(1..=5) };
            delivered += times;
            let copies = std::iter::repeat_n(Waiting { event, receives: 0 }, times);
            state.waiting.lock().unwrap().extend(copies);
        }
        if rng.usize(..SPOILED) == 0 {
            spoil(stack, state, &repository).await;
        }
        while state.waiting.lock().unwrap().len() > 60 {
            tokio::task::yield_now().await;
        }
    }
    for history in 0..histories {
        state.reveal(&repository(history));
    }
    *state.is_over.lock().unwrap() = true;
    (delivered, lost)
}

/// Changes the database behind the function's back, while no batch is handled: moves the stamps of
/// a history into the future, and deletes its rows by hand.
async fn spoil(stack: &Stack, state: &LawState, repository: &str) {
    let _calm = state.calm.write().await;
    let jump = "UPDATE observations
        SET observed_at = observed_at + interval '1 hour',
            changed_at = changed_at + interval '1 hour'
        WHERE repo_name = $1";
    stack.rows.execute(jump, &[&repository]).await.unwrap();
    if repository.starts_with("hand/") {
        let delete = "DELETE FROM helm_charts AS chart USING helm_registries AS registry
            WHERE registry.id = chart.helm_registry_id AND registry.repo_name = $1
                AND chart.available
            RETURNING chart.image_tag, chart.image_digest";
        for row in stack.rows.query(delete, &[&repository]).await.unwrap() {
            let (tag, digest): (String, String) = (row.get(0), row.get(1));
            state.dismissed.lock().unwrap().insert(format!("{repository}:{tag}@{digest}"));
        }
    }
}

/// The available charts of the rows, and those that follow from the registry.
struct Compared {
    rows: BTreeSet<String>,
    expected: BTreeSet<String>,
}

impl Compared {
    /// Returns what is wrong, apart from the histories of one kind.
    fn wrong_except(&self, kind: &str) -> Vec<&String> {
        let wrong = self.rows.symmetric_difference(&self.expected);
        wrong.filter(|row| !row.starts_with(kind)).collect()
    }
}

/// Compares the rows with the registry, without what was deleted by hand.
async fn compare(stack: &Stack, state: &LawState) -> Compared {
    let rows = stack.charts().await;
    let available = rows.iter().filter(|row| row.ends_with(" available")).map(|row| {
        let fields: Vec<&str> = row.split(' ').collect();
        format!("{}:{}@{}", fields[1], fields[3], fields[4])
    });
    let (content, dismissed) = (state.content.lock().unwrap(), state.dismissed.lock().unwrap());
    let charts =
        content.iter().filter(|(_, manifest)| manifest.to_string().contains("helm.config"));
    let there = charts
        .map(|((repository, tag), manifest)| format!("{repository}:{tag}@{}", digest_of(manifest)));
    let expected = there.filter(|chart| !dismissed.contains(chart)).collect();
    Compared { rows: available.collect(), expected }
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
    let state = LawState::default();
    let route = "/v2/{team}/{name}/manifests/{reference}";
    let router = Router::new().route(route, get(answer)).with_state(Arc::clone(&state.content));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let settings = [&moto.settings()[..], &[("ECR_REGISTRY_ENDPOINT", url.as_str())]].concat();
    let mut functions = Vec::new();
    for _ in 0..CONSUMERS {
        functions.push(stack.ecr_events_with(&settings).await);
    }

    let changes = change_all(&stack, &state, histories, seed);
    let consumers =
        functions.iter().zip(1..).map(|(function, n)| consume(function, &state, seed ^ n));
    let ((delivered, lost), _) = tokio::join!(changes, futures_util::future::join_all(consumers));

    let compared = compare(&stack, &state).await;
    println!(
        "{delivered} deliveries, {lost} lost; {} of {} charts wrong before the backfill; {} rows \
         deleted by hand",
        compared.wrong_except("none").len(),
        compared.expected.len(),
        state.dismissed.lock().unwrap().len()
    );
    assert_eq!(compared.wrong_except("lossy/"), [""; 0], "no event was lost of these");

    // moto lists the same tags as the registry.
    let listed: Vec<(String, String)> = state.content.lock().unwrap().keys().cloned().collect();
    for (repository, tag) in &listed {
        moto.create_repository(repository).await.unwrap();
        moto.put_image(repository, tag).await.unwrap();
    }
    let repair = json!({"backfill": {"region": "us-east-1"}});
    while functions[0].invoke(&repair).await.unwrap()["complete"] != true {}
    let compared = compare(&stack, &state).await;
    let wrong = compared.wrong_except("none");
    println!("{} charts wrong after the backfill", wrong.len());
    assert_eq!(wrong, [""; 0]);
    let different = "SELECT count(*) - count(DISTINCT (helm_registry_id, image_tag, image_digest))
        FROM helm_charts";
    assert_eq!(count(&stack.rows, different).await, 0, "no row is there twice");
    server.abort();
}
