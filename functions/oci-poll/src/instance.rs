//! The instance to poll, as the schedule's payload describes it.

use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use shared::domain::{DomainName, KindNaming, Registry, RegistryUrl};

use crate::selection::Selection;

/// Requests to the registry at the same time, unless the instance says otherwise.
const DEFAULT_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// Time between two passes, unless the instance says otherwise.
const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// A registry to poll.
#[derive(Debug)]
pub(crate) struct Instance {
    /// What the instance is called.
    pub(crate) name: String,
    /// The registry's address.
    pub(crate) url: RegistryUrl,
    /// The registry as its rows name it.
    pub(crate) registry: Registry,
    /// How the kinds of new registries are named.
    pub(crate) kind_naming: KindNaming,
    /// The repositories to poll.
    pub(crate) selection: Selection,
    /// Requests to the registry at the same time.
    pub(crate) concurrency: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    name: String,
    provider: String,
    oci: Oci,
}

/// The fields of this version. The ones that a later version brings are refused by name rather than ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Oci {
    registry_url: String,
    #[serde(default = "default_poll_interval", deserialize_with = "duration")]
    poll_interval: Duration,
    repositories: Option<Vec<String>>,
    #[serde(default)]
    exclude: Vec<String>,
    domain: Option<String>,
    #[serde(default)]
    kind_naming: KindNaming,
    max_concurrency: Option<NonZeroUsize>,
}

impl Instance {
    /// Reads an instance from a payload.
    ///
    /// # Errors
    /// The field that is missing, unknown or unusable.
    pub(crate) fn read(payload: Value) -> anyhow::Result<Self> {
        let shape = "the payload is no instance such as \
                     {\"name\":\"…\",\"provider\":\"oci\",\"oci\":{\"registryUrl\":\"https://…\"}}";
        let payload: Payload = serde_json::from_value(payload).context(shape)?;
        if payload.provider != "oci" {
            bail!("provider is {:?}, and oci-poll polls \"oci\" only", payload.provider);
        }
        if payload.name.is_empty() || payload.name.len() > 255 {
            bail!("name must have 1 to 255 bytes");
        }
        let Oci { registry_url, poll_interval, repositories, exclude, domain, kind_naming, max_concurrency } =
            payload.oci;
        if poll_interval.is_zero() {
            bail!("oci.pollInterval must be longer than 0s");
        }
        let url: RegistryUrl = registry_url.parse().context("oci.registryUrl cannot be used")?;
        let domain_name: DomainName = match domain {
            Some(domain) => domain.parse().context("oci.domain cannot be used")?,
            None => url.clone().into(),
        };
        Ok(Self {
            name: payload.name,
            url,
            registry: Registry::oci(domain_name),
            kind_naming,
            selection: Selection::read(repositories.as_deref(), &exclude)?,
            concurrency: max_concurrency.unwrap_or(DEFAULT_CONCURRENCY).get(),
        })
    }
}

fn default_poll_interval() -> Duration {
    DEFAULT_POLL_INTERVAL
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .map_err(|error| serde::de::Error::custom(format!("oci.pollInterval {text:?} is no duration: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(payload: Value) -> String {
        Instance::read(payload).map_or_else(|error| format!("{error:#}"), |instance| format!("{instance:?}"))
    }

    #[test]
    fn the_seeds_own_example_is_an_instance() {
        let payload = json!({
            "name": "ghcr-mirror", "provider": "oci",
            "oci": {"registryUrl": "https://ghcr.io/", "pollInterval": "30s"},
        });
        let instance = Instance::read(payload).unwrap();
        assert_eq!(instance.name, "ghcr-mirror");
        assert_eq!(instance.registry.domain_name().as_str(), "https://ghcr.io");
        assert_eq!(instance.concurrency, 16);
        assert_eq!(instance.kind_naming, KindNaming::Name);
    }

    #[test]
    fn the_sample_in_events_is_an_instance() {
        let sample = serde_json::from_str(include_str!("../../../events/oci-poll.json")).unwrap();
        assert_eq!(Instance::read(sample).unwrap().url.to_string(), "http://127.0.0.1:5000");
    }

    #[test]
    fn a_domain_replaces_the_address_in_rows_only() {
        let oci = json!({"registryUrl": "http://proxy:8080", "domain": "ghcr.io", "kindNaming": "path"});
        let instance = Instance::read(json!({"name": "x", "provider": "oci", "oci": oci})).unwrap();
        assert_eq!(instance.url.to_string(), "http://proxy:8080");
        assert_eq!(instance.registry.domain_name().as_str(), "ghcr.io");
        assert_eq!(instance.kind_naming, KindNaming::Path);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let url = "https://ghcr.io";
        let table = [
            (json!({}), "registryUrl"),
            (json!({"registryUrl": "ghcr.io"}), "oci.registryUrl"),
            (json!({"registryUrl": url, "pollInterval": "soon"}), "oci.pollInterval"),
            (json!({"registryUrl": url, "pollInterval": "0s"}), "oci.pollInterval"),
            (json!({"registryUrl": url, "pollInterval": "-5s"}), "oci.pollInterval"),
            (json!({"registryUrl": url, "pollinterval": "5s"}), "pollinterval"),
            (json!({"registryUrl": url, "kindNaming": "full"}), "full"),
            (json!({"registryUrl": url, "maxConcurrency": 0}), "nonzero"),
            (json!({"registryUrl": url, "exclude": ["[x"]}), "oci.exclude"),
            (json!({"registryUrl": url, "repositories": []}), "oci.repositories"),
            (json!({"registryUrl": url, "credentialsSecretArn": "x"}), "credentialsSecretArn"),
            (json!({"registryUrl": url, "domain": "a b"}), "oci.domain"),
        ];
        for (oci, named) in table {
            let message = error(json!({"name": "x", "provider": "oci", "oci": oci}));
            assert!(message.contains(named) && !message.contains('\n'), "{message} does not name {named}");
        }
        assert!(error(json!({"name": "x", "provider": "ecr", "oci": {"registryUrl": url}})).contains("provider"));
        assert!(error(json!({"name": "", "provider": "oci", "oci": {"registryUrl": url}})).contains("name"));
        assert!(error(json!([])).contains("registryUrl"));
    }
}
