//! The metrics of each discovery instance, in CloudWatch's embedded metric format on standard
//! output. Lambda collects the output, and CloudWatch turns it into metrics. The `metrics` facade
//! collects the values until the end of the invocation. Without [`start`] it drops them.
//!
//! Format:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::io;
use std::time::Duration;

use metrics::Unit;
use metrics_cloudwatch_embedded::Builder;
pub use metrics_cloudwatch_embedded::Collector;

/// The namespace of all metrics, unless `METRICS_NAMESPACE` replaces it.
pub const NAMESPACE: &str = "ChartDiscovery";

/// The only dimension: the instance's name.
pub const DIMENSION: &str = "Instance";

/// How many values of one metric and instance fit into a line of the format.
pub const VALUES_MAX: usize = 100;

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Chart rows that became available.
    ChartsAdded,
    /// Chart rows that became unavailable.
    ChartsUnavailable,
    /// Charts that turned out to be BROKEN.
    ChartsBroken,
    /// References that are not charts, or that cannot be ones.
    ReferencesSkipped,
    /// Missing charts that are held back at the end of a pass.
    HeldBack,
    /// Requests to the registry, including those for tokens and redirects.
    RegistryRequests,
    /// Answers that ask for fewer requests: 429, or 503 with a Retry-After.
    RegistryThrottled,
    /// The duration of a pass over the whole registry, in milliseconds, if it began and ended in
    /// one invocation.
    PassDuration,
    /// The age of the knowledge about the registry at the end of an invocation, in seconds: the
    /// time since the start of the last completed pass.
    PollLag,
    /// Chart rows that a repair changed, because their events were lost.
    RepairFound,
    /// The time from the announcement of a change by an event or a webhook to the commit of its
    /// row, in milliseconds.
    HintToRow,
    /// Webhooks whose proof is right, and whose hints are in the queue.
    WebhooksTaken,
    /// Webhooks with a wrong proof or too large a body, and those that could not be taken.
    WebhooksRefused,
}

impl Metric {
    /// All metrics.
    pub const ALL: [Self; 13] = [
        Self::ChartsAdded,
        Self::ChartsUnavailable,
        Self::ChartsBroken,
        Self::ReferencesSkipped,
        Self::HeldBack,
        Self::RegistryRequests,
        Self::RegistryThrottled,
        Self::PassDuration,
        Self::PollLag,
        Self::RepairFound,
        Self::HintToRow,
        Self::WebhooksTaken,
        Self::WebhooksRefused,
    ];

    /// Returns the name in CloudWatch.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ChartsAdded => "ChartsAdded",
            Self::ChartsUnavailable => "ChartsUnavailable",
            Self::ChartsBroken => "ChartsBroken",
            Self::ReferencesSkipped => "ReferencesSkipped",
            Self::HeldBack => "HeldBack",
            Self::RegistryRequests => "RegistryRequests",
            Self::RegistryThrottled => "RegistryThrottled",
            Self::PassDuration => "PassDuration",
            Self::PollLag => "PollLag",
            Self::RepairFound => "RepairFound",
            Self::HintToRow => "HintToRow",
            Self::WebhooksTaken => "WebhooksTaken",
            Self::WebhooksRefused => "WebhooksRefused",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::PassDuration | Self::HintToRow => Unit::Milliseconds,
            Self::PollLag => Unit::Seconds,
            _ => Unit::Count,
        }
    }

    /// Adds to a number that is written once per invocation. A zero is not written, because a
    /// metric without values costs nothing.
    pub fn count(self, instance: &str, number: u64) {
        if number > 0 {
            metrics::counter!(self.name(), DIMENSION => instance.to_owned()).increment(number);
        }
    }

    /// Records one value, at most [`VALUES_MAX`] times per invocation.
    #[expect(clippy::cast_precision_loss, reason = "no count or time here comes near 2^52")]
    pub fn record(self, instance: &str, value: u64) {
        metrics::histogram!(self.name(), DIMENSION => instance.to_owned()).record(value as f64);
    }
}

/// Converts a duration to the unit of [`Metric::PassDuration`] and [`Metric::HintToRow`].
#[must_use]
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Starts to collect, for a namespace of CloudWatch. A process may call it once.
///
/// # Errors
/// Fails if the process already collects metrics.
pub fn start(namespace: String) -> anyhow::Result<&'static Collector> {
    let collector = Builder::new().cloudwatch_namespace(namespace).init();
    let collector =
        collector.map_err(|error| anyhow::anyhow!("cannot collect metrics: {error}"))?;
    for metric in Metric::ALL {
        match metric {
            Metric::HeldBack | Metric::PassDuration | Metric::PollLag | Metric::HintToRow => {
                metrics::describe_histogram!(metric.name(), metric.unit(), "");
            }
            _ => metrics::describe_counter!(metric.name(), metric.unit(), ""),
        }
    }
    Ok(collector)
}

/// Writes the values that were collected since the last call.
pub fn flush(collector: &Collector) {
    if let Err(error) = collector.flush(io::stdout().lock()) {
        tracing::warn!(%error, "the metrics were not written");
    }
}
