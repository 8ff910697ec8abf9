//! What is measured, for each discovery instance: CloudWatch's embedded metric format on standard
//! output, which Lambda collects and CloudWatch turns into metrics. The `metrics` facade carries it
//! from where it happens to the end of the invocation; without [`start`] nothing is collected.
//!
//! Format:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::io;
use std::time::Duration;

use metrics::Unit;
use metrics_cloudwatch_embedded::{Builder, Collector};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "ChartDiscovery";

/// The one dimension: the instance's name.
pub const DIMENSION: &str = "Instance";

/// Values of one metric and instance that fit into a line of the format.
pub const VALUES_MAX: usize = 100;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Chart rows that became available.
    ChartsAdded,
    /// Chart rows that became unavailable.
    ChartsUnavailable,
    /// Charts found to be broken.
    ChartsBroken,
    /// References that turned out to be no charts, or cannot be ones.
    ReferencesSkipped,
    /// Tags that are missing and not believed to be deleted yet, when a pass comes to its end.
    HeldBack,
    /// Requests to the registry, logins and redirects among them.
    RegistryRequests,
    /// Answers that ask for fewer requests: 429, or 503 with a Retry-After.
    RegistryThrottled,
    /// How long a pass over the whole registry took, in milliseconds, where it began and ended in
    /// one invocation.
    PassDuration,
    /// How old, in seconds, what is known of the registry is at the end of an invocation: the time
    /// since the beginning of the last pass that came to its end.
    PollLag,
    /// Chart rows that a repair changed: events about them were lost.
    RepairFound,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 10] = [
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
    ];

    /// The name in CloudWatch.
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
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::PassDuration => Unit::Milliseconds,
            Self::PollLag => Unit::Seconds,
            _ => Unit::Count,
        }
    }

    /// Adds to a number that is told once per invocation. Of nothing nothing is told: a metric that
    /// has no values costs nothing.
    pub fn count(self, instance: &str, number: u64) {
        if number > 0 {
            metrics::counter!(self.name(), DIMENSION => instance.to_owned()).increment(number);
        }
    }

    /// Tells a value as it is. At most [`VALUES_MAX`] per invocation.
    #[expect(clippy::cast_precision_loss, reason = "no count or time in here comes near 2^52")]
    pub fn record(self, instance: &str, value: u64) {
        metrics::histogram!(self.name(), DIMENSION => instance.to_owned()).record(value as f64);
    }
}

/// A duration as [`Metric::PassDuration`] has it.
#[must_use]
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Begins to collect, once in a process.
///
/// # Errors
/// When somebody else collects already.
pub fn start() -> anyhow::Result<&'static Collector> {
    let collector = Builder::new().cloudwatch_namespace(NAMESPACE).init();
    let collector =
        collector.map_err(|error| anyhow::anyhow!("cannot collect metrics: {error}"))?;
    for metric in Metric::ALL {
        match metric {
            Metric::HeldBack | Metric::PassDuration | Metric::PollLag => {
                metrics::describe_histogram!(metric.name(), metric.unit(), "");
            }
            _ => metrics::describe_counter!(metric.name(), metric.unit(), ""),
        }
    }
    Ok(collector)
}

/// Writes what has been collected since the last time.
pub fn tell(collector: &Collector) {
    if let Err(error) = collector.flush(io::stdout().lock()) {
        tracing::warn!(%error, "the metrics were not written");
    }
}
