//! Many charts disappear within an hour. `oci-poll` holds them back before it marks them
//! unavailable.

use std::time::Duration;

use serde_json::json;

use crate::support::database_proxy::DatabaseProxy;
use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, charts, list, numbers, poll, wait};
use crate::support::stack::{Stack, count, instance};

/// Fault 23.
#[tokio::test]
async fn sharply_smaller_list_is_believed_only_after_the_hold() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(30).await;
    poll(&stack.oci_poll().await, &fake).await;
    list(&fake, &tags[11..]);
    tags[..11].iter().for_each(|tag| fake.absent("a", tag));
    let summary = poll(&stack.oci_poll().await, &fake).await;
    assert_eq!((numbers(&summary), &summary["complete"]), ((0, 0, 11), &json!(true)), "{summary}");
    let health = "SELECT last_error FROM discovery_instances";
    let said: String = stack.rows.query_one(health, &[]).await.unwrap().get(0);
    assert!(said.contains("11 tags are missing") && said.contains("oci.deletionHold"), "{said}");

    // The hold is in the database, so a new process knows it. During the hold, the poller requests
    // no manifest.
    wait(&stack, "59 minutes").await;
    let asked = fake.count("GET", "/manifests/");
    assert_eq!(numbers(&poll(&stack.oci_poll().await, &fake).await), (0, 0, 11));
    assert_eq!(fake.count("GET", "/manifests/"), asked);
    assert_eq!(available(&stack).await, 30);
    wait(&stack, "1 minute").await;
    assert_eq!(numbers(&poll(&stack.oci_poll().await, &fake).await), (0, 11, 0));
    assert_eq!(available(&stack).await, 19);
    let summary = poll(&stack.oci_poll().await, &fake).await;
    assert_eq!(numbers(&summary), (0, 0, 0));
    assert_eq!(
        count(&stack.rows, "SELECT count(*) FROM discovery_instances WHERE last_error IS NULL")
            .await,
        1
    );
}

/// Fault 23.
#[tokio::test]
async fn charts_that_return_are_no_longer_held_back() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(30).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    list(&fake, &tags[11..]);
    tags[..11].iter().for_each(|tag| fake.absent("a", tag));
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 11));
    list(&fake, &tags);
    for tag in &tags {
        fake.chart("a", tag, tag);
    }
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    assert_eq!(
        count(&stack.rows, "SELECT count(*) FROM observations WHERE missing_since IS NOT NULL")
            .await,
        0
    );
    // The next disappearance starts a new hold.
    list(&fake, &tags[11..]);
    tags[..11].iter().for_each(|tag| fake.absent("a", tag));
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 11));
}

/// Fault 23.
#[tokio::test]
async fn deleted_charts_that_stay_listed_are_retired_after_the_hold() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(30).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    // The list stays the same, so only verification can notice the deletions. Without a cursor, the
    // poller verifies every tag.
    tags[..11].iter().for_each(|tag| fake.absent("a", tag));
    stack.dynamodb.clear().await.unwrap();
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 11));
    wait(&stack, "59 minutes").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 11));
    wait(&stack, "1 minute").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 11, 0));
    assert_eq!(available(&stack).await, 19);
}

/// Fault 23.
#[tokio::test]
async fn small_disappearances_within_an_hour_count_together_as_a_mass() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(30).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let mut seen = Vec::new();
    for gone in [4, 8, 12, 16] {
        list(&fake, &tags[gone..]);
        tags[..gone].iter().for_each(|tag| fake.absent("a", tag));
        seen.push(numbers(&poll(&function, &fake).await));
    }
    assert_eq!(seen, [(0, 4, 0), (0, 4, 0), (0, 0, 4), (0, 0, 8)]);
    // After an hour, the eight charts that disappeared earlier no longer count.
    let hour = "UPDATE observations SET changed_at = changed_at - interval '1 hour'";
    stack.rows.execute(hour, &[]).await.unwrap();
    list(&fake, &tags[17..]);
    fake.absent("a", &tags[16]);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 1, 8));
}

/// Fault 23.
#[tokio::test]
async fn empty_catalog_deletes_nothing_immediately() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    fake.catalog(&[]);
    let asked = fake.asked().len();
    for _ in 0..2 {
        let summary = poll(&function, &fake).await;
        assert_eq!(
            (numbers(&summary), &summary["complete"]),
            ((0, 0, 3), &json!(false)),
            "{summary}"
        );
    }
    assert_eq!(fake.asked().len(), asked + 2, "the catalog, and nothing else");
    // After the hold, the poller requests the charts and finds them, so the catalog was wrong.
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    assert_eq!(available(&stack).await, 3);
    // If the charts are absent as well, the poller marks them unavailable after the hold.
    for tag in &tags {
        fake.absent("a", tag);
    }
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 3));
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 3, 0));
}

#[tokio::test]
async fn charts_overwritten_in_a_mass_are_held_back() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(30).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let overwrite = |tags: &[String]| {
        for tag in tags {
            let image =
                json!({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}});
            fake.answer(&format!("/v2/a/manifests/{tag}"), image);
        }
    };
    overwrite(&tags[..11]);
    stack.dynamodb.clear().await.unwrap();
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 11));
    assert_eq!(available(&stack).await, 30);
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 11, 0));
    // What was overwritten within the last hour counts with what disappears now.
    list(&fake, &tags[1..19]);
    tags[19..].iter().for_each(|tag| fake.absent("a", tag));
    assert_eq!(numbers(&poll(&function, &fake).await).1, 0);
    assert_eq!(available(&stack).await, 19);
}

#[tokio::test]
async fn mass_is_compared_with_the_charts_of_the_instance_alone() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    let tags: Vec<String> = (0..85).map(|n| format!("1.{n}.0")).collect();
    for (repository, tags) in [("mine", &tags[..15]), ("theirs", &tags[..])] {
        fake.tags(repository, &tags.iter().map(String::as_str).collect::<Vec<_>>());
        for tag in tags {
            fake.chart(repository, tag, tag);
        }
    }
    let function = stack.oci_poll().await;
    let instance_of = |repository: &str| {
        let mut instance = instance(&fake.url());
        instance["name"] = json!(repository);
        instance["oci"]["repositories"] = json!([repository]);
        instance
    };
    for (repository, charts) in [("mine", 15), ("theirs", 85)] {
        let summary = function.invoke(&instance_of(repository)).await.unwrap();
        assert_eq!(numbers(&summary), (charts, 0, 0));
    }
    fake.tags("mine", &[]);
    tags[..15].iter().for_each(|tag| fake.absent("mine", tag));
    let summary = function.invoke(&instance_of("mine")).await.unwrap();
    assert_eq!(numbers(&summary), (0, 0, 15), "{summary}");
    assert_eq!(available(&stack).await, 100);
}

/// Fault 23.
#[tokio::test]
async fn tags_marked_within_the_last_hour_count_as_part_of_a_mass() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(40).await;
    let function = stack.oci_poll().await;
    let mut patient = instance(&fake.url());
    patient["oci"]["deletionHold"] = json!("3h");
    let polled = async |gone: usize| {
        list(&fake, &tags[gone..]);
        tags[..gone].iter().for_each(|tag| fake.absent("a", tag));
        numbers(&function.invoke(&patient).await.unwrap())
    };
    assert_eq!(polled(0).await, (40, 0, 0));
    assert_eq!(polled(11).await, (0, 0, 11), "a mass");
    assert_eq!(polled(15).await, (0, 0, 15), "four more within the hour belong to it");
    wait(&stack, "61 minutes").await;
    assert_eq!(polled(19).await, (0, 4, 15), "four more in another hour do not");
}

/// Fault 42. Prints how long it takes. With a count per batch, the time grew with the square of the
/// lost charts.
#[tokio::test]
async fn mass_loss_counts_the_charts_of_the_instance_once() {
    const LOST: u64 = 10_000;
    let stack = Stack::new().await;
    let (fake, _) = charts(1).await;
    let mut url: url::Url = stack.database.url().parse().unwrap();
    let proxy = DatabaseProxy::start(stack.database.url()).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.port)).unwrap();
    url.set_query(Some("sslmode=disable"));
    let function = stack.oci_poll_with(&[("DATABASE_URL", url.as_str())]).await;
    poll(&function, &fake).await;
    let host = fake.url().replace("http://", "");
    let add = format!(
        "INSERT INTO helm_charts (created_at, helm_registry_id, image_digest, image_tag)
        SELECT now(), id, 'sha256:' || n, '2.' || n || '.0'
        FROM helm_registries, generate_series(1, {LOST}) AS n;
        INSERT INTO observations
            (registry_host, repo_name, reference, digest, observed_at, changed_at)
        SELECT '{host}', 'a', '2.' || n || '.0', 'sha256:' || n, at, at
        FROM generate_series(1, {LOST}) AS n, (SELECT now() - interval '2 hours' AS at) AS seen;
        ANALYZE"
    );
    stack.rows.batch_execute(&add).await.unwrap();
    stack.dynamodb.clear().await.unwrap();
    for n in 1..=LOST {
        fake.absent("a", &format!("2.{n}.0"));
    }
    let (before, began) = (proxy.requests(), std::time::Instant::now());
    let summary = function.invoke_within(&instance(&fake.url()), Duration::from_mins(3)).await;
    let (sent, took) = (proxy.requests() - before, began.elapsed());
    let counts = proxy.statements("bool_or(chart.available)");
    println!("{LOST} lost charts: {sent} statements, {counts} counts, {took:.1?}");
    let (_, lost, held) = numbers(&summary.unwrap());
    assert_eq!(lost + held, LOST);
    assert!(lost <= LOST / 5, "{lost} charts were lost before it counted as a mass");
    // A count is used for a minute.
    assert!(counts as u64 <= 1 + took.as_secs() / 60, "{counts} counts in {took:?}");
}
