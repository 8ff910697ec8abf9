//! Walks through the admin pages in a browser.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use shared::domain::Digest;
use tests::admin::Admin;
use tests::browser::Browser;
use tests::chart::Archive;
use tests::function::Function;
use tests::function_url::Endpoint;
use tests::tools;

use super::admin_site::client;
use super::stack::Stack;

/// Packs a chart `api` of this version.
pub(crate) fn archive(version: &str, description: &str) -> Vec<u8> {
    let chart = format!(
        "apiVersion: v2\nname: api\nversion: {version}\nappVersion: '7'\ndescription: \
         {description:?}\n"
    );
    Archive::new().file("api/Chart.yaml", chart).pack()
}

/// Returns the folder for pictures of the pages.
pub(crate) fn pictures() -> PathBuf {
    let folder = tools::workspace().join("target/screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Starts `admin` on the rows of a stack, with more settings.
pub(crate) async fn admin(stack: &Stack, more: &[(&str, &str)]) -> Admin {
    let usual = [("DATABASE_URL", stack.database.url()), ("ENABLE_TAG_PARSER", "true")];
    Admin::start(&[&usual[..], more].concat()).await.unwrap()
}

/// A site, and a browser that runs no script.
pub(crate) struct Walk {
    pub(crate) stack: Stack,
    pub(crate) admin: Admin,
    pub(crate) poll: Arc<Function>,
    pub(crate) browser: Browser,
    _lambda: Endpoint,
}

impl Walk {
    pub(crate) async fn new() -> Self {
        let (stack, browser) = (Stack::new().await, Browser::start().await.unwrap());
        browser.send("Emulation.setScriptExecutionDisabled", json!({"value": true})).await.unwrap();
        let poll = Arc::new(stack.oci_poll_with(&[("ENABLE_TAG_PARSER", "true")]).await);
        let lambda = Endpoint::lambda([Arc::clone(&poll)]).await.unwrap();
        let url = lambda.url();
        let admin = admin(&stack, &Endpoint::lambda_settings(&url)).await;
        Self { stack, admin, poll, browser, _lambda: lambda }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.admin.url())
    }

    pub(crate) async fn open(&self, page: &str) {
        self.browser.open(&self.url(&format!("/admin/{page}"))).await.unwrap();
    }

    pub(crate) async fn push(&self, repository: &str, tag: &str, version: &str) -> Digest {
        self.stack.pusher.push_archive(repository, tag, &archive(version, "Answers")).await.unwrap()
    }

    pub(crate) async fn poll(&self) {
        self.poll.invoke(&self.stack.instance()).await.unwrap();
    }

    pub(crate) async fn wait_for(&self, css: &str) -> Vec<String> {
        self.browser.wait_for(css, |found| !found.is_empty()).await.unwrap()
    }

    pub(crate) async fn fill_and_click(&self, field: &str, text: &str, button: &str) {
        self.browser.fill(field, text).await.unwrap();
        self.browser.click(button).await.unwrap();
    }

    /// Returns the tags in the table of the page.
    pub(crate) async fn tags(&self) -> Vec<String> {
        self.browser.texts(".charts .tag").await.unwrap()
    }

    /// Returns the reference of a repository on the local registry.
    pub(crate) fn place(&self, repository: &str) -> String {
        self.stack.reference(repository)
    }

    pub(crate) async fn picture(&self, name: &str) {
        self.browser.picture(&pictures(), name).await.unwrap();
    }

    /// Returns the lines of the log about changes.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.admin
            .log()
            .into_iter()
            .filter(|line| line.contains("\"message\":\"changed\""))
            .collect()
    }
}

/// Returns the status and the JSON at an address.
pub(crate) async fn get(url: &str) -> (u16, Value) {
    let answer = client().get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}
