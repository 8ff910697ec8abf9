//! Retries a call to the database while the database is unavailable.

use std::time::Duration;

use shared::db;
use tokio::time::{Instant, sleep};
use tracing::warn;

/// Limits the first pause. Each further limit doubles, up to `PAUSE_MAX`.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The least time that an attempt needs.
const ATTEMPT_TIME: Duration = Duration::from_secs(1);

/// Retries `attempt` until it succeeds, fails permanently, or the deadline is near.
///
/// # Errors
///
/// Returns the error of the last attempt.
pub(crate) async fn retry<T, F>(deadline: Instant, attempt: impl Fn() -> F) -> Result<T, db::Error>
where
    F: Future<Output = Result<T, db::Error>>,
{
    let mut longest = PAUSE;
    loop {
        match attempt().await {
            Err(error) if error.is_worth_waiting_for() => {
                // The pause is random, so that many waiting functions do not retry at the same
                // time.
                let pause = longest.mul_f64(0.5 + fastrand::f64() / 2.0);
                if Instant::now() + pause + ATTEMPT_TIME >= deadline {
                    return Err(error);
                }
                warn!(error = %shared::telemetry::Causes(&error), "trying the database again");
                sleep(pause).await;
                longest = (longest * 2).min(PAUSE_MAX);
            }
            other => return other,
        }
    }
}
