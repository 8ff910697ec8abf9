//! Runs moto, which emulates Secrets Manager, ECR and other AWS services.

use std::ffi::OsStr;

use anyhow::{Context as _, ensure};
use aws_sdk_ecr::operation::create_repository::CreateRepositoryError;
use aws_sdk_ecr::operation::put_image::PutImageError;
use aws_sdk_ecr::types::ImageIdentifier;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::supervise::Supervised;
use crate::tools;

/// A running moto. Dropping it ends the process.
#[derive(Debug)]
pub struct Moto {
    _process: Supervised,
    url: String,
}

impl Moto {
    /// Starts a moto without any resources.
    ///
    /// # Errors
    /// Fails if moto is not installed or does not start.
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

    /// Returns the settings with which a function finds moto.
    #[must_use]
    pub fn settings(&self) -> [(&str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", self.url.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
        ]
    }

    /// Creates a repository in ECR, unless it exists.
    ///
    /// # Errors
    /// Fails if moto refuses the request.
    pub async fn create_repository(&self, name: &str) -> anyhow::Result<()> {
        let made = self.ecr().await.create_repository().repository_name(name).send().await;
        let exists = |error: &CreateRepositoryError| error.is_repository_already_exists_exception();
        match made {
            Err(error) if !error.as_service_error().is_some_and(exists) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Adds a tag to ECR's listing, unless it is there. Its digest does not matter, because the
    /// manifests come from another registry.
    ///
    /// # Errors
    /// Fails if moto refuses the request.
    pub async fn put_image(&self, repository: &str, tag: &str) -> anyhow::Result<()> {
        let config = json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest":
            "sha256:0", "size": 0});
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let annotations = json!({"tag": tag});
        let manifest = json!({"schemaVersion": 2, "mediaType": media_type, "config": config,
            "layers": [], "annotations": annotations});
        let put = self.ecr().await.put_image().repository_name(repository).image_tag(tag);
        let put = put
            .image_manifest_media_type(media_type)
            .image_manifest(manifest.to_string())
            .send()
            .await;
        let exists = |error: &PutImageError| error.is_image_already_exists_exception();
        match put {
            Err(error) if !error.as_service_error().is_some_and(exists) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Deletes a repository from ECR.
    ///
    /// # Errors
    /// Fails if moto refuses the request.
    pub async fn delete_repository(&self, name: &str) -> anyhow::Result<()> {
        self.ecr().await.delete_repository().repository_name(name).force(true).send().await?;
        Ok(())
    }

    /// Removes a tag from ECR's listing.
    ///
    /// # Errors
    /// Fails if moto refuses the request.
    pub async fn delete_image(&self, repository: &str, tag: &str) -> anyhow::Result<()> {
        let tag = ImageIdentifier::builder().image_tag(tag).build();
        self.ecr()
            .await
            .batch_delete_image()
            .repository_name(repository)
            .image_ids(tag)
            .send()
            .await?;
        Ok(())
    }

    /// Returns a client of moto's ECR.
    pub async fn ecr(&self) -> aws_sdk_ecr::Client {
        aws_sdk_ecr::Client::new(&crate::aws::config(&self.url).await)
    }

    /// Creates a queue, and a rule on the default event bus that sends it the events that match
    /// `pattern`.
    ///
    /// # Errors
    /// Fails if moto refuses a request, for example because of the pattern.
    pub async fn rule_to_queue(&self, pattern: &str) -> anyhow::Result<Rule<'_>> {
        let queue = self.create_queue("events").await?;
        let rule = json!({"Name": "rule", "EventPattern": pattern});
        self.call("events", "AWSEvents.PutRule", &rule).await?;
        let target = json!({"Id": "queue", "Arn": "arn:aws:sqs:us-east-1:123456789012:events"});
        self.call("events", "AWSEvents.PutTargets", &json!({"Rule": "rule", "Targets": [target]}))
            .await?;
        Ok(Rule { moto: self, queue })
    }

    /// Stores a secret and returns its ARN.
    ///
    /// # Errors
    /// Fails if moto refuses the request.
    pub async fn create_secret(&self, name: &str, secret: &Value) -> anyhow::Result<String> {
        let request = json!({"Name": name, "SecretString": secret.to_string()});
        let answer = self.call("secretsmanager", "secretsmanager.CreateSecret", &request).await?;
        let arn = answer.get("ARN").and_then(Value::as_str);
        Ok(arn.context("moto returned no ARN")?.to_owned())
    }

    /// Replaces the value of a secret.
    ///
    /// # Errors
    /// Fails if moto refuses the request.
    pub async fn put_secret(&self, arn: &str, secret: &Value) -> anyhow::Result<()> {
        let request = json!({"SecretId": arn, "SecretString": secret.to_string()});
        self.call("secretsmanager", "secretsmanager.PutSecretValue", &request).await?;
        Ok(())
    }

    /// Creates a queue of SQS and returns its address.
    ///
    /// # Errors
    /// Fails if moto refuses the request.
    pub async fn create_queue(&self, name: &str) -> anyhow::Result<String> {
        let request = json!({"QueueName": name});
        let queue = self.call("sqs", "AmazonSQS.CreateQueue", &request).await?;
        Ok(queue.get("QueueUrl").and_then(Value::as_str).context("no queue")?.to_owned())
    }

    /// Takes up to ten messages from a queue. Waits up to this many seconds for the first.
    ///
    /// # Errors
    /// Fails if moto refuses the request, or if a message is not JSON.
    pub async fn receive(&self, queue: &str, seconds: u32) -> anyhow::Result<Vec<Value>> {
        let request =
            json!({"QueueUrl": queue, "WaitTimeSeconds": seconds, "MaxNumberOfMessages": 10});
        let received = self.call("sqs", "AmazonSQS.ReceiveMessage", &request).await?;
        let messages = received.get("Messages").and_then(Value::as_array);
        let mut bodies = Vec::new();
        for message in messages.into_iter().flatten() {
            let handle = message.get("ReceiptHandle").cloned();
            let delete = json!({"QueueUrl": queue, "ReceiptHandle": handle});
            self.call("sqs", "AmazonSQS.DeleteMessage", &delete).await?;
            let body = message.get("Body").and_then(Value::as_str).context("no body")?;
            bodies.push(serde_json::from_str(body)?);
        }
        Ok(bodies)
    }

    /// Calls a service for which the stack has no client.
    async fn call(&self, service: &str, target: &str, request: &Value) -> anyhow::Result<Value> {
        let tls = shared::tls::client_config(None)?;
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).build()?;
        // moto verifies no signature, but it reads the service's name here.
        let scope = format!("20261122/us-east-1/{service}/aws4_request");
        let answer = http
            .post(&self.url)
            .header("x-amz-target", target)
            .header(
                CONTENT_TYPE,
                if service == "sqs" {
                    "application/x-amz-json-1.0"
                } else {
                    "application/x-amz-json-1.1"
                },
            )
            .header(AUTHORIZATION, format!("AWS4-HMAC-SHA256 Credential=local/{scope}"))
            .body(request.to_string())
            .send()
            .await?;
        ensure!(answer.status().is_success(), "moto refused {target}: {}", answer.status());
        let body = answer.bytes().await?;
        Ok(if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? })
    }
}

/// A rule of EventBridge and the queue that it sends to.
#[derive(Debug)]
pub struct Rule<'a> {
    moto: &'a Moto,
    queue: String,
}

impl Rule<'_> {
    /// Puts an event in EventBridge's envelope on the bus. Returns the message that reached the
    /// queue, if any.
    ///
    /// # Errors
    /// Fails if moto refuses the request.
    pub async fn send(&self, event: &Value) -> anyhow::Result<Option<Value>> {
        let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default();
        let detail = event.get("detail").map(Value::to_string);
        let entry =
            json!({"Source": text("source"), "DetailType": text("detail-type"), "Detail": detail});
        let put =
            self.moto.call("events", "AWSEvents.PutEvents", &json!({"Entries": [entry]})).await?;
        ensure!(
            put.get("FailedEntryCount") == Some(&json!(0)),
            "moto did not take the event: {put}"
        );
        Ok(self.moto.receive(&self.queue, 0).await?.pop())
    }
}
