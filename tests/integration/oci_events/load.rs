//! Many webhooks at once, and bad ones among them. `WEBHOOK_SECONDS=10` sends more of them.

use std::collections::HashSet;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use shared::config::Environment;
use tests::http_function::HttpFunction;
use tests::moto::Moto;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::{SECRET, push_to};
use crate::support::admin_site::client;
use crate::support::stand_in_queue::StandInQueue;

/// Webhooks per second.
const RATE: u32 = 500;

/// How long they come, in seconds, unless `WEBHOOK_SECONDS` says otherwise.
const SECONDS: u32 = 2;

/// One call in this many is refused by the queue.
const REFUSED: usize = 50;

/// The bad webhooks of each sort.
const BAD: usize = 40;

/// The most memory above the idle process, in bytes.
const MEMORY_MAX: u64 = 64 * 1024 * 1024;

#[tokio::test]
async fn load_and_bad_webhooks_lose_nothing_that_was_accepted() {
    let (moto, queue) = (Moto::start().await.unwrap(), StandInQueue::refusing_every(REFUSED).await);
    let function = start(&moto, &queue).await;
    let post = async |body: String, secret: &str| {
        let url = format!("{}/sample", function.url());
        client().post(url).header("authorization", secret).body(body).send().await.unwrap().status()
    };
    assert_eq!(post(push_to("first"), SECRET).await, StatusCode::ACCEPTED);
    let idle = function.memory_peak().unwrap();
    let mut slow = Vec::new();
    for _ in 0..BAD {
        slow.push(begin_slow_body(&function).await);
    }
    let seconds = Environment::of_process().get("WEBHOOK_SECONDS").and_then(|n| n.parse().ok());
    let good = send_good(&function, RATE * seconds.unwrap_or(SECONDS));
    let bad = async {
        for number in 0..BAD {
            assert_eq!(post(push_to(&format!("forged-{number}")), "other").await, 401);
            assert_eq!(post(" ".repeat(256 * 1024 + 1), SECRET).await, 413);
        }
    };
    let began = Instant::now();
    let ((accepted, refused), ()) = tokio::join!(good, bad);
    let took = began.elapsed();
    let memory = function.memory_peak().unwrap() - idle;
    println!(
        "{} webhooks accepted and {refused} refused within {took:?}, {} MiB above idle",
        accepted.len(),
        memory >> 20
    );
    let in_queue: HashSet<String> =
        queue.hints().iter().map(|hint| hint["repository"].as_str().unwrap().to_owned()).collect();
    let lost: Vec<&String> = accepted.difference(&in_queue).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(!in_queue.iter().any(|name| name.starts_with("forged") || name == "slow"));
    assert!(refused > 0 && accepted.len() > 9 * refused, "the queue refuses a few calls");
    assert!(memory <= MEMORY_MAX, "{memory}");
}

async fn start(moto: &Moto, queue: &StandInQueue) -> HttpFunction {
    let secret = moto.create_secret("webhook", &json!({"secret": SECRET})).await.unwrap();
    let webhooks = json!({"sample": {"secretArn": secret}}).to_string();
    let own = [
        ("WEBHOOKS", webhooks.as_str()),
        ("HINT_QUEUE_URL", queue.url()),
        ("AWS_ENDPOINT_URL_SQS", queue.url()),
    ];
    let settings = [&moto.settings()[..], &own].concat();
    HttpFunction::start("oci-events", "OCI_EVENTS_ADDR", &settings).await.unwrap()
}

/// Sends webhooks at the rate, whether or not the earlier ones were answered. Returns the
/// repositories of those that were accepted, and how many were refused.
async fn send_good(function: &HttpFunction, count: u32) -> (HashSet<String>, usize) {
    let (client, url) = (client(), format!("{}/sample", function.url()));
    let (began, mut sent) = (Instant::now(), JoinSet::new());
    for number in 0..count {
        sleep_until(began + number * Duration::from_secs(1) / RATE).await;
        let repository = format!("good/chart-{number}");
        let post = client.post(&url).header("authorization", SECRET).body(push_to(&repository));
        sent.spawn(async move { (repository, post.send().await.unwrap().status()) });
    }
    let (mut accepted, mut refused) = (HashSet::new(), 0);
    while let Some(answer) = sent.join_next().await {
        match answer.unwrap() {
            (repository, StatusCode::ACCEPTED) => {
                accepted.insert(repository);
            }
            (_, status) => {
                assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
                refused += 1;
            }
        }
    }
    (accepted, refused)
}

/// Sends the head of a request, and no more than the beginning of its body.
async fn begin_slow_body(function: &HttpFunction) -> TcpStream {
    let host = function.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST /sample HTTP/1.1\r\nhost: {host}\r\nauthorization: {SECRET}\r\n\
         content-length: 200000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(push_to("slow").as_bytes()).await.unwrap();
    stream
}
