//! The step that finds the instance that watches a reference.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::db::DiscoveryInstance;
use shared::diagnose::{Request, Step, StepId};
use shared::domain::{DomainName, Follows, Reference, Registry, Repository, Selection};
use time::{Duration, OffsetDateTime};

use super::reference::PastedReference;

/// Instances that are named if none of them watches the reference.
const NAMED: usize = 10;

/// An instance, with the registry and repository of the reference as the instance names them.
#[derive(Debug, Clone)]
pub(super) struct WatchingInstance {
    pub(super) instance: DiscoveryInstance,
    /// The registry as rows name it, without a scheme.
    pub(super) registry_host: String,
    pub(super) repository: Repository,
    pub(super) is_ecr: bool,
}

/// The part of an instance's configuration that says which repositories it follows.
#[derive(Debug, Default, Deserialize)]
struct WatchScope {
    domain: Option<String>,
    repositories: Option<Vec<String>>,
    #[serde(default)]
    exclude: Vec<String>,
}

impl WatchingInstance {
    /// Returns the instance that watches the reference.
    ///
    /// If there are several, it prefers an instance that follows the repository, then one that
    /// runs, then one that names the repository. Then it prefers the longest registry address.
    pub(super) fn find(
        pasted: &PastedReference,
        instances: &[DiscoveryInstance],
        now: OffsetDateTime,
    ) -> Option<Self> {
        let watches =
            instances.iter().rev().filter_map(|instance| match instance.provider.as_deref() {
                Some("ecr") => by_events(pasted, instance).map(|watch| (Follows::Named, watch)),
                _ => by_polling(pasted, instance),
            });
        let preference = |(follows, watch): &(Follows, Self)| {
            let follows = match follows {
                Follows::Named => 2,
                Follows::IfListed => 1,
                Follows::Excluded | Follows::Unmentioned => 0,
            };
            // An instance that was removed still has its row.
            let DiscoveryInstance { last_started_at, last_event_at, last_succeeded_at, .. } =
                watch.instance;
            let seen_at = last_started_at.max(last_event_at).max(last_succeeded_at);
            let is_running = watch.instance.function_name.is_some()
                && seen_at.is_some_and(|at| now - at < Duration::DAY);
            (follows > 0, is_running, follows, watch.registry_host.len(), seen_at)
        };
        // `max_by_key` returns the last of equal ones, which is the first by name.
        watches.max_by_key(preference).map(|(_, watch)| watch)
    }

    /// Returns the request to the instance's function.
    pub(super) fn request(&self, pasted: &PastedReference) -> Request {
        let (tag, digest) = match &pasted.reference {
            Some(Reference::Tag(tag)) => (Some(tag.to_string()), None),
            Some(Reference::Digest(digest)) => (None, Some(digest.to_string())),
            None => (None, None),
        };
        // The function of a polled registry knows its registry, so the request leaves it out.
        let registry = self.is_ecr.then(|| self.registry_host.clone());
        Request { registry, repository: self.repository.to_string(), tag, digest }
    }

    /// Returns the words that say how to look at a tag now.
    pub(super) fn rescan(&self, tag: &str) -> String {
        let function = self.instance.function_name.as_deref().unwrap_or("the function");
        let repository = self.repository.as_str();
        let payload = if self.is_ecr {
            json!({"rescan": {"registry": self.registry_host, "repository": repository, "tag":
                tag}})
        } else {
            json!({"instance": self.instance.configuration, "rescan": {"repository": repository,
                "tag": tag}})
        };
        format!("invoke {function} with {payload}")
    }

    /// Returns the words that say how to apply what is held back.
    pub(super) fn release(&self) -> String {
        self.invocation("release", &Value::Bool(true))
    }

    /// Returns the words that say how to end the charts of the repository if it is hidden.
    pub(super) fn release_hidden(&self) -> String {
        self.invocation("release", &json!({"repository": self.repository.as_str()}))
    }

    /// Returns the words that say how to ask something of a polled instance.
    fn invocation(&self, field: &str, value: &Value) -> String {
        let function = self.instance.function_name.as_deref().unwrap_or("the function");
        let payload = json!({"instance": self.instance.configuration, field: value});
        format!("invoke {function} with {payload}")
    }

    /// Returns whether registries may send webhooks for the instance.
    pub(super) fn has_webhooks(&self) -> bool {
        let oci = self.instance.configuration.as_ref().and_then(|all| all.get("oci"));
        let is_set = |name| oci.and_then(|oci| oci.get(name)).is_some_and(|value| !value.is_null());
        is_set("webhookSecretArn") || is_set("webhookGoogle")
    }

    /// Returns a setting as it is written in the instance's configuration.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.instance.configuration.as_ref()?.get("oci")?.get(name)?.as_str()
    }
}

/// Checks an instance that follows ECR events. It watches every registry of its region.
fn by_events(pasted: &PastedReference, instance: &DiscoveryInstance) -> Option<WatchingInstance> {
    let (host, repository) = pasted.place.split_once('/')?;
    let registry = Registry::named(host.parse().ok()?);
    let (_, region) = registry.domain_name().address().ecr()?;
    (instance.source.as_deref() == Some(region.to_string().as_str())).then_some(())?;
    Some(WatchingInstance {
        instance: instance.clone(),
        registry_host: registry.host().to_owned(),
        repository: repository.parse().ok()?,
        is_ecr: true,
    })
}

/// Checks an instance that polls, and whether it follows the repository. It watches the registry at
/// its address, and the name that its rows give this registry.
fn by_polling(
    pasted: &PastedReference,
    instance: &DiscoveryInstance,
) -> Option<(Follows, WatchingInstance)> {
    let source: DomainName = instance.source.as_deref()?.parse().ok()?;
    let oci = instance
        .configuration
        .as_ref()
        .and_then(|configuration| configuration.get("oci"))
        .unwrap_or(&Value::Null);
    let oci = WatchScope::deserialize(oci).unwrap_or_default();
    let polled_at = Registry::named(source);
    let registry = oci
        .domain
        .and_then(|domain| domain.parse().ok())
        .map_or(polled_at.clone(), Registry::named);
    let repository_at = |registry: &Registry| {
        let repository = pasted.place.strip_prefix(registry.host())?.strip_prefix('/')?;
        repository.parse::<Repository>().ok()
    };
    let repository = repository_at(&registry).or_else(|| repository_at(&polled_at))?;
    let selection = Selection::read("oci", oci.repositories.as_deref(), &oci.exclude);
    let follows =
        selection.map_or(Follows::Unmentioned, |selection| selection.follows(&repository));
    let registry_host = registry.host().to_owned();
    Some((
        follows,
        WatchingInstance { instance: instance.clone(), registry_host, repository, is_ecr: false },
    ))
}

/// Returns the failed step for a reference that no instance watches.
pub(super) fn unwatched(pasted: &PastedReference, instances: &[DiscoveryInstance]) -> Step {
    let (host, _) = pasted.host_and_repository();
    let sources: Vec<String> = instances.iter().filter_map(source).take(NAMED).collect();
    let watched = match instances.len().saturating_sub(NAMED) {
        _ if sources.is_empty() => "No instance has run yet.".to_owned(),
        0 => format!("Watched registries: {}.", sources.join(", ")),
        more => format!("Watched registries: {} and {more} more.", sources.join(", ")),
    };
    let remedy = format!(
        "Look for a mistype. Or configure an instance for {host}. A configured instance shows \
         up after its first run: look at its schedule and the log of its function."
    );
    Step::failed(StepId::Instance, format!("No instance watches {host}. {watched}"), remedy)
}

/// Returns what an instance watches, in words.
fn source(instance: &DiscoveryInstance) -> Option<String> {
    let source = instance.source.as_deref()?;
    let is_ecr = instance.provider.as_deref() == Some("ecr");
    Some(if is_ecr { format!("ECR in {source}") } else { source.to_owned() })
}
