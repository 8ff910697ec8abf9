//! The step that compares the rows with the registry.

use shared::db::{Findings, FoundChart, FoundRegistry};
use shared::diagnose::{Step, StepId};
use shared::domain::Reference;
use time::OffsetDateTime;

use super::evidence::Evidence;
use super::faults;
use super::freshness::interval;
use crate::times::{ago, at, span};

/// Compares the rows with the answer of the registry. Adds why discovery did not look, if it could
/// not.
pub(super) fn row(evidence: &Evidence<'_>, found: &Findings) -> Step {
    let mut step = match &evidence.pasted.reference {
        None => of_repository(evidence, found),
        Some(Reference::Digest(_)) => of_digest(&found.charts),
        Some(Reference::Tag(tag)) => TagFacts { evidence, found, tag: tag.as_str() }.row(),
    };
    // A row that is right needs no other look, and may be newer than the fault.
    let is_right = step.ok == Some(true) && evidence.pasted.reference.is_some();
    if let Some(note) = faults::note(found, evidence.now).filter(|_| !is_right) {
        step.detail = format!("{} {note}", step.detail);
    }
    step
}

/// Checks a repository without a reference.
fn of_repository(evidence: &Evidence<'_>, found: &Findings) -> Step {
    let Some(FoundRegistry { charts, available, .. }) = &found.registry else {
        let detail = "No chart of this repository has a row.";
        return Step::failed(StepId::Row, detail, "Add :TAG to see why one of its tags has none.");
    };
    let held = found.held.since.map_or_else(String::new, |since| {
        let until = at(since + evidence.hold());
        format!(" Held back as missing: {}, the first of them until {until}.", found.held.count)
    });
    Step::passed(
        StepId::Row,
        format!("Chart rows of the repository: {charts}, of which available: {available}.{held}"),
    )
}

/// Checks a reference with a digest.
fn of_digest(charts: &[FoundChart]) -> Step {
    match charts {
        [chart, ..] if chart.available => Step::passed(
            StepId::Row,
            format!("The tag {} has this digest. {}", chart.tag, shown(chart)),
        ),
        [chart, ..] => {
            let detail = format!(
                "The tag {} had this digest, and has another one now or is deleted. Its row is \
                 DELETED.",
                chart.tag
            );
            Step::failed(
                StepId::Row,
                detail,
                format!("Look at the tag itself: put :{} in place of the digest.", chart.tag),
            )
        }
        [] => Step::failed(
            StepId::Row,
            "No row has this digest.",
            "Every row belongs to a tag: diagnose a tag that resolves to this digest.",
        ),
    }
}

/// Everything that is known of a tag.
struct TagFacts<'a> {
    evidence: &'a Evidence<'a>,
    found: &'a Findings,
    tag: &'a str,
}

impl TagFacts<'_> {
    fn row(&self) -> Step {
        let available = self.found.charts.iter().find(|chart| chart.available);
        match (available, self.evidence.live.digest.as_deref()) {
            (Some(chart), Some(digest))
                if chart.digest == digest && self.is_readable_now(chart) =>
            {
                let detail = "The row says that the chart is BROKEN, and it can be read now.";
                Step::failed(StepId::Row, detail, self.at_once().trim().to_owned())
            }
            (Some(chart), Some(digest)) if chart.digest == digest => {
                Step::passed(StepId::Row, format!("The row has this digest. {}", shown(chart)))
            }
            (Some(chart), Some(_)) => {
                let detail =
                    format!("The tag has moved: its row still has the digest {}.", chart.digest);
                Step::failed(StepId::Row, detail, self.next_verification())
            }
            (Some(chart), None) => self.without_answer(chart),
            (None, Some(digest)) => self.without_row(digest),
            (None, None) => Step::skipped(StepId::Row, self.no_row()),
        }
    }

    /// Tells whether the row is BROKEN and this version can read the chart.
    fn is_readable_now(&self, chart: &FoundChart) -> bool {
        chart.error.is_some() && self.evidence.failed().is_none()
    }

    /// There is a row, and the registry did not answer with a digest.
    fn without_answer(&self, chart: &FoundChart) -> Step {
        let missing_since = self.found.seen.as_ref().and_then(|seen| seen.missing_since);
        match (self.evidence.failed(), missing_since) {
            (Some(StepId::Tag | StepId::Listed), Some(since)) => {
                let until = at(since + self.evidence.hold());
                let detail = if self.evidence.live.is_unconfirmed {
                    unconfirmed(since, &until)
                } else {
                    format!(
                        "The row is still available. The tag has been missing since {} and is \
                         held back until {until}, because unusually many tags disappeared at once, \
                         or the registry denied the whole repository.",
                        at(since)
                    )
                };
                // A rescan needs an answer that confirms the absence.
                let is_unconfirmed = self.evidence.live.is_unconfirmed
                    || self.evidence.failed() == Some(StepId::Listed);
                let at_once = match &self.evidence.watch {
                    Some(watch) if is_unconfirmed => {
                        format!(" To believe what is missing now, {}.", watch.release())
                    }
                    _ => self.at_once(),
                };
                let remedy = format!(
                    "It becomes unavailable if it is still missing at {until} \
                     (oci.deletionHold).{at_once}"
                );
                Step::failed(StepId::Row, detail, remedy)
            }
            (Some(StepId::Authorized), _) => self.of_hidden(chart),
            (Some(StepId::Tag), None) => {
                let detail = "The row is still available, but the registry no longer has the tag.";
                Step::failed(StepId::Row, detail, self.next_verification())
            }
            _ => Step::passed(
                StepId::Row,
                format!("There is a row, with the digest {}. {}", chart.digest, shown(chart)),
            ),
        }
    }

    /// There is a row, and the credentials may not read the repository.
    fn of_hidden(&self, chart: &FoundChart) -> Step {
        let detail = format!(
            "There is a row, with the digest {}. {} It stays so while the repository is hidden \
             from the credentials.",
            chart.digest,
            shown(chart)
        );
        match &self.evidence.watch {
            Some(watch) if !watch.is_ecr => {
                let remedy = format!(
                    "Let the credentials read the repository. If it was deleted, wait for the next \
                     pass, which finds it hidden. Then {}.",
                    watch.release_hidden()
                );
                Step::failed(StepId::Row, detail, remedy)
            }
            _ => Step::passed(StepId::Row, detail),
        }
    }

    /// The registry has the tag, and there is no row for it.
    fn without_row(&self, digest: &str) -> Step {
        if self.evidence.failed() == Some(StepId::Manifest) {
            return Step::skipped(StepId::Row, self.no_row());
        }
        let is_deleted = self.found.charts.iter().any(|chart| chart.digest == digest);
        let seen = self.found.seen.as_ref();
        match seen {
            Some(seen) if seen.digest.as_deref() == Some(digest) && !is_deleted => {
                let detail = format!(
                    "There is no row, although the tag was seen with this digest {}: the row was \
                     deleted by hand. Discovery does not undo that.",
                    ago(self.evidence.now - seen.at)
                );
                let remedy = self
                    .rescan()
                    .map_or_else(String::new, |rescan| format!("To restore it, {rescan}."));
                Step::failed(StepId::Row, detail, remedy)
            }
            Some(seen) => {
                let row = if is_deleted {
                    "The row of this digest is DELETED"
                } else {
                    "There is no row of this digest"
                };
                let detail = format!(
                    "{row}: at the last look, {}, the tag had another digest or did not \
                     exist.",
                    ago(self.evidence.now - seen.at)
                );
                Step::failed(StepId::Row, detail, self.first_look())
            }
            None => Step::failed(
                StepId::Row,
                "There is no row yet: discovery has not looked at the tag.",
                self.first_look(),
            ),
        }
    }

    /// Says why there is no available row.
    fn no_row(&self) -> &'static str {
        match self.found.charts.as_slice() {
            [] => "There is no row.",
            _ => "The row is DELETED.",
        }
    }

    /// Says when discovery looks again at a tag that it knows.
    fn next_verification(&self) -> String {
        match &self.evidence.watch {
            Some(watch) if watch.is_ecr => {
                format!(
                    "The event was lost, or has not arrived yet. The repair finds it within a \
                     day.{}",
                    self.at_once()
                )
            }
            Some(watch) => {
                let interval = watch.setting("verifyInterval").unwrap_or("1h");
                format!(
                    "The poller verifies every tag within twice {interval} (oci.verifyInterval).{}",
                    self.at_once()
                )
            }
            None => "An instance that watches the registry would find it.".to_owned(),
        }
    }

    /// Says when discovery looks at a tag that it does not know.
    fn first_look(&self) -> String {
        let next_try = faults::next_try(self.found, self.evidence.now);
        match &self.evidence.watch {
            Some(watch) if !watch.is_ecr && next_try.is_some() => {
                let next_try = next_try.map(at).unwrap_or_default();
                format!("Wait for the next try at {next_try}.{}", self.at_once())
            }
            Some(watch) if watch.is_ecr => format!(
                "If it was pushed just now, wait for its event. If the event was lost, or the push \
                 was before the installation, the repair finds it within a day.{}",
                self.at_once()
            ),
            Some(watch) => {
                let every = span(interval(watch));
                format!(
                    "The next pass finds it: wait for {every}. If it is still missing then, look \
                     at \
                     freshness below.{}",
                    self.at_once()
                )
            }
            None => "Discovery looks at it when an instance watches the registry.".to_owned(),
        }
    }

    /// Says how to look at the tag now.
    fn at_once(&self) -> String {
        self.rescan().map_or_else(String::new, |rescan| format!(" To look at it now, {rescan}."))
    }

    fn rescan(&self) -> Option<String> {
        Some(self.evidence.watch.as_ref()?.rescan(self.tag))
    }
}

/// Describes an absence that the registry did not confirm.
fn unconfirmed(since: OffsetDateTime, until: &str) -> String {
    format!(
        "The row is still available: unconfirmed absence since {}, believed at {until}. The \
         registry answers 404, but does not say that the manifest is unknown. It is believed if \
         the list of tags does not name the tag either.",
        at(since)
    )
}

fn shown(chart: &FoundChart) -> &'static str {
    if chart.error.is_some() { "It is available, and shown as BROKEN." } else { "It is available." }
}
