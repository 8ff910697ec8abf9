//! The configuration of every client of an AWS service.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use crate::domain::Region;

/// The time limit for one attempt at a call. The services answer in milliseconds, and a
/// call that hangs must not use up the invocation.
const ATTEMPT_DEADLINE: Duration = Duration::from_secs(3);

/// The time limit for all attempts at a call together.
const CALL_DEADLINE: Duration = Duration::from_secs(8);

/// The most attempts at a call that is throttled or fails. With their pauses they fill the time
/// that the call has.
const ATTEMPTS: u32 = 8;

/// The first pause between two attempts, which doubles each time, and the longest one.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];

/// Loads the configuration from the environment. `region` replaces the environment's region.
pub async fn config(region: Option<&Region>) -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(ATTEMPT_DEADLINE)
        .operation_attempt_timeout(ATTEMPT_DEADLINE)
        .operation_timeout(CALL_DEADLINE)
        .build();
    let [first_pause, longest_pause] = PAUSES;
    let retries = RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(first_pause)
        .with_max_backoff(longest_pause);
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(retries);
    if let Some(region) = region {
        loader = loader.region(aws_config::Region::new(region.to_string()));
    }
    loader.load().await
}
