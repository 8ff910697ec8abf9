//! The settings of `oci-events`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;
use url::Url;

use super::environment::{Environment, Error};

/// The address outside Lambda, unless `OCI_EVENTS_ADDR` names another one.
const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// Settings of `oci-events`.
#[derive(Debug, Clone)]
pub struct OciEvents {
    /// The way to prove a webhook, by the name of its instance.
    pub webhooks: BTreeMap<String, Webhook>,
    /// The address of the queue that takes the hints.
    pub hint_queue_url: String,
    /// The address to listen on; `None` in Lambda.
    pub address: Option<SocketAddr>,
    /// The address of Google's public keys, for tests. A release build ignores it.
    pub google_keys_url: Option<String>,
}

/// The proof that the webhooks of an instance carry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Webhook {
    /// A secret that the sender knows.
    Secret(WebhookSecret),
    /// An ID token of Google's.
    Google {
        /// The account that the token must name.
        google: GoogleAccount,
    },
}

/// A secret that the sender knows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookSecret {
    /// The ARN of the secret `{"secret":…}`.
    pub secret_arn: String,
}

/// The service account that sends the pushes of Pub/Sub.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoogleAccount {
    /// The audience of the subscription.
    pub audience: String,
    /// The e-mail address of the service account.
    pub email: String,
}

impl OciEvents {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first variable that is missing or unusable.
    pub fn read(environment: &Environment) -> Result<Self, Error> {
        let address = environment.parse("OCI_EVENTS_ADDR")?.unwrap_or(DEFAULT_ADDRESS);
        if !environment.is_lambda() && !address.ip().is_loopback() {
            let reason = format!("others can reach {address} over plain http: give 127.0.0.1:8081");
            return Err(Error::Wrong { variable: "OCI_EVENTS_ADDR", reason });
        }
        Ok(Self {
            webhooks: webhooks(environment)?,
            hint_queue_url: hint_queue_url(environment)?,
            address: (!environment.is_lambda()).then_some(address),
            google_keys_url: environment
                .get("TEST_GOOGLE_KEYS_URL")
                .filter(|_| cfg!(debug_assertions))
                .map(str::to_owned),
        })
    }
}

fn webhooks(environment: &Environment) -> Result<BTreeMap<String, Webhook>, Error> {
    let wrong = |reason: String| Error::Wrong { variable: "WEBHOOKS", reason };
    let text = environment.get("WEBHOOKS").ok_or(Error::Missing {
        variable: "WEBHOOKS",
        remedy: r#"give {"INSTANCE":{"secretArn":"ARN"}}"#,
    })?;
    // The parser's message is not repeated, because it may quote a secret that stands here by
    // mistake.
    let webhooks: BTreeMap<String, Webhook> = serde_json::from_str(text).map_err(|_| {
        wrong(
            concat!(
                r#"it must be {"INSTANCE":{"secretArn":"ARN"}} "#,
                r#"or {"INSTANCE":{"google":{"audience":"…","email":"…"}}}"#,
            )
            .to_owned(),
        )
    })?;
    if webhooks.is_empty() {
        return Err(wrong("it names no instance".to_owned()));
    }
    for (instance, webhook) in &webhooks {
        let is_complete = match webhook {
            Webhook::Secret(secret) => !secret.secret_arn.is_empty(),
            Webhook::Google { google } => !google.audience.is_empty() && !google.email.is_empty(),
        };
        if instance.is_empty() || instance.contains('/') || !is_complete {
            return Err(wrong(format!("the entry {instance:?} has an empty field, or a slash")));
        }
    }
    Ok(webhooks)
}

fn hint_queue_url(environment: &Environment) -> Result<String, Error> {
    let url = environment.get("HINT_QUEUE_URL").ok_or(Error::Missing {
        variable: "HINT_QUEUE_URL",
        remedy: "give the address of an SQS queue",
    })?;
    match Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => Ok(url.to_owned()),
        _ => {
            let reason = "it must be the https address of an SQS queue".to_owned();
            Err(Error::Wrong { variable: "HINT_QUEUE_URL", reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: (&str, &str) = ("HINT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/1/hints");
    /// Names two proofs for one instance.
    const BOTH: &str = r#"{"a":{"secretArn":"arn:a","google":{"audience":"b","email":"c@d"}}}"#;
    const WEBHOOKS: (&str, &str) = ("WEBHOOKS", r#"{"harbor":{"secretArn":"arn:a"}}"#);

    fn read(variables: &[(&str, &str)]) -> Result<OciEvents, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        OciEvents::read(&variables.iter().map(owned).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn webhooks_are_read() {
        let google = r#"{"a":{"google":{"audience":"b","email":"c@d"}}}"#;
        let settings = read(&[QUEUE, ("WEBHOOKS", google)]).unwrap();
        let account = GoogleAccount { audience: "b".to_owned(), email: "c@d".to_owned() };
        assert_eq!(settings.webhooks["a"], Webhook::Google { google: account });
        assert_eq!(settings.address, Some(DEFAULT_ADDRESS));
        let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1");
        assert_eq!(read(&[QUEUE, WEBHOOKS, lambda]).unwrap().address, None);
    }

    #[test]
    fn unusable_variable_is_named_without_its_secret() {
        for (variables, named) in [
            (&[QUEUE][..], "WEBHOOKS is not set"),
            (&[WEBHOOKS], "HINT_QUEUE_URL is not set"),
            (&[QUEUE, ("WEBHOOKS", "{}")], "WEBHOOKS cannot"),
            (&[QUEUE, ("WEBHOOKS", "hunter2")], "WEBHOOKS cannot"),
            (&[QUEUE, ("WEBHOOKS", r#"{"a":{"secret":"hunter2"}}"#)], "WEBHOOKS cannot"),
            (&[QUEUE, ("WEBHOOKS", r#"{"a":{"secretArn":""}}"#)], "WEBHOOKS cannot"),
            (&[QUEUE, ("WEBHOOKS", r#"{"a/b":{"secretArn":"arn:a"}}"#)], "WEBHOOKS cannot"),
            (&[QUEUE, ("WEBHOOKS", r#"{"a":{"google":{"audience":"b"}}}"#)], "WEBHOOKS cannot"),
            (&[QUEUE, ("WEBHOOKS", BOTH)], "WEBHOOKS cannot"),
            (&[WEBHOOKS, ("HINT_QUEUE_URL", "hints")], "HINT_QUEUE_URL cannot"),
            (&[QUEUE, WEBHOOKS, ("OCI_EVENTS_ADDR", "0.0.0.0:1")], "OCI_EVENTS_ADDR cannot"),
        ] {
            let error = read(variables).unwrap_err();
            assert!(error.starts_with(named) && !error.contains("hunter2"), "{error}");
        }
    }
}
