//! moto: Secrets Manager and other AWS services, for the functions that call them.

use std::ffi::OsStr;

use anyhow::{Context as _, ensure};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::supervise::Supervised;
use crate::tools;

/// A running moto. It ends with this.
#[derive(Debug)]
pub struct Moto {
    _process: Supervised,
    url: String,
}

impl Moto {
    /// Starts a moto without any resources in it.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("chart-discovery-moto-").tempdir()?;
        let python = tools::python()?;
        let mut command: Vec<&OsStr> = vec![python.as_os_str()];
        command.extend(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"].map(OsStr::new));
        let process = Supervised::start(folder, &command, None)?;
        let running_on = |line: &str| Some(line.split_once("Running on ")?.1.trim().to_owned());
        let url = process.log().wait_for(running_on).await.context("moto did not start")?;
        Ok(Self { _process: process, url })
    }

    /// The settings that let a function find it.
    #[must_use]
    pub fn settings(&self) -> [(&str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", self.url.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ]
    }

    /// Stores a secret and gives its ARN.
    ///
    /// # Errors
    /// When moto refuses.
    pub async fn create_secret(&self, name: &str, secret: &Value) -> anyhow::Result<String> {
        let tls = shared::tls::client_config(None)?;
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).build()?;
        let request = json!({"Name": name, "SecretString": secret.to_string()});
        let answer = http
            .post(&self.url)
            .header("x-amz-target", "secretsmanager.CreateSecret")
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            // moto checks no signature; it reads the service's name here.
            .header(AUTHORIZATION, "AWS4-HMAC-SHA256 Credential=local/20261122/us-east-1/secretsmanager/aws4_request")
            .body(request.to_string())
            .send()
            .await?;
        ensure!(answer.status().is_success(), "moto refused the secret: {}", answer.status());
        let answer: Value = serde_json::from_slice(&answer.bytes().await?)?;
        let arn = answer.get("ARN").and_then(Value::as_str);
        Ok(arn.context("moto gave no ARN")?.to_owned())
    }
}
