//! Whether discovery runs: without it nothing that is right in the registry gets into the rows.

use shared::diagnose::{Step, StepId};
use time::{Duration, OffsetDateTime};

use super::evidence::Evidence;
use super::instance::Watch;
use crate::times::{ago, span};

/// Intervals after which an instance that has not run is late. A run is seen when it ends.
const LATE: i32 = 3;

/// Every schedule invokes once a minute; some intervals are longer.
const SCHEDULE: Duration = Duration::MINUTE;

/// Without an event or a complete repair for so long, something does not run: repairs are made
/// daily.
const ECR_LATE: Duration = Duration::hours(48);

/// Checks whether the instance runs. An error of its last run is no cause if the row is right.
pub(super) fn freshness(evidence: &Evidence<'_>, is_row_right: bool) -> Step {
    match &evidence.watch {
        None => Step::skipped(StepId::Freshness, "There is no instance that could run."),
        Some(watch) if watch.is_ecr => told(watch, evidence.now, is_row_right),
        Some(watch) => polled(watch, evidence.now, is_row_right),
    }
}

/// The time between two passes.
pub(super) fn interval(watch: &Watch) -> Duration {
    let interval =
        watch.setting("pollInterval").and_then(|text| humantime::parse_duration(text).ok());
    interval
        .and_then(|interval| Duration::try_from(interval).ok())
        .unwrap_or(Duration::seconds(5))
        .max(SCHEDULE)
}

fn polled(watch: &Watch, now: OffsetDateTime, is_row_right: bool) -> Step {
    let instance = &watch.instance;
    let look =
        "See the instance's schedule, the errors and throttles of its function, and its log.";
    let Some(started_at) = instance.last_started_at else {
        let detail = "The first run of the instance is not over yet.";
        return Step::failed(
            StepId::Freshness,
            detail,
            format!("Wait for a minute. If it stays: {}", lower(look)),
        );
    };
    let began = format!("The last run that is over began {}", ago(now - started_at));
    let interval = interval(watch);
    let is_complete =
        instance.last_succeeded_at.is_some_and(|succeeded_at| succeeded_at >= started_at);
    if now - started_at > interval * LATE {
        let detail = format!("{began}, and there should be one every {}.", span(interval));
        let remedy = format!("If a first scan is under way, wait for it. Else: {}", lower(look));
        return Step::failed(StepId::Freshness, detail, remedy);
    }
    let note = instance.last_error.as_deref().unwrap_or_default();
    match is_complete {
        true => Step::passed(
            StepId::Freshness,
            format!("{began} and read everything. {note}").trim_end(),
        ),
        false if is_row_right => Step::passed(
            StepId::Freshness,
            format!(
                "{began}. It did not read everything, which does not concern this chart. {note}"
            )
            .trim_end(),
        ),
        false => {
            let remedy =
                "It goes on with the next run. If this stays, look at the log of the function.";
            Step::failed(
                StepId::Freshness,
                format!("{began} and did not read everything. {note}").trim_end(),
                remedy,
            )
        }
    }
}

fn told(watch: &Watch, now: OffsetDateTime, is_row_right: bool) -> Step {
    let instance = &watch.instance;
    let when = |at: Option<OffsetDateTime>| at.map_or("never".to_owned(), |at| ago(now - at));
    let detail = format!(
        "The last event about a chart came: {}. The last complete repair ended: {}.",
        when(instance.last_event_at),
        when(instance.last_succeeded_at)
    );
    let latest = instance.last_event_at.max(instance.last_succeeded_at);
    match &instance.last_error {
        Some(error) if !is_row_right => {
            let remedy = "The repair goes on every ten minutes. If this stays, look at the log of \
                          the function.";
            Step::failed(
                StepId::Freshness,
                format!("{detail} The last one had errors: {error}"),
                remedy,
            )
        }
        _ if latest.is_none_or(|latest| now - latest > ECR_LATE) => {
            let remedy = "See that the EventBridge rule is enabled and leads to the queue, that \
                          the queue's messages are taken (its \
                          event source mapping, its dead-letter queue), and that the repair's \
                          schedule runs.";
            Step::failed(StepId::Freshness, detail, remedy)
        }
        Some(note) => {
            let detail = format!(
                "{detail} The last repair had errors, which do not concern this chart: {note}"
            );
            Step::passed(StepId::Freshness, detail)
        }
        None => Step::passed(StepId::Freshness, detail),
    }
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
