//! Hints of webhooks reach rows: one look per repository, and no message is lost or believed.

use serde_json::{Value, json};
use tests::function::Function;

use crate::support::fake_registry::FakeRegistry;
use crate::support::hints::{at, batch_of, hint, hinted};
use crate::support::oci_poll::{available, charts, list, numbers, poll};
use crate::support::stack::{Stack, batch, count, failed, instance};

/// Invokes the function with some hints, and returns the requests that the registry got for them.
async fn requests_for(function: &Function, fake: &FakeRegistry, hints: &[Value]) -> Vec<String> {
    let before = fake.asked().len();
    assert_eq!(function.invoke(&batch_of(hints)).await.unwrap(), failed(&[]));
    let mut asked: Vec<String> = fake.asked()[before..]
        .iter()
        .map(|asked| format!("{} {}", asked.method, asked.path))
        .collect();
    asked.sort();
    asked
}

#[tokio::test]
async fn hint_makes_a_row_of_a_pushed_tag_and_costs_one_repository() {
    let stack = Stack::new().await;
    let (fake, mut tags) = charts(2).await;
    fake.catalog(&["a", "b"]);
    fake.tags("b", &["1.0.0"]);
    fake.chart("b", "1.0.0", "b");
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    tags.push("2.0.0".to_owned());
    list(&fake, &tags);
    fake.chart("a", "2.0.0", "new");
    let asked = requests_for(&function, &fake, &[hint("a", Some("2.0.0"))]).await;
    let list = "GET /v2/a/tags/list?n=1000".to_owned();
    assert!(asked[0].starts_with("GET /v2/a/blobs/"), "{asked:?}");
    assert_eq!(asked[1..], ["GET /v2/a/manifests/2.0.0".to_owned(), list.clone()]);
    assert_eq!(available(&stack).await, 4);

    // The same message again finds nothing to do.
    let asked = requests_for(&function, &fake, &[hint("a", Some("2.0.0"))]).await;
    assert_eq!(asked, [list, "HEAD /v2/a/manifests/2.0.0".to_owned()]);

    // The next pass compares this repository only, and sends no request for a tag.
    let before = fake.asked().len();
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 0));
    assert_eq!(fake.asked().len(), before + 3, "the catalog and two lists");
    let log = function.log();
    assert!(!log.iter().any(|line| line.contains("every list is compared")), "{log:?}");
    assert!(log.iter().any(|line| line.contains("other writers changed repositories")), "{log:?}");
}

#[tokio::test]
async fn many_hints_of_one_repository_cost_one_look() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(3).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    fake.chart("a", &tags[0], "moved");
    let hints = [
        hint("a", Some(&tags[0])),
        hint("a", Some(&tags[0])),
        hint("a", Some(&tags[1])),
        hint("a", Some("9.9.9")),
    ];
    let asked = requests_for(&function, &fake, &hints).await;
    assert_eq!(asked.iter().filter(|asked| asked.contains("/tags/list")).count(), 1, "{asked:?}");
    assert_eq!(asked.iter().filter(|asked| asked.starts_with("HEAD")).count(), 2, "{asked:?}");
    assert_eq!(available(&stack).await, 3);
    let moved = "SELECT count(*) FROM helm_charts WHERE image_tag = '1.0.0'";
    assert_eq!(count(&stack.rows, moved).await, 2);
}

#[tokio::test]
async fn hint_without_a_tag_finds_moved_and_deleted_tags() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(12).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    fake.chart("a", &tags[3], "moved");
    fake.absent("a", &tags[0]);
    list(&fake, &tags[1..]);
    let asked = requests_for(&function, &fake, &[hint("a", None)]).await;
    assert_eq!(asked.iter().filter(|asked| asked.starts_with("HEAD")).count(), 11, "{asked:?}");
    assert_eq!(available(&stack).await, 11);
    let moved = format!("SELECT count(*) FROM helm_charts WHERE image_tag = '{}'", tags[3]);
    assert_eq!(count(&stack.rows, &moved).await, 2);
}

#[tokio::test]
async fn hint_without_a_tag_asks_for_the_newest_thousand_tags_at_most() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&["a"]);
    let tags: Vec<String> = (0..1100).map(|n| format!("1.{n}.0")).collect();
    list(&fake, &tags);
    let digest = shared::domain::Digest::sha256(b"x");
    let image = json!({"config": {"mediaType": "application/vnd.oci.image.config.v1+json"},
        "layers": [], "annotations": {"of": digest.as_str()}});
    for tag in &tags {
        let digest = shared::domain::Digest::sha256(image.to_string().as_bytes());
        fake.answer(&format!("/v2/a/manifests/{tag}"), image.clone())
            .header("docker-content-digest", digest.as_str());
    }
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let asked = requests_for(&function, &fake, &[hint("a", None)]).await;
    let heads: Vec<&String> = asked.iter().filter(|asked| asked.starts_with("HEAD")).collect();
    assert_eq!(heads.len(), 1000);
    assert!(!heads.iter().any(|asked| asked.ends_with("/1.99.0")));
    assert!(heads.iter().any(|asked| asked.ends_with("/1.100.0")));
}

/// A webhook's deletions have the poll's rules: what disappears in a mass is held back.
#[tokio::test]
async fn mass_disappearance_is_held_back_although_a_webhook_named_it() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(30).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    for tag in &tags[..20] {
        fake.absent("a", tag);
    }
    list(&fake, &tags[20..]);
    requests_for(&function, &fake, &[hint("a", Some(&tags[0]))]).await;
    assert_eq!(available(&stack).await, 30);
    let held = "SELECT count(*) FROM observations WHERE missing_since IS NOT NULL";
    assert_eq!(count(&stack.rows, held).await, 20);
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 20));
}

#[tokio::test]
async fn message_that_is_no_hint_fails_alone() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    fake.chart("a", &tags[0], "moved");
    let good = hint("a", Some(&tags[0])).to_string();
    let bodies = ["not JSON".to_owned(), good, "{}".to_owned(), r#"{"hint":{}}"#.to_owned()];
    assert_eq!(function.invoke(&batch(&bodies)).await.unwrap(), failed(&["m0", "m2", "m3"]));
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts").await, 2);
}

#[tokio::test]
async fn hint_that_concerns_nothing_is_dropped_with_a_log_line() {
    let stack = Stack::new().await;
    let (fake, _) = charts(1).await;
    let function = stack.oci_poll().await;
    let mut known = instance(&fake.url());
    known["oci"]["exclude"] = json!(["secret/**"]);
    function.invoke(&known).await.unwrap();
    let hints = [
        hinted(&json!({"instance": "unknown", "repository": "a"})),
        hint("secret/b", Some("1.0.0")),
        hint("unknown", Some("1.0.0")),
    ];
    let asked = requests_for(&function, &fake, &hints).await;
    assert_eq!(asked, ["GET /v2/unknown/tags/list?n=1000"]);
    let log = function.log().concat();
    for said in ["no such instance was ever polled", "the instance does not select it"] {
        assert!(log.contains(said), "{log}");
    }
}

#[tokio::test]
async fn repository_that_the_registry_denies_fails_no_message_and_loses_no_row() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(1).await;
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    for status in [401, 403] {
        let denied = json!({"errors": [{"code": "DENIED"}]});
        fake.answer("/v2/a/tags/list?n=1000", denied).status(status);
        requests_for(&function, &fake, &[hint("a", Some(&tags[0])), hint("a", None)]).await;
    }
    let unknown = json!({"errors": [{"code": "NAME_UNKNOWN"}]});
    fake.answer("/v2/a/tags/list?n=1000", unknown).status(404);
    requests_for(&function, &fake, &[hint("a", Some(&tags[0])), hint("a", Some("9.9.9"))]).await;
    assert_eq!(available(&stack).await, 1);
}

#[tokio::test]
async fn hint_comes_again_if_the_registry_or_the_database_does_not_answer() {
    let stack = Stack::new().await;
    let (fake, tags) = charts(2).await;
    fake.catalog(&["a", "b"]);
    fake.tags("b", &["1.0.0"]);
    fake.chart("b", "1.0.0", "b");
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    fake.answer("/v2/a/tags/list?n=1000", json!({})).status(500);
    fake.chart("b", "1.0.0", "moved").status(500);
    let hints = [hint("a", Some(&tags[0])), hint("b", Some("1.0.0")), hint("unknown", None)];
    assert_eq!(function.invoke(&batch_of(&hints)).await.unwrap(), failed(&["m0", "m1"]));
    list(&fake, &tags);
    fake.chart("b", "1.0.0", "moved");
    // The failed look waits for its next try, but the message asks for a look now.
    assert_eq!(function.invoke(&batch_of(&hints)).await.unwrap(), failed(&[]));
    assert_eq!(count(&stack.rows, "SELECT count(*) FROM helm_charts").await, 4);
    stack.rows.execute("ALTER TABLE observations RENAME TO away", &[]).await.unwrap();
    assert_eq!(function.invoke(&batch_of(&hints)).await.unwrap(), failed(&["m0", "m1"]));
}

#[tokio::test]
async fn key_of_artifactory_stands_in_front_where_the_registry_has_it_so() {
    let stack = Stack::new().await;
    let fake = FakeRegistry::start().await;
    fake.catalog(&[]);
    for repository in ["local/tea", "milk"] {
        fake.tags(repository, &["1.0.0"]);
        fake.chart(repository, "1.0.0", repository);
    }
    let function = stack.oci_poll().await;
    poll(&function, &fake).await;
    let keyed = |repository: &str| {
        hinted(&json!({"instance": "test", "repository": repository, "key": "local",
            "tag": "1.0.0"}))
    };
    let batch = batch_of(&[keyed("tea"), keyed("milk"), at("test", "local/tea", None)]);
    assert_eq!(function.invoke(&batch).await.unwrap(), failed(&[]));
    let found = "SELECT count(*) FROM helm_registries WHERE repo_name IN ('local/tea', 'milk')";
    assert_eq!((count(&stack.rows, found).await, available(&stack).await), (2, 2));

    // The database knows it, so that its deletion is followed too.
    fake.tags("local/tea", &[]);
    fake.absent("local/tea", "1.0.0");
    assert_eq!(function.invoke(&batch_of(&[keyed("tea")])).await.unwrap(), failed(&[]));
    assert_eq!(available(&stack).await, 1);
    assert_eq!(fake.count("", "/v2/tea/"), 0);
}
