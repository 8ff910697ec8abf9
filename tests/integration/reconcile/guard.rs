//! The law of the tables: observations may be repeated, delayed and reordered, but in the end the
//! rows equal the registry.
//!
//! The simulated registry resolves a tag when the request arrives, but delays its answer for a
//! random time. So observations are applied late, and in another order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use fastrand::Rng;
use serde_json::{Value, json};
use shared::config::{DatabaseLogin, DatabaseSettings};
use shared::db::{Database, Writer};
use shared::domain::{Digest, KindNaming, Reference, Registry, Subject};
use shared::oci::{AllowedAddresses, Connections, Login};
use shared::reconcile::{Deletions, Hint, KnownPopulation, ReconcileOptions, reconcile};
use tests::postgres::TestDatabase;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::support::stack::charts;

/// The number of tags in the simulation, and of the repositories that share them.
const TAGS: usize = 480;
const REPOSITORIES: usize = 24;

/// This many tags change for a while, and then the next ones. So several changes of one tag
/// overlap, and no later change repairs a wrong tag.
const BUSY: usize = 4;
const CHANGES_EACH: usize = 6;

/// The number of writers, each with its own database connection.
const WRITERS: usize = 12;

/// The delay of one in four answers of the registry, in milliseconds. The other answers come
/// immediately.
const DELAY_MS: std::ops::Range<u64> = 20..80;

/// The manifest of each repository and tag. A repository has few contents, so that tags share
/// digests.
type Content = BTreeMap<(String, String), Value>;

#[derive(Clone, Default)]
struct Simulation {
    content: Arc<Mutex<Content>>,
    hints: Arc<Mutex<Vec<(String, Reference)>>>,
}

fn chart(content: usize) -> Value {
    json!({"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}, "annotations":
        {"n": content.to_string()}})
}

fn image(content: usize) -> Value {
    json!({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}, "annotations":
        {"n": content.to_string()}})
}

fn digest_of(manifest: &Value) -> Digest {
    Digest::sha256(manifest.to_string().as_bytes())
}

impl Simulation {
    /// Changes the `n`th tag, or all tags of its digest, and adds the hints of one of ECR's events.
    fn change(&self, n: usize, rng: &mut Rng) {
        let repository = format!("team/chart-{}", n / (TAGS / REPOSITORIES));
        let tag = format!("1.{n}.0");
        let key = (repository.clone(), tag.clone());
        let mut content = self.content.lock().unwrap();
        let old = content.get(&key).map(digest_of);
        let by_tag = Reference::Tag(tag.parse().unwrap());
        let mut hints = match (rng.u8(..10), old) {
            (0..=5, _) => {
                content.insert(key, chart(rng.usize(..3)));
                vec![by_tag]
            }
            (6, _) => {
                content.insert(key, image(rng.usize(..3)));
                vec![by_tag]
            }
            // The tag is removed. The event names it and its digest, but other tags may still have
            // that digest.
            (7, Some(digest)) => {
                content.remove(&key);
                vec![by_tag, Reference::Digest(digest)]
            }
            // The manifest is deleted by digest, and its one event names no tag.
            (_, Some(digest)) => {
                content
                    .retain(|(r, _), manifest| *r != repository || digest_of(manifest) != digest);
                vec![Reference::Digest(digest)]
            }
            (_, None) => vec![by_tag],
        };
        drop(content);
        // An event may be delivered twice.
        if rng.u8(..4) == 0 {
            hints.extend(hints.clone());
        }
        self.hints.lock().unwrap().extend(hints.into_iter().map(|hint| (repository.clone(), hint)));
    }

    /// Takes some hints in random order.
    fn take_hints(&self, rng: &mut Rng) -> Vec<(String, Reference)> {
        let mut hints = self.hints.lock().unwrap();
        rng.shuffle(&mut hints);
        let left = hints.len().saturating_sub(rng.usize(1..=3));
        hints.split_off(left)
    }
}

async fn manifest(
    State(simulation): State<Simulation>,
    Path((team, name, reference)): Path<(String, String, String)>,
) -> (StatusCode, String) {
    let repository = format!("{team}/{name}");
    let found = {
        let content = simulation.content.lock().unwrap();
        let by_tag = content.get(&(repository.clone(), reference.clone()));
        let is_it = |((r, _), manifest): &(&(String, String), &Value)| {
            *r == repository && digest_of(manifest).as_str() == reference
        };
        by_tag.or_else(|| content.iter().find(is_it).map(|(_, manifest)| manifest)).cloned()
    };
    if fastrand::u8(..4) == 0 {
        tokio::time::sleep(Duration::from_millis(fastrand::u64(DELAY_MS))).await;
    }
    match found {
        Some(manifest) => (StatusCode::OK, manifest.to_string()),
        None => {
            (StatusCode::NOT_FOUND, json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]}).to_string())
        }
    }
}

async fn write(
    simulation: &Simulation,
    url: &str,
    database_url: &str,
    changing: &Mutex<bool>,
) -> usize {
    let login = DatabaseLogin::Url(Box::new(database_url.parse().unwrap()));
    let database = Database::new(DatabaseSettings { login, ca_file: None }).unwrap();
    let connections =
        Connections::new(shared::tls::client_config(None).unwrap(), AllowedAddresses::default());
    let client = connections.client(url.parse().unwrap(), Login::Anonymous, 4).unwrap();
    let registry = Arc::new(Registry::named(url.parse().unwrap()));
    let mut rng = Rng::new();
    let mut done = 0;
    loop {
        let over = !*changing.lock().unwrap();
        let hints = simulation.take_hints(&mut rng);
        if hints.is_empty() {
            if over {
                return done;
            }
            tokio::task::yield_now().await;
            continue;
        }
        done += hints.len();
        let hints = hints.into_iter().map(|(repository, reference)| {
            let repository = repository.parse().unwrap();
            Hint::at(Subject { registry: Arc::clone(&registry), repository, reference })
        });
        let deadline = Instant::now() + Duration::from_mins(1);
        let writer = Writer { instance: None, notes_changes: false, kind_naming: KindNaming::Name };
        let population = KnownPopulation::default();
        let options = ReconcileOptions {
            writer,
            concurrency: 4,
            deadline,
            deletions: Deletions::Believed { hold: Duration::from_hours(1) },
            selection: None,
            population: &population,
            formats: None,
        };
        let report =
            reconcile(&database, |_| Ok(client.clone()), hints.collect(), options).await.unwrap();
        for outcome in report.outcomes {
            outcome.unwrap();
        }
    }
}

/// Fault 11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_of_hints_and_observations_ends_as_the_registry_is() {
    let simulation = Simulation::default();
    let route = "/v2/{team}/{name}/manifests/{reference}";
    let router = Router::new().route(route, get(manifest)).with_state(simulation.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let database = TestDatabase::create().await.unwrap();

    let changing = Mutex::new(true);
    let changes = async {
        let mut rng = Rng::new();
        for change in 0..TAGS * CHANGES_EACH {
            let group = change / (BUSY * CHANGES_EACH);
            simulation.change(group * BUSY + rng.usize(..BUSY), &mut rng);
            // Changes wait for the writers, so that they happen between a look and its write.
            while simulation.hints.lock().unwrap().len() > 2 {
                tokio::task::yield_now().await;
            }
        }
        *changing.lock().unwrap() = false;
    };
    let writers = (0..WRITERS).map(|_| write(&simulation, &url, database.url(), &changing));
    let ((), done) = tokio::join!(changes, futures_util::future::join_all(writers));
    server.abort();

    let registry: BTreeSet<String> = {
        let content = simulation.content.lock().unwrap();
        let charts =
            content.iter().filter(|(_, manifest)| manifest.to_string().contains("helm.config"));
        charts
            .map(|((repository, tag), manifest)| {
                format!("{repository}:{tag}@{}", digest_of(manifest))
            })
            .collect()
    };
    let rows = charts(&database.connect().await.unwrap()).await;
    let available = rows.iter().filter(|row| row.ends_with(" available"));
    let rows: BTreeSet<String> = available
        .map(|row| {
            let fields: Vec<&str> = row.split(' ').collect();
            format!("{}:{}@{}", fields[1], fields[3], fields[4])
        })
        .collect();
    let wrong: Vec<&String> = rows.symmetric_difference(&registry).collect();
    println!(
        "{} hints by {WRITERS} writers, {} of {TAGS} tags wrong",
        done.iter().sum::<usize>(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}
