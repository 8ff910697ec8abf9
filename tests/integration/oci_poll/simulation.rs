//! The proof that a pass of any size ends: three thousand repositories, some of which are slow,
//! hang, fail, or have many tags. The registry accepts few requests per invocation, and invocations
//! are killed.
//!
//! The registry here has its own counters and a seed, because no real server misbehaves like that
//! on demand. `SIMULATION_SEED` repeats a run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use fastrand::Rng;
use serde_json::{Value, json};
use shared::domain::Digest;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::lease::{edit_lease, forget_closed, milliseconds_from_now};
use crate::support::oci_poll::{available, let_faults_be_due};
use crate::support::stack::{Stack, count, instance};

const REPOSITORIES: usize = 3000;

/// The names in a page of the catalog.
const PAGE: usize = 500;

/// The tags of a repository that is too large for one pass.
const MANY_TAGS: usize = 3000;

/// The requests that the registry accepts before it closes for an hour.
const BUDGET: usize = 1500;

/// The time of an invocation, of which a request may take half.
const INVOCATION: Duration = Duration::from_secs(5);

/// The most memory that the function may use, in bytes.
const MEMORY: u64 = 96 * 1024 * 1024;

/// How a repository behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Well,
    /// It answers after 50 ms.
    Slow,
    ListHangs,
    ManifestsHang,
    ListFails,
    ManifestsFail,
    HasManyTags,
}

/// The registry, as the server sees it.
#[derive(Clone)]
struct Simulated(Arc<Mutex<SimulatedState>>);

struct SimulatedState {
    manners: HashMap<String, Manner>,
    names: Vec<String>,
    /// The requests that are left before the registry closes.
    budget: usize,
    /// The number of requests for each path that were answered.
    answered: HashMap<String, usize>,
    /// The number of requests that were closed out.
    refused: usize,
    /// Kills the invocation after this number of requests.
    kill_in: Option<usize>,
    kill: Arc<tokio::sync::Notify>,
}

fn name(n: usize) -> String {
    format!("team-{}/chart-{n:04}", n % 7)
}

impl Simulated {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut names: Vec<String> = (0..REPOSITORIES).map(name).collect();
        names.sort();
        let mut manners: HashMap<String, Manner> =
            names.iter().map(|name| (name.clone(), Manner::Well)).collect();
        for (manner, count) in [
            (Manner::Slow, 100),
            (Manner::ListHangs, 8),
            (Manner::ManifestsHang, 4),
            (Manner::ListFails, 30),
            (Manner::ManifestsFail, 30),
            (Manner::HasManyTags, 1),
        ] {
            for _ in 0..count {
                manners.insert(names[rng.usize(..names.len())].clone(), manner);
            }
        }
        let (answered, kill) = (HashMap::new(), Arc::default());
        let (budget, refused, kill_in) = (0, 0, None);
        let state = SimulatedState { manners, names, budget, answered, refused, kill_in, kill };
        Self(Arc::new(Mutex::new(state)))
    }

    async fn serve(&self) -> (String, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(reply).with_state(self.clone());
        (url, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
    }

    /// Begins an invocation: the registry accepts requests again.
    fn begin(&self, kill_in: Option<usize>) -> Arc<tokio::sync::Notify> {
        let mut state = self.0.lock().unwrap();
        (state.budget, state.kill_in) = (BUDGET, kill_in);
        state.kill = Arc::default();
        Arc::clone(&state.kill)
    }

    fn is_visited(&self, name: &str) -> bool {
        self.0.lock().unwrap().answered.contains_key(&format!("/v2/{name}/tags/list"))
    }

    /// Returns the repositories that were never visited.
    fn unvisited(&self) -> usize {
        let names = self.0.lock().unwrap().names.clone();
        names.iter().filter(|name| !self.is_visited(name)).count()
    }

    /// Lets every repository behave well.
    fn heal(&self) {
        let mut state = self.0.lock().unwrap();
        state.manners.values_mut().for_each(|manner| {
            if *manner != Manner::HasManyTags {
                *manner = Manner::Well;
            }
        });
    }

    fn tags(manner: Manner) -> Vec<String> {
        let count = match manner {
            Manner::HasManyTags => MANY_TAGS,
            Manner::ManifestsHang | Manner::ManifestsFail => 5,
            _ => 1,
        };
        (0..count).map(|n| format!("1.{n}.0")).collect()
    }

    /// Counts a request. Returns the repository's manner, or `None` if the registry is closed.
    fn take(&self, path: &str, repository: &str) -> Option<Manner> {
        let mut state = self.0.lock().unwrap();
        if let Some(left) = state.kill_in {
            state.kill_in = left.checked_sub(1);
            if state.kill_in.is_none() {
                state.kill.notify_one();
            }
        }
        if state.budget == 0 {
            state.refused += 1;
            return None;
        }
        state.budget -= 1;
        *state.answered.entry(path.to_owned()).or_default() += 1;
        Some(state.manners.get(repository).copied().unwrap_or(Manner::Well))
    }
}

/// Splits a path into the repository and the verb.
fn parse(path: &str) -> (&str, &str) {
    let path = path.strip_prefix("/v2/").unwrap();
    ["/tags/list", "/manifests/"]
        .iter()
        .find_map(|verb| path.find(verb).map(|at| path.split_at(at)))
        .unwrap_or((path, ""))
}

fn respond(status: u16, body: &Value) -> Response<Body> {
    Response::builder().status(status).body(Body::from(body.to_string())).unwrap()
}

async fn reply(State(simulated): State<Simulated>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let (repository, verb) = parse(&path);
    let counted = if repository == "_catalog" { request.uri().to_string() } else { path.clone() };
    let Some(manner) = simulated.take(&counted, repository) else {
        let closed = Response::builder().status(429).header("retry-after", "3600");
        return closed.body(Body::empty()).unwrap();
    };
    let is_list = verb == "/tags/list";
    match manner {
        Manner::Slow => tokio::time::sleep(Duration::from_millis(50)).await,
        Manner::ListHangs if is_list => std::future::pending().await,
        Manner::ManifestsHang if !is_list => std::future::pending().await,
        Manner::ListFails if is_list => return respond(403, &json!({})),
        Manner::ManifestsFail if !is_list => return respond(403, &json!({})),
        _ => {}
    }
    if repository == "_catalog" {
        return catalog(&simulated, request.uri().query().unwrap_or_default());
    }
    if is_list {
        return respond(200, &json!({"name": repository, "tags": Simulated::tags(manner)}));
    }
    let config = json!({"mediaType": "application/vnd.cncf.helm.config.v1+json"});
    let chart = json!({"config": config, "annotations": {"content": path}}).to_string();
    Response::builder()
        .header("docker-content-digest", Digest::sha256(chart.as_bytes()).as_str())
        .body(Body::from(chart))
        .unwrap()
}

fn catalog(simulated: &Simulated, query: &str) -> Response<Body> {
    let names = simulated.0.lock().unwrap().names.clone();
    let last = query.split('&').find_map(|part| part.strip_prefix("last="));
    let begin = last.map_or(0, |last| names.partition_point(|name| name.as_str() <= last));
    let page: Vec<&String> = names.iter().skip(begin).take(PAGE).collect();
    let mut response = Response::builder();
    if begin + page.len() < names.len() {
        response = response.header("link", format!("<?last={}>; rel=\"next\"", page[PAGE - 1]));
    }
    response.body(Body::from(json!({"repositories": page}).to_string())).unwrap()
}

/// Makes invocations until a pass is complete, or all repositories are visited. Kills one in ten.
/// Returns the number of invocations, and the largest memory.
async fn invoke_until(
    stack: &Stack,
    simulated: &Simulated,
    instance: &Value,
    rng: &mut Rng,
    is_over: impl Fn(&Value) -> bool,
) -> (usize, u64) {
    let mut memory = 0;
    for invocations in 1..100 {
        let kill_in = (invocations % 10 == 3).then(|| rng.usize(..BUDGET));
        let kill = simulated.begin(kill_in);
        let function = stack.oci_poll().await;
        let summary = tokio::select! {
            answer = function.invoke_within(instance, INVOCATION) => finished(answer),
            () = kill.notified() => {
                function.signal("KILL").await.unwrap();
                None
            }
        };
        let Some(summary) = summary else {
            edit_lease(stack, &[("held_until", milliseconds_from_now(-3600))]).await;
            continue;
        };
        memory = memory.max(function.memory_peak().unwrap());
        if is_over(&summary) {
            return (invocations, memory);
        }
        forget_closed(stack).await;
    }
    unreachable!("no end: {} repositories were never visited", simulated.unvisited());
}

/// Returns the summary. Returns `None` if the invocation had no time to write, as happens on a busy
/// machine. That is like a kill.
fn finished(answer: anyhow::Result<Value>) -> Option<Value> {
    match answer {
        Err(error) if error.to_string().contains("there was no time to write") => None,
        answer => Some(answer.unwrap()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pass_over_a_registry_that_misbehaves_ends_within_its_bound() {
    let environment = shared::config::Environment::of_process();
    let seed = environment.get("SIMULATION_SEED").and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let stack = Stack::new().await;
    let simulated = Simulated::new(seed);
    let (url, server) = simulated.serve().await;
    let mut instance = instance(&url);
    instance["oci"]["maxConcurrency"] = json!(16);

    let all = |_: &Value| simulated.unvisited() == 0;
    let (first, memory) = invoke_until(&stack, &simulated, &instance, &mut rng, all).await;
    let (answered, refused) = {
        let state = simulated.0.lock().unwrap();
        (state.answered.values().sum::<usize>(), state.refused)
    };
    let of = |verb: &str| {
        let state = simulated.0.lock().unwrap();
        state.answered.iter().filter(|(path, _)| path.contains(verb)).map(|(_, n)| n).sum::<usize>()
    };
    let needed = simulated.0.lock().unwrap().answered.len();
    println!(
        "every repository was visited within {first} invocations: {answered} requests ({needed} \
         different ones, {} lists, {} manifests), {refused} refused, {} MiB",
        of("/tags/list"),
        of("/manifests/"),
        memory / 1024 / 1024
    );
    let bound = 3 * REPOSITORIES / 100 + REPOSITORIES / 16;
    assert!(first <= bound, "{first} invocations, {bound} are the bound");
    assert!(memory < MEMORY, "{} MiB", memory / 1024 / 1024);
    assert!(answered * 10 <= needed * 12, "{answered} requests, {needed} were needed");

    simulated.heal();
    let_faults_be_due(&stack).await;
    let complete = |summary: &Value| summary["complete"] == true;
    let (more, memory) = invoke_until(&stack, &simulated, &instance, &mut rng, complete).await;
    println!("complete after {more} more invocations, {} MiB", memory / 1024 / 1024);
    assert!(memory < MEMORY, "{} MiB", memory / 1024 / 1024);
    let expected = i64::try_from(REPOSITORIES - 1 + MANY_TAGS).unwrap();
    assert_eq!(available(&stack).await, expected);
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM reference_faults").await, 0);
    server.abort();
}
