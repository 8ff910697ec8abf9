//! Whether the rows say what the registry says, and if not, why.

use shared::db::{Findings, FoundChart, FoundRegistry};
use shared::diagnose::{Step, StepId};
use shared::domain::Reference;

use super::evidence::Evidence;
use super::freshness::interval;
use crate::times::{ago, span};

/// The step.
pub(super) fn row(evidence: &Evidence<'_>, found: &Findings) -> Step {
    match &evidence.pasted.reference {
        None => whole(found.registry.as_ref()),
        Some(Reference::Digest(_)) => of_digest(&found.charts),
        Some(Reference::Tag(tag)) => Of { evidence, found, tag: tag.as_str() }.row(),
    }
}

/// Without a tag.
fn whole(registry: Option<&FoundRegistry>) -> Step {
    let Some(FoundRegistry { charts, available, .. }) = registry else {
        let detail = "No chart of this repository has a row.";
        return Step::failed(StepId::Row, detail, "Add :TAG to see why one of its tags has none.");
    };
    Step::passed(
        StepId::Row,
        format!("Chart rows of the repository: {charts}, of which available: {available}."),
    )
}

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
            "Rows are of tags: look at a tag that resolves to it.",
        ),
    }
}

/// What is known of a tag.
struct Of<'a> {
    evidence: &'a Evidence<'a>,
    found: &'a Findings,
    tag: &'a str,
}

impl Of<'_> {
    fn row(&self) -> Step {
        let available = self.found.charts.iter().find(|chart| chart.available);
        match (available, self.evidence.live.digest.as_deref()) {
            (Some(chart), Some(digest)) if chart.digest == digest && self.is_mended(chart) => {
                let detail = "The row says that the chart is BROKEN, and it can be read now.";
                Step::failed(StepId::Row, detail, self.at_once().trim().to_owned())
            }
            (Some(chart), Some(digest)) if chart.digest == digest => {
                Step::passed(StepId::Row, format!("The row has this digest. {}", shown(chart)))
            }
            (Some(chart), Some(_)) => {
                let detail =
                    format!("The tag has moved: its row still has the digest {}.", chart.digest);
                Step::failed(StepId::Row, detail, self.verified())
            }
            (Some(chart), None) => self.gone(chart),
            (None, Some(digest)) => self.missing(digest),
            (None, None) => Step::skipped(StepId::Row, self.without()),
        }
    }

    /// Whether what makes the row BROKEN is no defect to this version.
    fn is_mended(&self, chart: &FoundChart) -> bool {
        chart.error.is_some() && self.evidence.failed().is_none()
    }

    /// The registry did not tell a digest, and there is a row.
    fn gone(&self, chart: &FoundChart) -> Step {
        let missing_since = self.found.seen.as_ref().and_then(|seen| seen.missing_since);
        match (self.evidence.failed(), missing_since) {
            (Some(StepId::Tag | StepId::Listed), Some(since)) => {
                let detail = format!(
                    "The row is still available: the tag has been missing since {}, and is held \
                     back, because unusually many \
                     tags went at once, or the registry denied the whole repository.",
                    ago(self.evidence.now - since)
                );
                let hold = self
                    .evidence
                    .watch
                    .as_ref()
                    .and_then(|watch| watch.setting("deletionHold"))
                    .unwrap_or("1h");
                // Of a repository that is denied a rescan believes nothing either.
                let at_once = if self.evidence.failed() == Some(StepId::Tag) {
                    self.at_once()
                } else {
                    String::new()
                };
                let remedy = format!(
                    "It becomes unavailable when it is still missing {hold} after that \
                     (oci.deletionHold).{at_once}"
                );
                Step::failed(StepId::Row, detail, remedy)
            }
            (Some(StepId::Tag), None) => {
                let detail =
                    "The row is still available, and the registry has no such tag any more.";
                Step::failed(StepId::Row, detail, self.verified())
            }
            _ => Step::passed(
                StepId::Row,
                format!("There is a row, with the digest {}. {}", chart.digest, shown(chart)),
            ),
        }
    }

    /// The registry has something, and there is no row of it.
    fn missing(&self, digest: &str) -> Step {
        if self.evidence.failed() == Some(StepId::Manifest) {
            return Step::skipped(StepId::Row, self.without());
        }
        let is_deleted = self.found.charts.iter().any(|chart| chart.digest == digest);
        let seen = self.found.seen.as_ref();
        match seen {
            Some(seen) if seen.digest.as_deref() == Some(digest) && !is_deleted => {
                let detail = format!(
                    "There is no row, although the tag was seen with this digest {}: somebody \
                     deleted the row by hand. Discovery \
                     does not undo that.",
                    ago(self.evidence.now - seen.at)
                );
                let remedy = self
                    .rescan()
                    .map_or_else(String::new, |rescan| format!("To have it back, {rescan}."));
                Step::failed(StepId::Row, detail, remedy)
            }
            Some(seen) => {
                let row = if is_deleted {
                    "The row of this digest is DELETED"
                } else {
                    "There is no row of this digest"
                };
                let detail = format!(
                    "{row}: when the tag was looked at last, {}, it had another one or was not \
                     there.",
                    ago(self.evidence.now - seen.at)
                );
                Step::failed(StepId::Row, detail, self.looked_at())
            }
            None => Step::failed(
                StepId::Row,
                "There is no row yet: nobody has looked at the tag.",
                self.looked_at(),
            ),
        }
    }

    /// There is no row, and nothing to compare one with.
    fn without(&self) -> &'static str {
        match self.found.charts.as_slice() {
            [] => "There is no row.",
            _ => "The row is DELETED.",
        }
    }

    /// When a tag that is listed as before is looked at again.
    fn verified(&self) -> String {
        match &self.evidence.watch {
            Some(watch) if watch.is_ecr => {
                format!(
                    "The event was lost, or is on its way. The repair finds it within a day.{}",
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

    /// When a tag that is not known is looked at.
    fn looked_at(&self) -> String {
        match &self.evidence.watch {
            Some(watch) if watch.is_ecr => format!(
                "If it was pushed just now, wait for its event. One that was lost, or is from \
                 before there was a queue, is found by the \
                 repair within a day.{}",
                self.at_once()
            ),
            Some(watch) => {
                let every = span(interval(watch));
                format!(
                    "The next pass finds it: wait for {every}, and if it is not there then look at \
                     freshness below.{}",
                    self.at_once()
                )
            }
            None => "It is looked at when an instance watches the registry.".to_owned(),
        }
    }

    fn at_once(&self) -> String {
        self.rescan()
            .map_or_else(String::new, |rescan| format!(" To have it looked at now, {rescan}."))
    }

    fn rescan(&self) -> Option<String> {
        Some(self.evidence.watch.as_ref()?.rescan(self.tag))
    }
}

fn shown(chart: &FoundChart) -> &'static str {
    if chart.error.is_some() { "It is available, and shown as BROKEN." } else { "It is available." }
}
