//! The step that checks whether discovery runs. If it does not, rows stay older than the registry.

use shared::diagnose::{Step, StepId};
use time::{Duration, OffsetDateTime};

use super::evidence::Evidence;
use super::instance::WatchingInstance;
use crate::times::{ago, span};

/// Intervals after which an instance is late. There is more than one, because a run is only
/// recorded when it ends.
const LATE: i32 = 3;

/// The shortest time between two passes, because every schedule invokes once a minute.
const SCHEDULE: Duration = Duration::MINUTE;

/// Time after which `ecr-events` is late if it had neither an event nor a complete repair. Repairs
/// are daily.
const ECR_LATE: Duration = Duration::hours(48);

/// Checks whether the instance runs. An error of its last run is no cause if the row is right.
pub(super) fn freshness(evidence: &Evidence<'_>, is_row_right: bool) -> Step {
    match &evidence.watch {
        None => Step::skipped(StepId::Freshness, "There is no instance that could run."),
        Some(watch) if watch.is_ecr => by_events(watch, evidence.now, is_row_right),
        Some(watch) => by_polling(watch, evidence.now, is_row_right),
    }
}

/// Returns the time between two passes.
pub(super) fn interval(watch: &WatchingInstance) -> Duration {
    let interval =
        watch.setting("pollInterval").and_then(|text| humantime::parse_duration(text).ok());
    interval
        .and_then(|interval| Duration::try_from(interval).ok())
        .unwrap_or(Duration::seconds(5))
        .max(SCHEDULE)
}

fn by_polling(watch: &WatchingInstance, now: OffsetDateTime, is_row_right: bool) -> Step {
    let instance = &watch.instance;
    let look =
        "Look at the instance's schedule, the errors and throttles of its function, and its log.";
    let Some(started_at) = instance.last_started_at else {
        let detail = "The first run of the instance has not ended yet.";
        return Step::failed(
            StepId::Freshness,
            detail,
            format!("Wait for a minute. If it stays: {}", lower(look)),
        );
    };
    let began = format!(
        "{}The last run that has ended began {}",
        webhooks(watch, now),
        ago(now - started_at)
    );
    let interval = interval(watch);
    let is_complete =
        instance.last_succeeded_at.is_some_and(|succeeded_at| succeeded_at >= started_at);
    if now - started_at > interval * LATE {
        let detail = format!("{began}, and one should begin every {}.", span(interval));
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
            let remedy = "The next run resumes it. If this stays, look at the log of the function.";
            Step::failed(
                StepId::Freshness,
                format!("{began} and did not read everything. {note}").trim_end(),
                remedy,
            )
        }
    }
}

/// Says when a webhook last came, as a sentence with a space behind it. Says nothing about an
/// instance without webhooks.
fn webhooks(watch: &WatchingInstance, now: OffsetDateTime) -> String {
    match watch.instance.last_hint_at {
        Some(at) => format!("The last webhook came {}. ", ago(now - at)),
        None if watch.has_webhooks() => "No webhook ever came. ".to_owned(),
        None => String::new(),
    }
}

fn by_events(watch: &WatchingInstance, now: OffsetDateTime, is_row_right: bool) -> Step {
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
            let remedy = "The repair is resumed every ten minutes. If this stays, look at the log \
                          of the function.";
            Step::failed(
                StepId::Freshness,
                format!("{detail} The last one had errors: {error}"),
                remedy,
            )
        }
        _ if latest.is_none_or(|latest| now - latest > ECR_LATE) => {
            let remedy = "Check that the EventBridge rule is enabled and sends to the queue. Check \
                          the queue's event source mapping and its dead-letter queue. Check that \
                          the schedule of the repair runs.";
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
