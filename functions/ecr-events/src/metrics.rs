//! The metrics of the written changes.

use shared::metrics::Metric;
use shared::reconcile::Report;

/// Adds the changes of one report to the metrics.
pub(crate) fn measure_report(instance: &str, report: &Report) {
    Metric::ChartsAdded.count(instance, report.added);
    Metric::ChartsUnavailable.count(instance, report.unavailable);
    Metric::ChartsBroken.count(instance, report.broken);
    Metric::ReferencesSkipped.count(instance, report.not_charts);
}
