//! From a push to a row: Docker Distribution's notifications, `oci-events`, a queue, `oci-poll`.

use std::time::{Duration, Instant};

use tests::push::Pusher;
use tests::registry::Registry;
use tests::webhooks::Webhooks;

use crate::support::oci_poll::available;
use crate::support::stack::{Stack, failed, instance};

/// How many charts are pushed.
const PUSHES: i64 = 20;

/// The longest median time from the end of a push to its row.
const MEDIAN_MAX: Duration = Duration::from_secs(1);

#[tokio::test]
async fn push_is_a_row_within_a_second() {
    let stack = Stack::new().await;
    let webhooks = Webhooks::start("test").await.unwrap();
    let registry = Registry::start_notifying(&webhooks.webhook()).await.unwrap();
    let function = stack.oci_poll().await;
    function.invoke(&instance(&registry.url().unwrap().to_string())).await.unwrap();
    let pusher = Pusher::new(registry.host()).unwrap();
    let push = async {
        let mut times = Vec::new();
        for number in 1..=PUSHES {
            let version = format!("1.{number}.0");
            pusher.push_chart("demo/hello", &version, &version).await.unwrap();
            let pushed = Instant::now();
            while available(&stack).await < number {}
            times.push(pushed.elapsed());
        }
        times
    };
    let deliver = async {
        loop {
            match webhooks.deliver(&function).await.unwrap() {
                Some(answer) if answer != failed(&[]) => break answer,
                _ => {}
            }
        }
    };
    let mut times = tokio::select! {
        times = push => times,
        answer = deliver => panic!("hints failed: {answer}"),
    };
    times.sort();
    let median = times[times.len() / 2];
    println!("from push to row: median {median:?}, longest {:?}", times[times.len() - 1]);
    assert!(median <= MEDIAN_MAX, "{times:?}");
    assert_eq!(available(&stack).await, PUSHES);
}
