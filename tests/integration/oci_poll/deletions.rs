//! Tags and repositories disappear and return.

use serde_json::json;

use crate::support::fake_registry::FakeRegistry;
use crate::support::oci_poll::{available, charts, list, numbers, poll, wait};
use crate::support::stack::{Stack, instance};

#[tokio::test]
async fn deleted_tag_is_noticed_and_returns_as_the_same_row() {
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
async fn last_tag_of_a_repository_can_be_deleted_and_pushed_again() {
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
async fn tag_missing_from_a_list_stays_if_its_manifest_exists() {
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
    // The tag is deleted later, but no list changes. The poller looks at it again after
    // verifyInterval.
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
    // The same is true for the pages of a tag list.
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

#[tokio::test]
async fn repository_missing_from_the_catalog_is_checked_and_held_back_if_denied() {
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
    // The answer about a manifest proves nothing in a repository that the registry denies.
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 2));
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 0, 2));
    // The poller still follows a repository that the catalog hides.
    fake.tags("hidden", &["1.0.0", "2.0.0"]);
    fake.chart("hidden", "2.0.0", "new");
    assert_eq!(numbers(&poll(&function, &fake).await), (1, 0, 2));
    wait(&stack, "1 hour").await;
    assert_eq!(numbers(&poll(&function, &fake).await), (0, 2, 0));
    assert_eq!(available(&stack).await, 3);
}

#[tokio::test]
async fn repository_that_the_instance_deselects_keeps_its_rows() {
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
