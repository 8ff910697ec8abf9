//! What `oci-poll` makes of tags that disappear, come back, and move.

use std::time::Duration;

use serde_json::{Value, json};
use tests::function::Function;

use crate::support::fake_registry::FakeRegistry;
use crate::support::stack::{Stack, count, instance};

/// A fake with this many charts in one repository.
async fn charts(tags: usize) -> (FakeRegistry, Vec<String>) {
    let fake = FakeRegistry::start().await;
    let tags: Vec<String> = (0..tags).map(|n| format!("1.{n}.0")).collect();
    fake.catalog(&["a"]);
    list(&fake, &tags);
    for tag in &tags {
        fake.chart("a", tag, tag);
    }
    (fake, tags)
}

fn list(fake: &FakeRegistry, tags: &[String]) {
    fake.tags("a", &tags.iter().map(String::as_str).collect::<Vec<_>>());
}

async fn poll(function: &Function, fake: &FakeRegistry) -> Value {
    function.invoke(&instance(&fake.url())).await.unwrap()
}

fn numbers(summary: &Value) -> (u64, u64, u64) {
    let number = |field: &str| summary[field].as_u64().unwrap();
    (number("added"), number("unavailable"), number("held"))
}

/// Lets time pass for what is missing.
async fn wait(stack: &Stack, interval: &str) {
    let sql =
        format!("UPDATE observations SET missing_since = missing_since - interval '{interval}'");
    stack.rows.execute(&sql, &[]).await.unwrap();
}

async fn available(stack: &Stack) -> i64 {
    count(&stack.rows, "SELECT count(*) FROM helm_charts WHERE available").await
}

#[tokio::test]
async fn a_deleted_tag_is_noticed_and_comes_back_as_the_same_row() {
    let stack = Stack::new().await;
    let pushed = stack.pusher.push_chart("demo/hello", "1.0.0", "a").await.unwrap();
    let other = stack.pusher.push_chart("demo/hello", "2.0.0", "b").await.unwrap();
    let function = stack.oci_poll().await;
    function.invoke(&stack.instance()).await.unwrap();
    let before = stack
        .rows
        .query_one("SELECT id::text FROM helm_charts WHERE image_tag = '1.0.0'", &[])
        .await
        .unwrap();
    stack.pusher.delete("demo/hello", &pushed).await.unwrap();
    let summary = function.invoke(&stack.instance()).await.unwrap();
    assert_eq!((numbers(&summary), &summary["complete"]), ((0, 1, 0), &json!(true)), "{summary}");
    let (gone, left) = (
        format!("LOCAL demo/hello hello 1.0.0 {pushed}"),
        format!("LOCAL demo/hello hello 2.0.0 {other}"),
    );
    assert_eq!(stack.charts().await, [format!("{gone} gone"), format!("{left} available")]);
    assert_eq!(numbers(&function.invoke(&stack.instance()).await.unwrap()), (0, 0, 0));

    stack.pusher.push_chart("demo/hello", "1.0.0", "a").await.unwrap();
    assert_eq!(numbers(&function.invoke(&stack.instance()).await.unwrap()), (1, 0, 0));
    assert_eq!(stack.charts().await, [format!("{gone} available"), format!("{left} available")]);
    let after = stack
        .rows
        .query_one("SELECT id::text FROM helm_charts WHERE image_tag = '1.0.0'", &[])
        .await
        .unwrap();
    assert_eq!(after.get::<_, String>(0), before.get::<_, String>(0));
}

#[tokio::test]
async fn the_last_tag_of_a_repository_may_go_and_the_repository_may_come_back() {
    let stack = Stack::new().await;
    let pushed = stack.pusher.push_chart("demo/hello", "1.0.0", "a").await.unwrap();
    let function = stack.oci_poll().await;
    function.invoke(&stack.instance()).await.unwrap();
    stack.pusher.delete("demo/hello", &pushed).await.unwrap();
    assert_eq!(numbers(&function.invoke(&stack.instance()).await.unwrap()), (0, 1, 0));
    assert_eq!(available(&stack).await, 0);
    stack.pusher.push_chart("demo/hello", "1.0.0", "a").await.unwrap();
    assert_eq!(numbers(&function.invoke(&stack.instance()).await.unwrap()), (1, 0, 0));
}

#[tokio::test]
async fn a_tag_missing_from_a_list_and_there_when_asked_for_stays() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    list(&fake, &tags[1..]);
    for manifests in [1, 0, 0] {
        let summary = poll(&function, &fake).await;
        assert_eq!(
            (numbers(&summary), &summary["manifests"]),
            ((0, 0, 0), &json!(manifests)),
            "asked for once"
        );
    }
    // It is gone later, and no list tells: it is looked at again after verifyInterval.
    fake.absent("a", &tags[0]);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    let hours = "UPDATE observations SET observed_at = observed_at - interval '1 hour', changed_at \
                 = changed_at - interval '1 hour'";
    stack.rows.execute(hours, &[]).await.unwrap();
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 1, 0));
}

/// Fault 22.
#[tokio::test]
async fn error_on_page_three_of_five_marks_nothing() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    for n in 0..5 {
        let query = if n == 0 { "n=1000".to_owned() } else { format!("last=r{}", n - 1) };
        let page = fake
            .answer(&format!("/v2/_catalog?{query}"), json!({"repositories": [format!("r{n}")]}));
        if n < 4 {
            page.link(&format!("</v2/_catalog?last=r{n}>; rel=\"next\""));
        }
        fake.tags(&format!("r{n}"), &["1.0.0"]);
        fake.chart(&format!("r{n}"), "1.0.0", "x");
    }
    let function = stack.oci_poll().await;
    assert_eq!(numbers(&poll(&function, &fake).await), (5, 0, 0));
    fake.answer("/v2/_catalog?last=r1", json!("")).status(500);
    for _ in 0..2 {
        let summary = poll(&function, &fake).await;
        assert_eq!(
            (numbers(&summary), &summary["complete"]),
            ((0, 0, 0), &json!(false)),
            "{summary}"
        );
        let errors = summary["errors"].as_array().unwrap();
        assert!(
            errors.len() == 1
                && errors[0].as_str().unwrap().starts_with("the catalog cannot be read"),
            "{summary}"
        );
    }
    assert_eq!(available(&stack).await, 5);
    // The same with the pages of a repository's tags.
    let (fake, tags) = charts(5).await;
    let mut other = instance(&fake.url());
    other["name"] = json!("other");
    assert_eq!(numbers(&function.invoke(&other).await.unwrap()), (5, 0, 0));
    list(&fake, &tags[..1]);
    fake.tags("a", &["1.0.0"]).link("<?last=1.0.0>; rel=next");
    fake.answer("/v2/a/tags/list?last=1.0.0", json!("")).status(500);
    assert_eq!(numbers(&function.invoke(&other).await.unwrap()), (0, 0, 0));
    assert_eq!(available(&stack).await, 10);
}

/// Fault 23.
#[tokio::test]
async fn sharply_smaller_list_is_held_back_until_it_lasts() {
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

    // It is remembered by the database, not by a process; and nobody asks for the manifests
    // meanwhile.
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
async fn being_seen_again_ends_the_hold() {
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
    // The next disappearance is another one, with its own time.
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
    // Only verification can notice, as the list stays as it is. Without a cursor everything is
    // verified.
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
async fn many_small_disappearances_within_an_hour_count_as_a_mass() {
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
    // An hour later the eight of before do not count any more.
    let hour = "UPDATE observations SET changed_at = changed_at - interval '1 hour'";
    stack.rows.execute(hour, &[]).await.unwrap();
    list(&fake, &tags[17..]);
    fake.absent("a", &tags[16]);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 1, 8));
}

/// Fault 23.
#[tokio::test]
async fn empty_catalog_deletes_nothing_at_once() {
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
            ((0, 0, 3), &json!(true)),
            "{summary}"
        );
    }
    assert_eq!(fake.asked().len(), asked + 2, "the catalog, and nothing else");
    // The charts are there when they are asked for at last: so it was the catalog that was wrong.
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    assert_eq!(available(&stack).await, 3);
    // And when they are not, they are gone.
    for tag in &tags {
        fake.absent("a", tag);
    }
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 3));
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 3, 0));
}

#[tokio::test]
async fn a_repository_that_leaves_the_catalog_is_asked_for_and_a_denied_one_is_held_back() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    for name in ["deleted", "denied", "hidden", "kept"] {
        fake.tags(name, &["1.0.0"]);
        fake.chart(name, "1.0.0", name);
    }
    fake.catalog(&["deleted", "denied", "hidden", "kept"]);
    let function = stack.oci_poll().await;
    assert_eq!(numbers(&poll(&function, &fake).await), (4, 0, 0));
    fake.catalog(&["kept"]);
    let denied = json!({"errors": [{"code": "NAME_UNKNOWN"}]});
    for name in ["deleted", "denied"] {
        fake.answer(&format!("/v2/{name}/tags/list?n=1000"), denied.clone()).status(404);
    }
    fake.absent("deleted", "1.0.0");
    fake.answer("/v2/denied/manifests/1.0.0", denied).status(404);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 1, 1));
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 1));
    // A repository that the catalog hides is followed all the same.
    fake.tags("hidden", &["1.0.0", "2.0.0"]);
    fake.chart("hidden", "2.0.0", "new");
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 0, 1));
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 1, 0));
    assert_eq!(available(&stack).await, 3);
}

#[tokio::test]
async fn what_the_instance_no_longer_selects_stays_as_it_is() {
    let stack = Stack::new().await;
    let (fake, _) = charts(2).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    fake.catalog(&["b"]);
    fake.tags("b", &[]);
    let mut instance = instance(&fake.url());
    instance["oci"]["exclude"] = json!(["a"]);
    assert_eq!(numbers(&function.invoke(&instance).await.unwrap()), (0, 0, 0));
    assert_eq!(available(&stack).await, 2);
}

#[tokio::test]
async fn moved_tags_are_noticed_within_twice_the_verify_interval_and_unmoved_ones_cost_no_write() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(40).await;
    let mut instance = instance(&fake.url());
    instance["oci"]["pollInterval"] = json!("100ms");
    instance["oci"]["verifyInterval"] = json!("1s");
    let function = stack.oci_poll().await;
    // An interval passes since the tags were seen.
    let older = "UPDATE observations SET observed_at = observed_at - interval '1 second', \
                 changed_at = changed_at - interval '1 second'";
    function.invoke_within(&instance, Duration::from_secs(2)).await.unwrap();
    fake.chart("a", &tags[7], "moved");
    let image = json!({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}});
    let digest = shared::domain::Digest::sha256(image.to_string().as_bytes());
    fake.answer(&format!("/v2/a/manifests/{}", tags[8]), image)
        .header("docker-content-digest", digest.as_str());
    stack.rows.execute(older, &[]).await.unwrap();
    let before = (fake.count("GET", "/manifests/"), fake.count("HEAD", "/manifests/"));
    let (mut added, mut unavailable) = (0, 0);
    for _ in 0..3 {
        // Time for passes over two seconds, in which every slot falls due.
        let summary = function.invoke_within(&instance, Duration::from_secs(4)).await.unwrap();
        (added, unavailable) = (added + numbers(&summary).0, unavailable + numbers(&summary).1);
        if unavailable == 2 {
            break;
        }
    }
    assert_eq!((added, unavailable), (1, 2));
    let gets = fake.count("GET", "/manifests/") - before.0;
    println!(
        "{} HEAD requests, {gets} GET for 2 moved tags of 40",
        fake.count("HEAD", "/manifests/") - before.1
    );
    assert_eq!(gets, 2, "only what has moved is fetched");
    let moved =
        format!("SELECT count(*) FROM helm_charts WHERE image_tag = '{}' AND available", tags[7]);
    assert_eq!((available(&stack).await, count(&stack.rows, &moved).await), (39, 1));
}

/// Fault 24.
#[tokio::test]
async fn tag_that_moves_while_it_is_read_converges() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    // The HEAD request sees one digest, the GET after it another, and then it moves once more.
    stack.dynamodb.clear().await.unwrap();
    let path = format!("/v2/a/manifests/{}", tags[0]);
    let config = json!({"mediaType": "application/vnd.cncf.helm.config.v1+json"});
    let second = json!({"config": config, "annotations": {"content": "second"}});
    fake.answer(&path, json!({"config": config}))
        .then(second.clone())
        .then(json!({"config": config}));
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 1, 0));
    let digest = |manifest: &Value| shared::domain::Digest::sha256(manifest.to_string().as_bytes());
    let sql = format!(
        "SELECT count(*) FROM helm_charts WHERE available AND image_digest = '{}'",
        digest(&second)
    );
    assert_eq!(count(&stack.rows, &sql).await, 1);
    stack.dynamodb.clear().await.unwrap();
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 1, 0));
    assert_eq!(available(&stack).await, 1);
}
