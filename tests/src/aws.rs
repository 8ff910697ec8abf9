//! Configures the stack's own clients of AWS services for an emulator.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};

/// Returns the configuration for the emulator at `endpoint`, which verifies no signature.
pub(crate) async fn config(endpoint: &str) -> SdkConfig {
    config_with_key(endpoint, "local").await
}

/// Returns the same with another access key.
pub(crate) async fn config_with_key(endpoint: &str, access_key: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            access_key, "local", None, None, "stack",
        )))
        .endpoint_url(endpoint)
        .load()
        .await
}
