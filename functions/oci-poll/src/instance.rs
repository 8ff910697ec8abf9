//! Reads the instance to poll from the payload of the schedule.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use shared::domain::{DomainName, KindNaming, Registry, RegistryUrl, Selection};
use shared::oci::{CatalogFields, CatalogSettings};

use crate::cursor::hash;

/// The default of `maxConcurrency`: requests to the registry at the same time.
const DEFAULT_CONCURRENCY: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// The default of `pollInterval`: the time between the starts of two passes.
const DEFAULT_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The default of `verifyInterval`: the time in which every tag is verified once.
const DEFAULT_VERIFY_INTERVAL: Duration = Duration::from_hours(1);

/// The default of `deletionHold`: how long charts of a mass disappearance are held back.
const DEFAULT_DELETION_HOLD: Duration = Duration::from_hours(1);

/// The default of `catalogInterval`: the least time between two lists of the vendor's.
const DEFAULT_CATALOG_INTERVAL: Duration = Duration::from_mins(1);

/// A registry to poll.
#[derive(Debug)]
pub(crate) struct Instance {
    /// The name of the instance.
    pub(crate) name: String,
    /// The payload as it was received.
    pub(crate) configuration: Value,
    /// The registry's address.
    pub(crate) url: RegistryUrl,
    /// The registry as the rows name it.
    pub(crate) registry: Arc<Registry>,
    /// How the kinds of new registries are named.
    pub(crate) kind_naming: KindNaming,
    /// The repositories to poll.
    pub(crate) selection: Selection,
    /// A hash of the lists that the selection was read from.
    selection_hash: u64,
    /// How the repositories are listed.
    pub(crate) catalog: CatalogSettings,
    /// The least time between two lists of the vendor's.
    pub(crate) catalog_interval: Duration,
    /// The most requests to the registry at the same time.
    pub(crate) concurrency: usize,
    /// The time between the starts of two passes.
    pub(crate) poll_interval: Duration,
    /// The time in which every tag is verified once.
    pub(crate) verify_interval: Duration,
    /// How long charts of a mass disappearance are held back.
    pub(crate) deletion_hold: Duration,
    /// The ARN of the secret with the registry's credentials.
    pub(crate) credentials: Option<String>,
    /// The file with the TLS roots to trust instead of the system's.
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OciInstanceFields {
    name: String,
    /// Values of Platz often lack it.
    provider: Option<String>,
    oci: OciFields,
    #[expect(dead_code, reason = "the deployment reads it: ENABLE_TAG_PARSER is what it becomes")]
    enable_tag_parser: Option<bool>,
}

/// The fields of `oci`. Durations stay text here, so that an error can name the field.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OciFields {
    registry_url: String,
    poll_interval: Option<String>,
    repositories: Option<Vec<String>>,
    #[serde(default)]
    exclude: Vec<String>,
    domain: Option<String>,
    #[serde(default)]
    kind_naming: KindNaming,
    max_concurrency: Option<NonZeroUsize>,
    credentials_secret_arn: Option<String>,
    ca_file: Option<PathBuf>,
    verify_interval: Option<String>,
    deletion_hold: Option<String>,
    catalog: Option<String>,
    namespaces: Option<Vec<String>>,
    catalog_interval: Option<String>,
    catalog_url: Option<String>,
    #[expect(dead_code, reason = "the deployment reads it: WEBHOOKS is what it becomes")]
    webhook_secret_arn: Option<String>,
    #[expect(dead_code, reason = "the deployment reads it: WEBHOOKS is what it becomes")]
    webhook_google: Option<IgnoredAny>,
}

impl OciFields {
    fn poll_interval(&self) -> anyhow::Result<Duration> {
        let text = self.poll_interval.as_deref();
        let interval = duration("oci.pollInterval", text, DEFAULT_POLL_INTERVAL)?;
        if interval.is_zero() {
            bail!("oci.pollInterval must be longer than 0s");
        }
        Ok(interval)
    }

    fn verify_interval(&self) -> anyhow::Result<Duration> {
        let text = self.verify_interval.as_deref();
        let interval = duration("oci.verifyInterval", text, DEFAULT_VERIFY_INTERVAL)?;
        if interval.is_zero() {
            bail!("oci.verifyInterval must be longer than 0s");
        }
        Ok(interval)
    }

    fn catalog(&self, url: &RegistryUrl, selection: &Selection) -> anyhow::Result<CatalogSettings> {
        let fields = CatalogFields {
            catalog: self.catalog.as_deref(),
            namespaces: self.namespaces.as_deref(),
            url: self.catalog_url.as_deref(),
        };
        CatalogSettings::read(&fields, url, selection.needs_catalog())
    }
}

impl Instance {
    /// Reads an instance from a payload.
    ///
    /// # Errors
    /// Names the field that is missing, unknown or unusable.
    pub(crate) fn read(payload: Value) -> anyhow::Result<Self> {
        let shape = "the payload is no instance such as \
                     {\"name\":\"…\",\"provider\":\"oci\",\"oci\":{\"registryUrl\":\"https://…\"}}";
        let configuration = payload.clone();
        let payload: OciInstanceFields = serde_json::from_value(payload).context(shape)?;
        if let Some(other) = payload.provider.filter(|provider| provider != "oci") {
            bail!("provider is {other:?}, and oci-poll polls \"oci\" only");
        }
        if payload.name.is_empty() || payload.name.len() > 255 {
            bail!("name must have 1 to 255 bytes");
        }
        let oci = payload.oci;
        let url: RegistryUrl =
            oci.registry_url.parse().context("oci.registryUrl cannot be used")?;
        if url.to_string().ends_with("/v2") {
            bail!("oci.registryUrl ends in /v2, which every request adds: leave it out");
        }
        let domain_name: DomainName = match &oci.domain {
            Some(domain) => domain.parse().context("oci.domain cannot be used")?,
            None => url.clone().into(),
        };
        let (poll_interval, verify_interval) = (oci.poll_interval()?, oci.verify_interval()?);
        let selection = Selection::read("oci", oci.repositories.as_deref(), &oci.exclude)?;
        let catalog = oci.catalog(&url, &selection)?;
        Ok(Self {
            name: payload.name,
            configuration,
            url,
            registry: Arc::new(Registry::named(domain_name)),
            kind_naming: oci.kind_naming,
            selection_hash: selection_hash(oci.repositories.as_deref(), &oci.exclude),
            selection,
            catalog,
            catalog_interval: duration(
                "oci.catalogInterval",
                oci.catalog_interval.as_deref(),
                DEFAULT_CATALOG_INTERVAL,
            )?,
            concurrency: oci.max_concurrency.unwrap_or(DEFAULT_CONCURRENCY).get(),
            poll_interval,
            verify_interval,
            deletion_hold: duration(
                "oci.deletionHold",
                oci.deletion_hold.as_deref(),
                DEFAULT_DELETION_HOLD,
            )?,
            credentials: oci.credentials_secret_arn.filter(|arn| !arn.is_empty()),
            ca_file: oci.ca_file,
        })
    }

    /// Checks that a request is about the registry of the instance.
    ///
    /// # Errors
    /// Fails if the request names another registry.
    pub(crate) fn check_registry(&self, what: &str, registry: Option<&str>) -> anyhow::Result<()> {
        let own = [self.registry.host(), self.registry.domain_name().as_str()];
        match registry.filter(|registry| !own.contains(registry)) {
            Some(other) => {
                bail!("{what}.registry {other:?} is not the instance's, which is {:?}", own[0])
            }
            None => Ok(()),
        }
    }

    /// Returns the registry's address, its name in the rows, and hashes of the selection and of how
    /// the repositories are listed, because a cursor belongs to all of them. With another selection
    /// or list, other repositories are visited.
    pub(crate) fn cursor_subject(&self) -> String {
        let words = self.catalog.words();
        let listing = match words.as_slice() {
            [] => String::new(),
            words => format!(" {:016x}", hash(words.iter().map(String::as_str))),
        };
        format!("{} {} {:016x}{listing}", self.url, self.registry.host(), self.selection_hash)
    }
}

/// Returns a hash of the lists `repositories` and `exclude`.
fn selection_hash(repositories: Option<&[String]>, exclude: &[String]) -> u64 {
    let repositories = repositories.unwrap_or_default().iter().map(String::as_str);
    // No name and no glob is empty.
    hash(repositories.chain([""]).chain(exclude.iter().map(String::as_str)))
}

fn duration(field: &str, text: Option<&str>, default: Duration) -> anyhow::Result<Duration> {
    let Some(text) = text else { return Ok(default) };
    let duration = humantime::parse_duration(text);
    duration
        .with_context(|| format!("{field} {text:?} is no duration such as \"30s\" or \"1h 30m\""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(payload: Value) -> String {
        Instance::read(payload)
            .map_or_else(|error| format!("{error:#}"), |instance| format!("{instance:?}"))
    }

    #[test]
    fn seed_example_is_an_instance() {
        let payload = json!({
            "name": "ghcr-mirror", "provider": "oci",
            "oci": {"registryUrl": "https://ghcr.io/", "pollInterval": "30s"},
        });
        let instance = Instance::read(payload).unwrap();
        assert_eq!(instance.name, "ghcr-mirror");
        assert_eq!(instance.registry.domain_name().as_str(), "https://ghcr.io");
        assert_eq!((instance.concurrency, instance.poll_interval), (16, Duration::from_secs(30)));
        let hour = Duration::from_hours(1);
        assert_eq!((instance.verify_interval, instance.deletion_hold), (hour, hour));
        assert_eq!(instance.kind_naming, KindNaming::Name);
    }

    /// Case from the field 32.
    #[test]
    fn provider_may_be_missing_and_the_tag_parser_named() {
        let payload = json!({"name": "x", "oci": {"registryUrl": "https://ghcr.io"},
            "enableTagParser": true});
        assert_eq!(Instance::read(payload).unwrap().url.to_string(), "https://ghcr.io");
        let payload = json!({"name": "x", "oci": {"registryUrl": "https://ghcr.io"},
            "enableTagParser": "yes"});
        assert!(error(payload).contains("boolean"));
    }

    #[test]
    fn settings_of_webhooks_are_accepted() {
        let google = json!({"audience": "https://hooks.example", "email": "push@example.com"});
        let oci = json!({"registryUrl": "https://ghcr.io", "webhookGoogle": google,
            "webhookSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:hook"});
        let payload = json!({"name": "x", "provider": "oci", "oci": oci});
        assert_eq!(Instance::read(payload).unwrap().url.to_string(), "https://ghcr.io");
    }

    #[test]
    fn samples_in_events_are_instances() {
        let sample = serde_json::from_str(include_str!("../../../events/oci-poll.json")).unwrap();
        assert_eq!(Instance::read(sample).unwrap().url.to_string(), "http://127.0.0.1:5000");
        let sample = include_str!("../../../events/oci-poll-named-repositories.json");
        let instance = Instance::read(serde_json::from_str(sample).unwrap()).unwrap();
        assert!(!instance.selection.needs_catalog() && instance.selection.named().len() == 2);
        assert_eq!(instance.deletion_hold, Duration::from_hours(2));
    }

    #[test]
    fn domain_replaces_the_address_in_rows_only() {
        let oci =
            json!({"registryUrl": "http://proxy:8080", "domain": "ghcr.io", "kindNaming": "path"});
        let instance = Instance::read(json!({"name": "x", "provider": "oci", "oci": oci})).unwrap();
        assert_eq!(instance.url.to_string(), "http://proxy:8080");
        assert_eq!(instance.registry.domain_name().as_str(), "ghcr.io");
        assert_eq!(instance.kind_naming, KindNaming::Path);
    }

    #[test]
    fn invalid_field_is_named_in_the_error() {
        let url = "https://ghcr.io";
        let table = [
            (json!({}), "registryUrl"),
            (json!({"registryUrl": "ghcr.io"}), "oci.registryUrl"),
            // Case from the field 16.
            (json!({"registryUrl": "oci://ghcr.io/my-org"}), "https:// instead of oci://"),
            (json!({"registryUrl": "https://ghcr.io/v2/"}), "oci.registryUrl ends in /v2"),
            (json!({"registryUrl": url, "pollInterval": "soon"}), "oci.pollInterval"),
            (json!({"registryUrl": url, "pollInterval": "0s"}), "oci.pollInterval"),
            (json!({"registryUrl": url, "pollInterval": "-5s"}), "oci.pollInterval"),
            (json!({"registryUrl": url, "pollinterval": "5s"}), "pollinterval"),
            (json!({"registryUrl": url, "verifyInterval": "0s"}), "oci.verifyInterval"),
            (json!({"registryUrl": url, "verifyInterval": "1 fortnight"}), "oci.verifyInterval"),
            (json!({"registryUrl": url, "deletionHold": "5"}), "oci.deletionHold"),
            (json!({"registryUrl": url, "kindNaming": "full"}), "full"),
            (json!({"registryUrl": url, "maxConcurrency": 0}), "nonzero"),
            (json!({"registryUrl": url, "exclude": ["[x"]}), "oci.exclude"),
            (json!({"registryUrl": url, "repositories": []}), "oci.repositories"),
            (json!({"registryUrl": url, "credentials": "x"}), "credentials"),
            (json!({"registryUrl": url, "domain": "a b"}), "oci.domain"),
            (json!({"registryUrl": url, "catalogInterval": "often"}), "oci.catalogInterval"),
            (json!({"registryUrl": url, "catalog": "hub"}), "oci.catalog"),
            (json!({"registryUrl": url, "catalog": "none"}), "oci.repositories"),
            (json!({"registryUrl": url, "namespaces": []}), "oci.namespaces"),
            (json!({"registryUrl": url, "catalogUrl": "http://x"}), "oci.catalogUrl"),
        ];
        for (oci, named) in table {
            let message = error(json!({"name": "x", "provider": "oci", "oci": oci}));
            assert!(
                message.contains(named) && !message.contains('\n'),
                "{message} does not name {named}"
            );
        }
        assert!(
            error(json!({"name": "x", "provider": "ecr", "oci": {"registryUrl": url}}))
                .contains("provider")
        );
        assert!(
            error(json!({"name": "", "provider": "oci", "oci": {"registryUrl": url}}))
                .contains("name")
        );
        assert!(error(json!([])).contains("registryUrl"));
    }
}
