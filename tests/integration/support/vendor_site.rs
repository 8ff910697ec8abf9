//! A registry without a catalog, the API of its vendor, and the instance that polls both.

use serde_json::{Value, json};
use tests::function::Function;
use tests::moto::Moto;

use super::fake_registry::FakeRegistry;
use super::stack::{Stack, instance};

/// A registry without a catalog, and the API of its vendor.
pub(crate) struct VendorSite {
    pub(crate) stack: Stack,
    pub(crate) registry: FakeRegistry,
    pub(crate) api: FakeRegistry,
    pub(crate) instance: Value,
    pub(crate) function: Function,
    moto: Moto,
}

impl VendorSite {
    /// Starts the servers, and an instance whose secret is `secret`; without one if it is null.
    pub(crate) async fn start(catalog: &str, secret: Value) -> Self {
        let (stack, moto) = (Stack::new().await, Moto::start().await.unwrap());
        let (registry, api) = (FakeRegistry::start().await, FakeRegistry::start().await);
        let mut instance = instance(&registry.url());
        instance["oci"]["catalog"] = json!(catalog);
        instance["oci"]["catalogUrl"] = json!(api.url());
        instance["oci"]["catalogInterval"] = json!("0s");
        if !secret.is_null() {
            let arn = moto.create_secret("registry", &secret).await.unwrap();
            instance["oci"]["credentialsSecretArn"] = json!(arn);
        }
        let function = function(&stack, &moto).await;
        Self { stack, registry, api, instance, function, moto }
    }

    /// Pushes a chart to each repository.
    pub(crate) fn push(&self, repositories: &[&str]) {
        for repository in repositories {
            self.registry.tags(repository, &["1.0.0"]);
            self.registry.chart(repository, "1.0.0", repository);
        }
    }

    /// Replaces the secret that the instance has.
    pub(crate) async fn replace_secret(&self, secret: &Value) {
        let arn = self.instance["oci"]["credentialsSecretArn"].as_str().unwrap();
        self.moto.put_secret(arn, secret).await.unwrap();
    }

    /// Sets a field of the instance, or takes it out if the value is null.
    pub(crate) fn set(&mut self, field: &str, value: Value) {
        self.instance["oci"][field] = value;
    }

    pub(crate) async fn poll(&self) -> Value {
        self.function.invoke(&self.instance).await.unwrap()
    }

    /// Polls in another process, which remembers only what is stored.
    pub(crate) async fn poll_anew(&self) -> Value {
        function(&self.stack, &self.moto).await.invoke(&self.instance).await.unwrap()
    }

    /// Returns the repositories that have an available chart, sorted.
    pub(crate) async fn repositories(&self) -> Vec<String> {
        let lines = self.stack.charts().await;
        let of = |line: &String| line.split(' ').nth(1).unwrap().to_owned();
        let available = lines.iter().filter(|line| line.ends_with(" available"));
        let mut names: Vec<String> = available.map(of).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns the error in the instance's health.
    pub(crate) async fn health(&self) -> String {
        let sql = "SELECT coalesce(last_error, '') FROM discovery_instances WHERE name = 'test'";
        self.stack.rows.query_one(sql, &[]).await.unwrap().get(0)
    }
}

async fn function(stack: &Stack, moto: &Moto) -> Function {
    stack.oci_poll_with(&[("AWS_ENDPOINT_URL_SECRETS_MANAGER", moto.settings()[0].1)]).await
}

/// Returns the only error of a summary.
#[track_caller]
pub(crate) fn only_error(summary: &Value) -> &str {
    let errors = summary["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{summary}");
    errors[0].as_str().unwrap()
}
