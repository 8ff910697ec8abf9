//! Which instance watches what was pasted.

use serde::Deserialize;
use serde_json::{Value, json};
use shared::db::DiscoveryInstance;
use shared::diagnose::{Request, Step, StepId};
use shared::domain::{DomainName, Follows, Reference, Registry, Repository, Selection};

use time::{Duration, OffsetDateTime};

use super::reference::Pasted;

/// Instances that are named where none of them watches what was pasted.
const NAMED: usize = 10;

/// An instance, and what was pasted as it sees it.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) instance: DiscoveryInstance,
    /// The registry as its rows name it, without a scheme.
    pub(super) registry_host: String,
    pub(super) repository: Repository,
    pub(super) is_ecr: bool,
}

/// What an instance's configuration says about where it looks.
#[derive(Debug, Default, Deserialize)]
struct WatchScope {
    domain: Option<String>,
    repositories: Option<Vec<String>>,
    #[serde(default)]
    exclude: Vec<String>,
}

impl Watch {
    /// The instance that watches it. Of several: one that follows the repository, is at work, and
    /// names it; then the one whose registry is told most exactly.
    pub(super) fn find(
        pasted: &Pasted,
        instances: &[DiscoveryInstance],
        now: OffsetDateTime,
    ) -> Option<Self> {
        let watches =
            instances.iter().rev().filter_map(|instance| match instance.provider.as_deref() {
                Some("ecr") => told(pasted, instance).map(|watch| (Follows::Named, watch)),
                _ => polled(pasted, instance),
            });
        let worth = |(follows, watch): &(Follows, Self)| {
            let follows = match follows {
                Follows::Named => 2,
                Follows::IfListed => 1,
                Follows::Excluded | Follows::Unmentioned => 0,
            };
            // The row of an instance that was removed stays.
            let DiscoveryInstance { last_started_at, last_event_at, last_succeeded_at, .. } =
                watch.instance;
            let seen_at = last_started_at.max(last_event_at).max(last_succeeded_at);
            let is_at_work = watch.instance.function_name.is_some()
                && seen_at.is_some_and(|at| now - at < Duration::DAY);
            (follows > 0, is_at_work, follows, watch.registry_host.len(), seen_at)
        };
        // Of equals the last is taken, which is the first by name.
        watches.max_by_key(worth).map(|(_, watch)| watch)
    }

    /// What its function is asked.
    pub(super) fn request(&self, pasted: &Pasted) -> Request {
        let (tag, digest) = match &pasted.reference {
            Some(Reference::Tag(tag)) => (Some(tag.to_string()), None),
            Some(Reference::Digest(digest)) => (None, Some(digest.to_string())),
            None => (None, None),
        };
        // A polled registry is the instance's own, whatever its rows call it.
        let registry = self.is_ecr.then(|| self.registry_host.clone());
        Request { registry, repository: self.repository.to_string(), tag, digest }
    }

    /// The words that tell how to have a tag looked at now.
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

    /// A setting of the instance, as it is written in its configuration.
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.instance.configuration.as_ref()?.get("oci")?.get(name)?.as_str()
    }
}

/// An instance that is told by events watches every registry of its region.
fn told(pasted: &Pasted, instance: &DiscoveryInstance) -> Option<Watch> {
    let (host, repository) = pasted.place.split_once('/')?;
    let registry = Registry::named(host.parse().ok()?);
    let (_, region) = registry.domain_name().address().ecr()?;
    (instance.source.as_deref() == Some(region.to_string().as_str())).then_some(())?;
    Some(Watch {
        instance: instance.clone(),
        registry_host: registry.host().to_owned(),
        repository: repository.parse().ok()?,
        is_ecr: true,
    })
}

/// One that polls watches the registry at its address, under whatever name. Given with whether the
/// repository is followed.
fn polled(pasted: &Pasted, instance: &DiscoveryInstance) -> Option<(Follows, Watch)> {
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
    Some((follows, Watch { instance: instance.clone(), registry_host, repository, is_ecr: false }))
}

/// Nobody watches it.
pub(super) fn unwatched(pasted: &Pasted, instances: &[DiscoveryInstance]) -> Step {
    let (host, _) = pasted.host_and_repository();
    let sources: Vec<String> = instances.iter().filter_map(source).take(NAMED).collect();
    let watched = match instances.len().saturating_sub(NAMED) {
        _ if sources.is_empty() => "No instance has run yet.".to_owned(),
        0 => format!("Watched are {}.", sources.join(", ")),
        more => format!("Watched are {} and {more} more.", sources.join(", ")),
    };
    let remedy = format!(
        "Look for a mistype. Or configure an instance for {host}; one that is configured shows up \
         once it has run: see its \
         schedule and the log of its function."
    );
    Step::failed(StepId::Instance, format!("No instance watches {host}. {watched}"), remedy)
}

/// What an instance watches, in words.
fn source(instance: &DiscoveryInstance) -> Option<String> {
    let source = instance.source.as_deref()?;
    let is_ecr = instance.provider.as_deref() == Some("ecr");
    Some(if is_ecr { format!("ECR in {source}") } else { source.to_owned() })
}
