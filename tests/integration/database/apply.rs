//! The transaction that writes a batch. It takes one round trip for a batch of any size, and a bad
//! item fails alone.

use std::sync::Arc;

use shared::config::{DatabaseLogin, DatabaseSettings};
use shared::db::{Database, Writer};
use shared::domain::{
    ChartContents, Contents, Digest, KindNaming, Observation, Reference, Registry, Resolution,
    Subject,
};
use tests::postgres::TestDatabase;
use time::{Duration, OffsetDateTime};
use url::Url;

use crate::support::database_proxy::DatabaseProxy;
use crate::support::stack::count;

const WRITER: Writer<'_> =
    Writer { instance: Some("test"), notes_changes: false, kind_naming: KindNaming::Name };

fn database(url: &str) -> Database {
    let login = DatabaseLogin::Url(Box::new(url.parse().unwrap()));
    Database::new(DatabaseSettings { login, ca_file: None }).unwrap()
}

async fn behind_a_proxy(test_database: &TestDatabase) -> (DatabaseProxy, Database) {
    let mut url: Url = test_database.url().parse().unwrap();
    let proxy = DatabaseProxy::start(test_database.url()).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port)).unwrap();
    url.set_query(Some("sslmode=disable"));
    let database = database(url.as_str());
    (proxy, database)
}

/// Returns observations of charts in ten repositories, made at `observed_at`.
fn observations(count: usize, observed_at: OffsetDateTime) -> Vec<Observation> {
    let registry = Arc::new(Registry::named("https://ghcr.io".parse().unwrap()));
    let observation = |n: usize| Observation {
        subject: Subject {
            registry: Arc::clone(&registry),
            repository: format!("team/chart-{}", n % 10).parse().unwrap(),
            reference: Reference::Tag(format!("1.{n}.0").parse().unwrap()),
        },
        observed_at,
        resolution: Resolution::Chart {
            digest: Digest::sha256(n.to_string().as_bytes()),
            created_at: None,
            contents: ChartContents::New(Arc::new(Contents {
                chart_name: Some("chart".to_owned()),
                ..Contents::default()
            })),
        },
        is_requested: false,
    };
    (0..count).map(observation).collect()
}

#[tokio::test]
async fn batch_of_any_size_takes_one_round_trip() {
    let test_database = TestDatabase::create().await.unwrap();
    let (proxy, database) = behind_a_proxy(&test_database).await;
    let now = database.now().await.unwrap();

    let mut sent = Vec::new();
    for size in [1, 1000] {
        let before = proxy.requests();
        // The function sends BEGIN, ten statements, COMMIT, and the query for subjects to look at
        // again. It sends all of them before the first answer passes the proxy.
        proxy.hold_until(13);
        let applied = database.apply(&observations(size, now), WRITER, None).await.unwrap();
        assert!(applied.ask_again.is_empty() && applied.rejected.is_empty());
        sent.push(proxy.requests() - before);
    }
    assert_eq!(sent, [13, 13]);
    let rows = test_database.connect().await.unwrap();
    assert_eq!(count(&rows, "SELECT count(*) FROM helm_charts WHERE available").await, 1000);
}

#[tokio::test]
async fn observation_refused_by_the_database_fails_alone() {
    let test_database = TestDatabase::create().await.unwrap();
    let rows = test_database.connect().await.unwrap();
    let refuse = "ALTER TABLE helm_charts ADD CONSTRAINT refuse_one CHECK (image_tag <> '1.37.0')";
    rows.batch_execute(refuse).await.unwrap();
    let database = database(test_database.url());
    let now = database.now().await.unwrap();
    let applied = database.apply(&observations(100, now), WRITER, None).await.unwrap();

    let rejected: Vec<String> =
        applied.rejected.iter().map(|(subject, _)| subject.to_string()).collect();
    assert_eq!(rejected, ["ghcr.io/team/chart-7:1.37.0"]);
    assert_eq!(count(&rows, "SELECT count(*) FROM helm_charts").await, 99);
    // No observation of this chart is stored, so the next pass retries it.
    assert_eq!(count(&rows, "SELECT count(*) FROM observations").await, 99);
}

#[tokio::test]
async fn old_observation_must_be_repeated_and_changes_nothing() {
    let test_database = TestDatabase::create().await.unwrap();
    let database = database(test_database.url());
    let long_ago = database.now().await.unwrap() - Duration::minutes(16);
    let applied = database.apply(&observations(3, long_ago), WRITER, None).await.unwrap();
    assert_eq!(applied.ask_again.len(), 3);
    let rows = test_database.connect().await.unwrap();
    assert_eq!(count(&rows, "SELECT count(*) FROM observations").await, 0);
}

#[tokio::test]
async fn applying_twice_changes_nothing_the_second_time() {
    let test_database = TestDatabase::create().await.unwrap();
    let database = database(test_database.url());
    let now = database.now().await.unwrap();
    let observations = observations(5, now);
    let first = database.apply(&observations, WRITER, None).await.unwrap();
    assert_eq!((first.available.len(), first.unavailable.len()), (5, 0));
    let second = database.apply(&observations, WRITER, None).await.unwrap();
    assert_eq!((second.available.len(), second.unavailable.len()), (0, 0));
}

/// Fault 8.
#[tokio::test]
async fn dead_connection_is_replaced_without_an_error() {
    let test_database = TestDatabase::create().await.unwrap();
    let (proxy, database) = behind_a_proxy(&test_database).await;
    let registry = Registry::named("https://ghcr.io".parse().unwrap());
    database.now().await.unwrap();
    // The connection is dead, and only the next request notices.
    proxy.cut();
    database.now().await.unwrap();
    proxy.cut();
    database.known_tags(&registry, &[], || (), |(), _| ()).await.unwrap();
    proxy.cut();
    let tags: Vec<Subject> =
        observations(1, OffsetDateTime::UNIX_EPOCH).into_iter().map(|seen| seen.subject).collect();
    database.available_tags(&tags).await.unwrap();
    proxy.cut();
    let now = database.now().await.unwrap();
    proxy.cut();
    let applied = database.apply(&observations(1, now), WRITER, None).await.unwrap();
    assert_eq!(applied.available.len(), 1);
}

/// Fault 37.
#[tokio::test]
async fn requested_observation_that_a_newer_one_supersedes_is_asked_for_again() {
    let test_database = TestDatabase::create().await.unwrap();
    let database = database(test_database.url());
    let now = database.now().await.unwrap();
    database.apply(&observations(2, now), WRITER, None).await.unwrap();
    let mut older = observations(2, now - Duration::seconds(1));
    older[1].is_requested = true;
    let applied = database.apply(&older, WRITER, None).await.unwrap();
    assert_eq!(applied.ask_again, [older[1].subject.clone()]);
}
