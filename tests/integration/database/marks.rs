//! The marks of missing tags. They lock rows in the order of the other writers, and the time of a
//! look decides, not the order of arrival.

use std::sync::Arc;
use std::time::Duration;

use shared::config::{DatabaseLogin, DatabaseSettings};
use shared::db::{Database, Mark, Writer};
use shared::domain::{
    ChartContents, Contents, Digest, KindNaming, Observation, Reference, Registry, Resolution,
    Subject,
};
use tests::postgres::TestDatabase;
use time::OffsetDateTime;
use tokio_postgres::Client;

use crate::support::stack::count;

/// How often two writers meet, and in how many rows.
const ROUNDS: usize = 40;
const TAGS: usize = 100;

fn database(of: &TestDatabase) -> Database {
    let login = DatabaseLogin::Url(Box::new(of.url().parse().unwrap()));
    Database::new(DatabaseSettings { login, ca_file: None }).unwrap()
}

fn writer(instance: Option<&str>) -> Writer<'_> {
    Writer { instance, notes_changes: true, kind_naming: KindNaming::Name }
}

fn digest(content: &str) -> Digest {
    Digest::sha256(content.as_bytes())
}

/// Returns the observation that a tag resolves to a chart.
fn seen(tag: usize, content: &str, observed_at: OffsetDateTime) -> Observation {
    let registry = Arc::new(Registry::named("https://ghcr.io".parse().unwrap()));
    let repository = "team/chart".parse().unwrap();
    let reference = Reference::Tag(format!("1.{tag}.0").parse().unwrap());
    Observation {
        subject: Subject { registry, repository, reference },
        observed_at,
        resolution: Resolution::Chart {
            digest: digest(content),
            created_at: None,
            contents: ChartContents::New(Arc::new(Contents::default())),
        },
        is_requested: false,
    }
}

/// Writes the observations of some tags.
async fn apply(database: &Database, observations: &[Observation]) {
    database.apply(observations, writer(Some("test")), None).await.unwrap();
}

async fn missing_since(rows: &Client) -> Option<OffsetDateTime> {
    rows.query_one("SELECT missing_since FROM observations", &[]).await.unwrap().get(0)
}

/// A writer of the same rows in its own order.
#[derive(Clone, Copy, Debug)]
enum Other {
    Observations,
    Marks,
}

/// Writes the marks of all tags in one order, and lets another writer write them in the other
/// order.
async fn meet(first: &Database, second: &Database, other: Other, at: OffsetDateTime, round: usize) {
    let tags: Vec<Observation> = (0..TAGS).map(|tag| seen(tag, "a", at)).collect();
    let subjects: Vec<&Subject> = tags.iter().map(|seen| &seen.subject).collect();
    let a = digest("a");
    let confirmed = subjects.iter().map(|subject| (*subject, a.as_str()));
    let backwards = subjects.iter().rev().copied();
    let marks = async {
        let writer = writer(Some("test"));
        if round.is_multiple_of(2) {
            first.confirm(confirmed, at, writer).await.unwrap();
        } else {
            first.mark(Mark::Missing, subjects.iter().copied(), at, writer).await.unwrap();
        }
    };
    let others = async {
        match other {
            Other::Observations => apply(second, &tags).await,
            Other::Marks => {
                let writer = writer(Some("test"));
                second.mark(Mark::HeldAgain, backwards.clone(), at, writer).await.unwrap();
                second.mark(Mark::StillMissing, backwards, at, writer).await.unwrap();
            }
        }
    };
    tokio::join!(marks, others);
}

/// Counts the deadlocks in this database. The server counts those of a connection when it ends, so
/// that the others are ended: a pooler keeps them.
async fn deadlocks(rows: &Client) -> i64 {
    let others = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend'
            AND pid <> pg_backend_pid()";
    while count(rows, others).await > 0 {
        tokio::task::yield_now().await;
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    count(rows, deadlocks).await
}

/// Fault 39.
#[tokio::test]
async fn two_writers_in_opposite_order_meet_in_no_deadlock() {
    for other in [Other::Observations, Other::Marks] {
        let test_database = TestDatabase::create().await.unwrap();
        let rows = test_database.connect().await.unwrap();
        let (first, second) = (database(&test_database), database(&test_database));
        let now = first.now().await.unwrap();
        let tags: Vec<Observation> =
            (0..TAGS).rev().map(|tag| seen(tag, "a", now - Duration::from_mins(5))).collect();
        apply(&first, &tags).await;
        for round in 0..ROUNDS {
            let at = first.now().await.unwrap();
            Box::pin(meet(&first, &second, other, at, round)).await;
        }
        drop((first, second));
        assert_eq!(deadlocks(&rows).await, 0, "{other:?}");
    }
}

/// Fault 40.
#[tokio::test]
async fn mark_that_is_newer_than_an_observation_stays_in_either_order() {
    for is_marked_first in [true, false] {
        let test_database = TestDatabase::create().await.unwrap();
        let rows = test_database.connect().await.unwrap();
        let database = database(&test_database);
        let now = database.now().await.unwrap();
        let [before, look, mark] = [30, 20, 10].map(|ago| now - Duration::from_secs(ago));
        apply(&database, &[seen(1, "a", before)]).await;
        let subject = seen(1, "a", look).subject;
        for is_mark in [is_marked_first, !is_marked_first] {
            if is_mark {
                let writer = writer(Some("test"));
                database.mark(Mark::Missing, [&subject], mark, writer).await.unwrap();
            } else {
                apply(&database, &[seen(1, "a", look)]).await;
            }
        }
        assert!(missing_since(&rows).await.is_some(), "marked first: {is_marked_first}");
        apply(&database, &[seen(1, "a", now)]).await;
        assert_eq!(missing_since(&rows).await, None, "a newer look found it");
    }
}

/// Fault 40.
#[tokio::test]
async fn head_request_clears_no_newer_mark_and_confirms_no_other_digest() {
    let test_database = TestDatabase::create().await.unwrap();
    let rows = test_database.connect().await.unwrap();
    let database = database(&test_database);
    let now = database.now().await.unwrap();
    let [before, head, mark] = [30, 20, 10].map(|ago| now - Duration::from_secs(ago));
    apply(&database, &[seen(1, "a", before)]).await;
    let subject = seen(1, "a", before).subject;
    let (a, b) = (digest("a"), digest("b"));
    database.mark(Mark::Missing, [&subject], mark, writer(Some("test"))).await.unwrap();
    let confirm = async |digest: &Digest, at| {
        let confirmed = [(&subject, digest.as_str())];
        database.confirm(confirmed, at, writer(Some("test"))).await.unwrap()
    };
    confirm(&a, head).await;
    assert!(missing_since(&rows).await.is_some(), "the mark is newer");
    assert_eq!(confirm(&b, now).await, None, "another writer found another digest");
    assert!(missing_since(&rows).await.is_some(), "it is not the digest that was found");
    assert!(confirm(&a, now).await.is_some());
    assert_eq!(missing_since(&rows).await, None);
}

/// Fault 38.
#[tokio::test]
async fn row_without_an_observation_is_held_back() {
    let test_database = TestDatabase::create().await.unwrap();
    let rows = test_database.connect().await.unwrap();
    let database = database(&test_database);
    let now = database.now().await.unwrap();
    let tags: Vec<Observation> = (0..3).map(|tag| seen(tag, "a", now)).collect();
    apply(&database, &tags).await;
    let forget = "DELETE FROM observations WHERE reference IN ('1.0.0', '1.1.0');
        UPDATE helm_charts SET available = false WHERE image_tag = '1.0.0'";
    rows.batch_execute(forget).await.unwrap();
    let subjects: Vec<Subject> = tags.into_iter().map(|seen| seen.subject).collect();
    database.mark(Mark::Missing, &subjects, now, writer(Some("test"))).await.unwrap();
    let held = "SELECT string_agg(reference, ' ' ORDER BY reference) FROM observations
        WHERE missing_since IS NOT NULL";
    let held: String = rows.query_one(held, &[]).await.unwrap().get(0);
    assert_eq!(held, "1.1.0 1.2.0", "a row that is unavailable has nothing to lose");
}
