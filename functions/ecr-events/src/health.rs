//! What shows of this function from outside: its row in `discovery_instances`, with which it says
//! that it is there and that events come, and its metrics.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::json;
use shared::db::Introduction;
use shared::domain::Region;
use shared::metrics::Metric;
use shared::oci::Client;
use shared::reconcile::Report;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::handler::Follower;

/// Time for a note: the batch is done, and its answer waits.
const NOTE_TIME: Duration = Duration::from_millis(500);

/// Time between two notes that events come.
const NOTE_PAUSE: Duration = Duration::from_secs(10);

impl Follower {
    /// What the row in `discovery_instances` is called.
    pub(crate) fn instance_name(&self, region: &Region) -> String {
        self.settings.instance.clone().unwrap_or_else(|| format!("ecr-{region}"))
    }

    /// What the metrics call the instance.
    pub(crate) fn measured_name(&self) -> &str {
        self.settings.instance.as_deref().unwrap_or("ecr")
    }

    /// Tells the metrics what was written.
    pub(crate) fn measure(&self, report: &Report) {
        let instance = self.measured_name();
        Metric::ChartsAdded.count(instance, report.added);
        Metric::ChartsUnavailable.count(instance, report.unavailable);
        Metric::ChartsBroken.count(instance, report.broken);
        Metric::ReferencesSkipped.count(instance, report.not_charts);
    }

    /// Tells the metrics what registries were asked.
    pub(crate) fn measure_requests(&self) {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        for asked in clients.values().map(Client::take_counts) {
            Metric::RegistryRequests.count(self.measured_name(), asked.requests);
            Metric::RegistryThrottled.count(self.measured_name(), asked.throttled);
        }
    }

    /// Tells `told` what the instance of a region is like.
    pub(crate) async fn introduce<T>(
        &self,
        region: &Region,
        told: impl AsyncFnOnce(&Introduction<'_>) -> T,
    ) -> T {
        let (name, source) = (self.instance_name(region), region.to_string());
        let configuration =
            json!({"name": name, "provider": "ecr", "ecrEvents": {"regionName": source}});
        let introduction = Introduction {
            name: &name,
            provider: "ecr",
            source: &source,
            configuration: &configuration,
            function: &self.settings.function_name,
        };
        told(&introduction).await
    }

    /// Shows in the instances' health that events come, without making anybody wait for it or fail
    /// because of it.
    pub(crate) async fn note_events(&self, regions: HashSet<Region>, deadline: Instant) {
        for region in regions {
            if !self.is_to_be_noted(&region) {
                continue;
            }
            let noted = self.introduce(&region, async |introduction| {
                self.database.note_event(introduction).await
            });
            match timeout_at(deadline.min(Instant::now() + NOTE_TIME), noted).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    warn!(error = %shared::telemetry::Causes(&error), "the event is not in the health");
                }
                Err(_) => warn!("there was no time to write the event into the health"),
            }
        }
    }

    /// Not for every batch: many functions would wait for one row.
    fn is_to_be_noted(&self, region: &Region) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match noted.get(region) {
            Some(at) if now.duration_since(*at) < NOTE_PAUSE => false,
            _ => {
                noted.insert(region.clone(), now);
                true
            }
        }
    }
}
