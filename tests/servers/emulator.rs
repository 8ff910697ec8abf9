//! Runs a function behind AWS's own Lambda Runtime Interface Emulator.

use std::ffi::OsStr;
use std::net::TcpListener;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tests::dynamodb::DynamoDb;
use tests::postgres::TestDatabase;
use tests::registry::Registry;
use tests::supervise::Supervised;
use tests::tools;

/// The functions.
pub(crate) const FUNCTIONS: [&str; 6] =
    ["admin", "ecr-events", "migrate", "oci-events", "oci-poll", "tag-parser"];

/// Invokes a function, and checks its answer. Then starts it with a bad setting, and checks
/// that the invocation fails, and that the log names the setting.
///
/// # Errors
/// Fails if an answer is not the expected one.
pub(crate) async fn run(name: &str) -> anyhow::Result<()> {
    let database = TestDatabase::create().await?;
    let dynamodb = DynamoDb::start().await?;
    let registry = Registry::start().await?;
    let usual = [
        &[
            ("ENABLE_TAG_PARSER", "true"),
            ("ADMIN_AUTH", "iam"),
            ("SITE_ADMINS", "arn:aws:iam::123456789012:role/admin"),
            ("HINT_QUEUE_URL", "http://127.0.0.1:1/123456789012/hints"),
        ][..],
        &dynamodb.settings()[..],
    ]
    .concat();
    let (payload, field, value) = exchange(name, &format!("http://{}", registry.host()));
    let webhooks = r#"{"harbor":{"secretArn":"arn:aws:secretsmanager:us-east-1:1:secret:a"}}"#;
    let good = [("DATABASE_URL", database.url()), ("WEBHOOKS", webhooks)];
    let settings = [&usual[..], &good[..]].concat();
    let emulator = Emulator::start(name, &settings).await?;
    let answer = emulator.invoke(&payload).await?;
    ensure!(answer.get(field) == Some(&value), "answered {answer}");
    let bad = good.map(|(variable, _)| (variable, "nonsense"));
    let settings = [&usual[..], &bad[..]].concat();
    let emulator = Emulator::start(name, &settings).await?;
    let answer = emulator.invoke(&payload).await;
    ensure!(answer.is_err(), "a bad setting: answered {answer:?}");
    // Only this function has no database.
    let variable = if name == "oci-events" { "WEBHOOKS" } else { "DATABASE_URL" };
    let expected = format!("{variable} cannot be used");
    let named = |line: &str| line.contains(&expected).then_some(());
    emulator.process.log().wait_for(named).await.context("the setting is not named")
}

/// Returns a payload, and a field of the answer with its value.
fn exchange(name: &str, registry: &str) -> (Value, &'static str, Value) {
    match name {
        "admin" => (request(), "statusCode", json!(200)),
        "oci-events" => (request(), "statusCode", json!(405)),
        "ecr-events" => (json!({"Records": []}), "batchItemFailures", json!([])),
        "oci-poll" => {
            let oci = json!({"registryUrl": registry, "pollInterval": "59s 900ms"});
            let instance = json!({"name": "test", "provider": "oci", "oci": oci});
            (instance, "complete", json!(true))
        }
        "tag-parser" => (json!({}), "complete", json!(true)),
        _ => (json!({}), "applied", json!([])),
    }
}

/// Returns a request as a Function URL sends it.
fn request() -> Value {
    json!({
        "version": "2.0",
        "rawPath": "/api/v2/helm-charts",
        "rawQueryString": "",
        "headers": {"host": "localhost"},
        "requestContext": {
            "http": {
                "method": "GET", "path": "/api/v2/helm-charts", "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1", "userAgent": "tests",
            },
            "authorizer": {"iam": {"userArn": "arn:aws:iam::123456789012:role/admin"}},
            "accountId": "123456789012", "apiId": "x", "domainName": "localhost",
            "domainPrefix": "x", "requestId": "x", "routeKey": "$default", "stage": "$default",
            "time": "26/Nov/2026:00:00:00 +0000", "timeEpoch": 1_795_651_200_000_u64,
        },
        "isBase64Encoded": false,
    })
}

/// A running emulator. Dropping it ends it.
struct Emulator {
    url: String,
    process: Supervised,
}

impl Emulator {
    async fn start(name: &str, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("chart-discovery-emulator-").tempdir()?;
        let program = tools::go_program("aws-lambda-rie")?;
        let function = tools::function_binary(name)?;
        let [address, runtime] = [free_address()?, free_address()?];
        let settings: Vec<String> =
            settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let addresses =
            ["--runtime-interface-emulator-address", &address, "--runtime-api-address", &runtime];
        let mut command: Vec<&OsStr> = ["/usr/bin/env", "-i"].map(OsStr::new).to_vec();
        command.extend(settings.iter().map(OsStr::new));
        command.push(program.as_os_str());
        command.extend(addresses.map(OsStr::new));
        command.push(function.as_os_str());
        let process = Supervised::start(folder, &command, None)?;
        process
            .log()
            .wait_for(|line| line.contains("exec '").then_some(()))
            .await
            .context("the emulator did not start")?;
        let url = format!("http://{address}/2015-03-31/functions/function/invocations");
        Ok(Self { url, process })
    }

    async fn invoke(&self, payload: &Value) -> anyhow::Result<Value> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(shared::tls::client_config(None)?)
            .build()?;
        let answer = client.post(&self.url).body(payload.to_string()).send().await?;
        let body = answer.bytes().await?;
        serde_json::from_slice(&body)
            .with_context(|| format!("answered {}", String::from_utf8_lossy(&body)))
    }
}

fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
