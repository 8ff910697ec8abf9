//! Decides which tags to verify with a HEAD request, and which to look at without one. Pure.

use std::collections::HashMap;

use shared::db::StoredObservation;
use shared::domain::Subject;

use crate::cursor::milliseconds;

/// The plan for tags whose turn it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct VerifyPlan<'a> {
    /// Tags to look at, because a HEAD request cannot tell enough.
    pub(super) look: Vec<&'a Subject>,
    /// Tags to look at so that their contents are read again.
    pub(super) renew: Vec<&'a Subject>,
    /// Tags to verify with a HEAD request.
    pub(super) ask: Vec<ExpectedDigest<'a>>,
}

/// A tag, and the digest to which it resolved last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ExpectedDigest<'a> {
    pub(super) subject: &'a Subject,
    pub(super) digest: &'a str,
    /// Whether the tag is held back as missing.
    pub(super) is_missing: bool,
    /// Whether the tag has an available chart.
    pub(super) has_chart: bool,
}

/// Decides for each tag by its stored observation. Leaves out tags that were looked at since
/// `seen_since`, in milliseconds since 1970. Renews at most `renewals` outdated contents; the other
/// tags with such contents are verified as usual.
pub(super) fn plan<'a>(
    subjects: &'a [Subject],
    observations: &'a HashMap<Subject, StoredObservation>,
    seen_since: i64,
    renewals: usize,
) -> VerifyPlan<'a> {
    let mut plan = VerifyPlan::default();
    for subject in subjects {
        let Some(stored) = observations.get(subject) else {
            plan.look.push(subject);
            continue;
        };
        let is_recent = milliseconds(stored.observed_at) >= seen_since;
        let is_missing = stored.missing_since.is_some();
        match &stored.digest {
            // An earlier version of the program did not read the chart, or the registry lacked a
            // part of it.
            _ if stored.is_unopened => plan.look.push(subject),
            Some(_) if stored.is_outdated && plan.renew.len() < renewals => {
                plan.renew.push(subject);
            }
            Some(digest) if is_missing || !is_recent => {
                let has_chart = stored.is_available;
                plan.ask.push(ExpectedDigest { subject, digest, is_missing, has_chart });
            }
            // The tag is listed, and it was absent when it was looked at last.
            None if !is_recent => plan.look.push(subject),
            Some(_) | None => {}
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shared::domain::{Reference, Registry};
    use time::OffsetDateTime;

    use super::*;

    const SINCE: i64 = 1_000_000;

    fn subject() -> Subject {
        let registry = Arc::new(Registry::named("ghcr.io".parse().unwrap()));
        let reference = Reference::Tag("1.0.0".parse().unwrap());
        Subject { registry, repository: "team/chart".parse().unwrap(), reference }
    }

    fn observed(digest: Option<&str>, at: i64, is_missing: bool) -> StoredObservation {
        let observed_at = OffsetDateTime::from_unix_timestamp(at / 1000).unwrap();
        StoredObservation {
            digest: digest.map(str::to_owned),
            observed_at,
            missing_since: is_missing.then_some(observed_at),
            is_available: true,
            is_unopened: false,
            is_outdated: false,
        }
    }

    #[test]
    fn stored_observation_decides_between_head_request_look_and_nothing() {
        let (before, after) = (SINCE - 1000, SINCE);
        let unopened =
            |at| StoredObservation { is_unopened: true, ..observed(Some("a"), at, false) };
        let outdated =
            |at| StoredObservation { is_outdated: true, ..observed(Some("a"), at, false) };
        for (stored, expected) in [
            (None, "look"),
            (Some(unopened(before)), "look"),
            (Some(unopened(after)), "look"),
            (Some(outdated(before)), "renew"),
            (Some(outdated(after)), "renew"),
            (Some(observed(Some("a"), before, false)), "ask"),
            (Some(observed(Some("a"), after, false)), "nothing"),
            (Some(observed(Some("a"), before, true)), "ask, missing"),
            (Some(observed(Some("a"), after, true)), "ask, missing"),
            (Some(observed(None, before, false)), "look"),
            (Some(observed(None, after, false)), "nothing"),
        ] {
            let subjects = [subject()];
            let shown = format!("{stored:?}");
            let observations = stored.map(|stored| (subject(), stored)).into_iter().collect();
            let plan = plan(&subjects, &observations, SINCE, 1);
            let found = match (plan.look.as_slice(), plan.ask.as_slice()) {
                ([], []) if !plan.renew.is_empty() => "renew",
                ([], []) => "nothing",
                ([_], []) => "look",
                ([], [ExpectedDigest { digest: "a", is_missing: false, .. }]) => "ask",
                ([], [ExpectedDigest { digest: "a", is_missing: true, .. }]) => "ask, missing",
                _ => "more than one thing",
            };
            assert_eq!(found, expected, "{shown}");
        }
    }

    #[test]
    fn outdated_contents_past_the_budget_are_verified_as_usual() {
        let tags = ["1", "2", "3"]
            .map(|tag| Subject { reference: Reference::Tag(tag.parse().unwrap()), ..subject() });
        let outdated =
            StoredObservation { is_outdated: true, ..observed(Some("a"), SINCE - 1, false) };
        let observations = tags.iter().map(|tag| (tag.clone(), outdated.clone())).collect();
        let plan = plan(&tags, &observations, SINCE, 2);
        assert_eq!((plan.look.len(), plan.renew.len(), plan.ask.len()), (0, 2, 1));
    }
}
