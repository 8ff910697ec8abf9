//! A user without the rights of a site admin sees kinds only.

use std::sync::Arc;

use tests::browser::Browser;
use tests::function::Function;
use tests::function_url::Endpoint;

use crate::support::stack::Stack;
use crate::support::walk::{archive, pictures};

#[tokio::test]
async fn user_sees_only_kinds() {
    let (stack, browser, pictures) =
        (Stack::new().await, Browser::start().await.unwrap(), pictures());
    stack.pusher.push_archive("team-a/api", "1.0.0", &archive("1.0.0", "Answers")).await.unwrap();
    stack.oci_poll().await.invoke(&stack.instance()).await.unwrap();
    let settings = [
        ("DATABASE_URL", stack.database.url()),
        ("ADMIN_AUTH", "iam"),
        ("SITE_ADMINS", "arn:aws:iam::123456789012:role/platform"),
    ];
    let function = Arc::new(Function::start("admin", &settings).await.unwrap());
    let jane = "arn:aws:iam::123456789012:user/jane";
    let site = Endpoint::function_url(Arc::clone(&function), Some(jane)).await.unwrap();
    browser.open(&format!("{}/admin", site.url())).await.unwrap();
    assert_eq!(browser.texts("nav[aria-label=Sections] a").await.unwrap(), ["Kinds"]);
    assert!(browser.texts(".user").await.unwrap()[0].ends_with("jane"));
    browser.follow("api").await.unwrap();
    browser.wait_for(".charts .tag", |tags| tags == ["1.0.0"]).await.unwrap();
    assert!(browser.texts("main form, main a[href*=helm-registries]").await.unwrap().is_empty());
    browser.picture(&pictures, "kind-of-a-user").await.unwrap();
    for page in ["helm-registries", "tag-formats", "instances", "diagnose"] {
        browser.open(&format!("{}/admin/{page}", site.url())).await.unwrap();
        assert_eq!(browser.texts("h1").await.unwrap(), ["Forbidden"], "{page}");
    }
    browser.picture(&pictures, "forbidden").await.unwrap();

    // A site admin renames a kind through a Function URL of the same function.
    let joe = "arn:aws:sts::123456789012:assumed-role/platform/joe";
    let site = Endpoint::function_url(function, Some(joe)).await.unwrap();
    browser.open(&format!("{}/admin/kinds", site.url())).await.unwrap();
    browser.follow("api").await.unwrap();
    browser.fill("input[name=name]", "Answers").await.unwrap();
    browser.click("#rename ~ form button").await.unwrap();
    browser.wait_for("h1", |title| title == ["Answers"]).await.unwrap();
}
