//! The configuration of every client of an AWS service.

use std::time::Duration;

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
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(http).timeout_config(timeouts);
    if let Some(region) = region {
        loader = loader.region(aws_config::Region::new(region.to_string()));
    }
    loader.load().await
}
