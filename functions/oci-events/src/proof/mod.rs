//! Checks that a webhook comes from the registry of its instance.

pub(crate) mod google;
mod secret;

use axum::http::HeaderMap;
use serde::Deserialize;
use shared::config::Webhook;

use crate::address::Address;
use crate::cached::Cached;
use google::GoogleKeys;

/// The proof that the webhooks of an instance carry.
#[derive(Debug)]
pub(crate) enum Proof {
    /// A secret, which Secrets Manager has under this ARN.
    Secret { arn: String, secret: Cached<String> },
    /// An ID token of Google's for this account.
    Google(shared::config::GoogleAccount),
}

/// The secret as Secrets Manager has it.
#[derive(Deserialize)]
struct StoredSecret {
    secret: String,
}

impl Proof {
    /// Makes a proof from the settings of an instance.
    pub(crate) fn new(webhook: Webhook) -> Self {
        match webhook {
            Webhook::Secret(secret) => {
                Self::Secret { arn: secret.secret_arn, secret: Cached::new() }
            }
            Webhook::Google { google } => Self::Google(google),
        }
    }

    /// Returns whether a request has the right proof. After a wrong one the secret or the keys are
    /// read again, at most once a minute, so that a rotation needs no restart.
    ///
    /// # Errors
    /// The secret or the keys cannot be read.
    pub(crate) async fn check(
        &self,
        google: &GoogleKeys,
        address: &Address,
        headers: &HeaderMap,
        body: &[u8],
    ) -> anyhow::Result<bool> {
        match self {
            Self::Google(account) => google.check(account, headers).await,
            Self::Secret { arn, secret } => {
                let offered = secret::offered(address, headers);
                if offered.is_empty() {
                    return Ok(false);
                }
                let known = secret.get(Box::pin(read(arn))).await?;
                if offered.iter().any(|proof| proof.proves(&known, body)) {
                    return Ok(true);
                }
                let known = secret.get_again(Box::pin(read(arn))).await?;
                Ok(offered.iter().any(|proof| proof.proves(&known, body)))
            }
        }
    }
}

async fn read(arn: &str) -> anyhow::Result<String> {
    let stored: StoredSecret = shared::aws::read_secret(arn, "secret").await?;
    anyhow::ensure!(!stored.secret.is_empty(), "the secret {arn} is empty");
    Ok(stored.secret)
}
