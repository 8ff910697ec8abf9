//! The instances that the database knows: which registries they watch, and which of them still
//! run. An instance that was removed keeps its row.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use tokio_postgres::Row;

use crate::db::{Database, Error};
use crate::domain::{DomainName, Registry, Repository, Selection};

/// The shortest time without a start after which an instance counts as gone. It outlasts an outage
/// of some hours, because what follows from "gone" makes charts unavailable.
const GONE_AFTER: Duration = Duration::DAY;

/// Intervals without a start after which an instance counts as gone, if they are longer.
const GONE_INTERVALS: i32 = 3;

/// The interval of an instance that follows events: its repair is daily.
const REPAIR_INTERVAL: Duration = Duration::DAY;

/// An instance, as far as it says what it watches.
#[derive(Debug, Clone)]
pub struct KnownInstance {
    /// The instance's name.
    pub name: String,
    /// The time when it last started, or last handled an event. A start whose run has not ended is
    /// written at most once an hour.
    pub seen_at: OffsetDateTime,
    /// Whether the database has every repository that the registry shows to the instance.
    pub has_seen_all: bool,
    /// What its rows called its registry before.
    former_domains: Vec<String>,
    is_ecr: bool,
    /// The registry's address, or the region.
    source: String,
    settings: WatchSettings,
}

/// All instances, and the time of the database's clock.
#[derive(Debug, Clone)]
pub struct KnownInstances {
    /// The instances, by name.
    pub all: Vec<KnownInstance>,
    /// The time when they were read.
    pub now: OffsetDateTime,
}

/// What an instance watches.
#[derive(Debug, Default, Clone)]
struct WatchSettings {
    oci: PolledSettings,
    ecr_events: EventSettings,
    /// The repositories that it polls; `None` for all, or if they cannot be read.
    selection: Option<Selection>,
}

/// The part of a configuration that says what an instance watches.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WatchFields {
    oci: PolledSettings,
    ecr_events: EventSettings,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PolledSettings {
    domain: Option<String>,
    poll_interval: Option<String>,
    repositories: Option<Vec<String>>,
    exclude: Vec<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
struct EventSettings {
    accounts: Vec<String>,
}

const KNOWN: &str = "\
SELECT clock_timestamp(), name, provider = 'ecr', source, configuration::text,
    greatest(last_invoked_at, last_started_at, last_event_at), has_seen_all, former_domains
FROM discovery_instances
WHERE source IS NOT NULL
UNION ALL
SELECT clock_timestamp(), NULL, NULL, NULL, NULL, NULL, NULL, NULL
ORDER BY 2";

impl Database {
    /// Reads what every instance watches, and when it last ran.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn known_instances(&self) -> Result<KnownInstances, Error> {
        let what = "list the instances";
        let rows = self.query(what, KNOWN, &[]).await?;
        let unreadable = |source| Error::Query { what, source };
        let now = rows.first().ok_or(Error::NoRow { what })?.try_get(0).map_err(unreadable)?;
        let all = rows.iter().filter_map(|row| KnownInstance::read(row).transpose());
        Ok(KnownInstances { all: all.collect::<Result<_, _>>().map_err(unreadable)?, now })
    }
}

impl KnownInstances {
    /// Returns a live instance that watches the registry.
    #[must_use]
    pub fn live_at(&self, registry: &Registry) -> Option<&KnownInstance> {
        self.all.iter().find(|known| known.covers(registry) && known.is_live(self.now))
    }

    /// Returns the other live instances that watch the registry.
    pub fn others_at(
        &self,
        registry: &Registry,
        name: &str,
    ) -> impl Iterator<Item = &KnownInstance> {
        let is_other = move |known: &&KnownInstance| known.name != name;
        self.all
            .iter()
            .filter(is_other)
            .filter(|known| known.covers(registry) && known.is_live(self.now))
    }

    /// Returns the instances that poll a repository, live or gone.
    pub fn watching(
        &self,
        registry: &Registry,
        repository: &Repository,
    ) -> impl Iterator<Item = &KnownInstance> {
        let polls = |known: &&KnownInstance| !known.is_ecr && known.covers(registry);
        self.all.iter().filter(polls).filter(|known| known.selects(repository))
    }

    /// Returns the instances that watched the registry and are gone.
    pub fn gone_from(&self, registry: &Registry) -> impl Iterator<Item = &KnownInstance> {
        self.all.iter().filter(|known| known.covers(registry) && !known.is_live(self.now))
    }
}

impl KnownInstance {
    fn read(row: &Row) -> Result<Option<Self>, tokio_postgres::Error> {
        let Some(name) = row.try_get(1)? else { return Ok(None) };
        let configuration: Option<&str> = row.try_get(4)?;
        let configuration = configuration.and_then(|text| serde_json::from_str(text).ok());
        Ok(Some(Self {
            name,
            seen_at: row.try_get(5)?,
            has_seen_all: row.try_get(6)?,
            former_domains: row.try_get(7)?,
            is_ecr: row.try_get::<_, Option<bool>>(2)?.unwrap_or_default(),
            source: row.try_get(3)?,
            settings: WatchSettings::read(configuration),
        }))
    }

    /// Returns an instance that polls with this configuration, and was never seen.
    #[must_use]
    pub fn polling(name: &str, configuration: Value) -> Self {
        Self {
            name: name.to_owned(),
            seen_at: OffsetDateTime::UNIX_EPOCH,
            has_seen_all: false,
            former_domains: Vec::new(),
            is_ecr: false,
            source: String::new(),
            settings: WatchSettings::read(Some(configuration)),
        }
    }

    /// Returns whether the instance's rows are those of the registry: for ECR by its region and
    /// accounts, and else by the name that its rows give the registry.
    #[must_use]
    pub fn covers(&self, registry: &Registry) -> bool {
        if !self.is_ecr {
            return self.polled().is_some_and(|own| own.host() == registry.host());
        }
        let Some((account, region)) = registry.domain_name().address().ecr() else { return false };
        let accounts = &self.settings.ecr_events.accounts;
        let is_accepted = accounts.is_empty() || accounts.contains(&account.to_string());
        is_accepted && region.to_string() == self.source
    }

    /// Returns whether the instance's rows give the registry this name.
    #[must_use]
    pub fn names(&self, registry: &Registry) -> bool {
        self.polled().is_some_and(|own| own == *registry)
    }

    /// Returns the hosts of the registry under which the instance may have rows of an earlier
    /// configuration: former names, and the address if `oci.domain` replaces it.
    #[must_use]
    pub fn former_hosts(&self) -> HashSet<String> {
        let own = self.polled();
        let names = self.former_domains.iter().chain([&self.source]).filter(|_| !self.is_ecr);
        let hosts = names.filter_map(|name| Some(named(name)?.host().to_owned()));
        hosts.filter(|host| own.as_ref().is_none_or(|own| own.host() != host)).collect()
    }

    /// Returns the registry that the instance polls, as its rows name it.
    fn polled(&self) -> Option<Registry> {
        named(self.settings.oci.domain.as_ref().unwrap_or(&self.source))
    }

    /// Returns whether the instance's selection has a repository of its registry.
    #[must_use]
    pub fn selects(&self, repository: &Repository) -> bool {
        self.settings.selection.as_ref().is_none_or(|selection| selection.has(repository))
    }

    /// Returns whether the instance still runs.
    #[must_use]
    pub fn is_live(&self, now: OffsetDateTime) -> bool {
        let interval = if self.is_ecr { REPAIR_INTERVAL } else { self.poll_interval() };
        let patience = interval.checked_mul(GONE_INTERVALS).unwrap_or(Duration::MAX);
        now - self.seen_at < patience.max(GONE_AFTER)
    }

    fn poll_interval(&self) -> Duration {
        let text = self.settings.oci.poll_interval.as_deref();
        let interval = text.and_then(|text| humantime::parse_duration(text).ok());
        interval.and_then(|interval| Duration::try_from(interval).ok()).unwrap_or_default()
    }
}

fn named(name: &str) -> Option<Registry> {
    name.parse().ok().map(|name: DomainName| Registry::named(name))
}

impl WatchSettings {
    fn read(configuration: Option<Value>) -> Self {
        let fields = configuration.and_then(|read| serde_json::from_value(read).ok());
        let WatchFields { oci, ecr_events } = fields.unwrap_or_default();
        let selection = Selection::read("oci", oci.repositories.as_deref(), &oci.exclude).ok();
        Self { oci, ecr_events, selection }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn known(is_ecr: bool, source: &str, configuration: Value) -> KnownInstance {
        let source = source.to_owned();
        KnownInstance { is_ecr, source, ..KnownInstance::polling("x", configuration) }
    }

    #[test]
    fn instance_covers_the_registry_of_its_rows() {
        let accounts = json!({"ecrEvents": {"accounts": ["123456789012"]}});
        let renamed = json!({"oci": {"domain": "ghcr.io"}});
        for (is_ecr, source, configuration, registry, expected) in [
            (false, "https://ghcr.io", json!({}), "ghcr.io", true),
            (false, "https://ghcr.io", json!({}), "http://ghcr.io", true),
            (false, "https://ghcr.io", json!({}), "quay.io", false),
            (false, "https://proxy", renamed.clone(), "ghcr.io", true),
            (false, "https://proxy", renamed, "proxy", false),
            (true, "us-east-1", json!({}), "123456789012.dkr.ecr.us-east-1.amazonaws.com", true),
            (true, "us-east-1", json!({}), "123456789012.dkr.ecr.eu-west-1.amazonaws.com", false),
            (
                true,
                "us-east-1",
                accounts.clone(),
                "123456789012.dkr.ecr.us-east-1.amazonaws.com",
                true,
            ),
            (true, "us-east-1", accounts, "210987654321.dkr.ecr.us-east-1.amazonaws.com", false),
            (true, "us-east-1", json!({}), "ghcr.io", false),
        ] {
            let registry = Registry::named(registry.parse().unwrap());
            let shown = format!("{source} {configuration} {registry:?}");
            assert_eq!(known(is_ecr, source, configuration).covers(&registry), expected, "{shown}");
        }
    }

    #[test]
    fn instance_selects_what_it_polls() {
        let named = json!({"oci": {"repositories": ["team/*"], "exclude": ["team/b"]}});
        for (configuration, repository, expected) in [
            (json!({}), "any/thing", true),
            (named.clone(), "team/a", true),
            (named.clone(), "team/b", false),
            (named, "other/a", false),
            (json!({"oci": {"repositories": ["[x"]}}), "any/thing", true),
        ] {
            let shown = format!("{configuration} {repository}");
            let known = known(false, "https://ghcr.io", configuration);
            assert_eq!(known.selects(&repository.parse().unwrap()), expected, "{shown}");
        }
    }

    #[test]
    fn instance_is_live_for_a_day_or_three_intervals_after_its_last_start() {
        let rare = json!({"oci": {"pollInterval": "12h"}});
        for (is_ecr, configuration, hours_ago, expected) in [
            (false, json!({}), 23, true),
            (false, json!({}), 24, false),
            (false, rare.clone(), 35, true),
            (false, rare, 36, false),
            (true, json!({}), 71, true),
            (true, json!({}), 72, false),
        ] {
            let shown = format!("{configuration} {hours_ago}");
            let seen_at = NOW - Duration::hours(hours_ago);
            let known = KnownInstance { seen_at, ..known(is_ecr, "x", configuration) };
            assert_eq!(known.is_live(NOW), expected, "{shown}");
        }
    }
}
