//! Sorts observations by what follows from them.

use time::Duration;

use super::losses::{judge_loss, judge_unconfirmed};
use super::verdict::Verdict;
use crate::db::{Population, StoredState};
use crate::domain::{Observation, Reference, Resolution, Subject};
use crate::reconcile::Deletions;

/// Age from which an observation is not written but made again. Lambda may have frozen the sandbox
/// that holds it, and the rows that would show that it is stale may be deleted by now.
const OBSERVATION_AGE_LIMIT: Duration = Duration::minutes(15);

/// Charts that may disappear within an hour without being held back.
const MISSING_MAX: u64 = 10;

/// Charts beyond [`MISSING_MAX`] may disappear if they are at most one in this many.
const MISSING_SHARE: u64 = 5;

/// The changes that must follow.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Observations to write. The database checks each of them again, under lock.
    pub apply: Vec<Observation>,
    /// Subjects of which the database has a later observation. Their hints are done.
    pub superseded: Vec<Subject>,
    /// Subjects to look at again, because their observation may be outdated.
    pub ask_again: Vec<Subject>,
    /// Missing tags to hold back from now on.
    pub hold: Vec<Subject>,
    /// Missing tags that were held back before.
    pub waiting: Vec<Subject>,
    /// Missing tags whose hold is over, and whose absence is still not believed.
    pub still_missing: Vec<Subject>,
    /// Tags of a repository that the registry denies, without a stored observation that found them.
    pub denied: Vec<Subject>,
}

/// Sorts observations by what follows from them. `population` matters only if charts may be held
/// back.
#[must_use]
pub fn diff(
    stored: &StoredState,
    population: Population,
    observations: Vec<Observation>,
    deletions: Deletions,
) -> Plan {
    let mut plan = Plan::default();
    let mut missing = Vec::new();
    for observation in observations {
        match judge(stored, &observation, deletions) {
            Verdict::Apply => plan.apply.push(observation),
            Verdict::Ignore => {}
            Verdict::Superseded => plan.superseded.push(observation.subject),
            Verdict::AskAgain => plan.ask_again.push(observation.subject),
            Verdict::Missing => missing.push(observation),
            Verdict::Hold => plan.hold.push(observation.subject),
            Verdict::Wait => plan.waiting.push(observation.subject),
            Verdict::StillMissing => plan.still_missing.push(observation.subject),
            Verdict::Denied => plan.denied.push(observation.subject),
        }
    }
    let held = plan.hold.iter().filter(|subject| stored.is_available(subject)).count();
    let all_missing = (missing.len() + held) as u64 + population.lately_gone;
    if all_missing > MISSING_MAX && all_missing * MISSING_SHARE > population.available {
        plan.hold.extend(missing.into_iter().map(|observation| observation.subject));
    } else {
        plan.apply.extend(missing);
    }
    plan
}

fn judge(stored: &StoredState, observation: &Observation, deletions: Deletions) -> Verdict {
    if is_unreadable_without_effect(stored, observation) {
        return Verdict::Ignore;
    }
    let Observation { subject, observed_at, is_requested, .. } = observation;
    if stored.observations.get(subject).is_some_and(|known| known.observed_at > *observed_at) {
        // The later look may be a HEAD request, and a rescan wants the contents to be read again.
        return if *is_requested { Verdict::AskAgain } else { Verdict::Superseded };
    }
    let age = stored.now - *observed_at;
    let is_current = (Duration::ZERO..OBSERVATION_AGE_LIMIT).contains(&age);
    if !is_current || is_in_doubt(stored, observation) {
        return Verdict::AskAgain;
    }
    let hold = deletions.hold();
    match &observation.resolution {
        Resolution::NoRepository => judge_loss(stored, observation, hold),
        Resolution::UnconfirmedAbsence { is_believable } => {
            judge_unconfirmed(stored, observation, *is_believable, hold)
        }
        _ if matches!(deletions, Deletions::Believed { .. }) => Verdict::Apply,
        Resolution::Absent => judge_loss(stored, observation, hold),
        // An artifact in place of a chart is a loss as well. If it comes in a mass, the registry
        // may answer something else than what it has.
        Resolution::NotAChart { .. }
        | Resolution::Unopened { .. }
        | Resolution::BeyondLimits
        | Resolution::IncompleteIndex
            if stored.observations.get(subject).is_some_and(|known| known.is_available) =>
        {
            judge_loss(stored, observation, hold)
        }
        _ => Verdict::Apply,
    }
}

/// Returns whether a chart cannot be read, and its tag has no available row of another digest. Such
/// a row would have to become unavailable.
fn is_unreadable_without_effect(stored: &StoredState, observation: &Observation) -> bool {
    let Resolution::Unopened { digest } = &observation.resolution else { return false };
    let known = stored.observations.get(&observation.subject).filter(|known| known.is_available);
    known.is_none_or(|known| known.digest.as_deref() == Some(digest.as_str()))
}

/// Returns whether the tag's digest was looked at after the tag. An event about a deletion causes
/// such a look. The tag may have been deleted in between, even if the digest was found.
fn is_in_doubt(stored: &StoredState, observation: &Observation) -> bool {
    let Some(digest) = observation.resolution.digest() else { return false };
    let doubt = stored.beside(&observation.subject, Reference::Digest(digest.clone()));
    doubt.is_some_and(|doubt| doubt.observed_at > observation.observed_at)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;
    use crate::db::StoredObservation;
    use crate::domain::{ChartContents, Digest, Registry, Resolution};

    const HOUR: std::time::Duration = std::time::Duration::from_hours(1);
    const T0: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn subject(reference: Reference) -> Subject {
        let registry = Arc::new(Registry::named("https://ghcr.io".parse().unwrap()));
        Subject { registry, repository: "my-org/api".parse().unwrap(), reference }
    }

    fn tag() -> Subject {
        subject(Reference::Tag("1.0.0".parse().unwrap()))
    }

    fn digest(name: &str) -> Digest {
        Digest::sha256(name.as_bytes())
    }

    fn chart(name: &str) -> Resolution {
        Resolution::Chart {
            digest: digest(name),
            created_at: None,
            contents: ChartContents::Stored,
        }
    }

    fn row(observed_at: OffsetDateTime) -> StoredObservation {
        StoredObservation {
            digest: None,
            observed_at,
            missing_since: None,
            is_available: false,
            is_unopened: false,
            is_outdated: false,
        }
    }

    /// Returns stored observations of the tag (seconds after T0, digest or absent) and of a digest
    /// (seconds, digest).
    fn stored(
        tag_row: Option<(i64, Option<&str>)>,
        digest_row: Option<(i64, &str)>,
        now: i64,
    ) -> StoredState {
        let mut observations = HashMap::new();
        let at = |seconds| T0 + Duration::seconds(seconds);
        if let Some((seconds, name)) = tag_row {
            let digest = name.map(|name| digest(name).to_string());
            observations.insert(tag(), StoredObservation { digest, ..row(at(seconds)) });
        }
        if let Some((seconds, name)) = digest_row {
            observations.insert(subject(Reference::Digest(digest(name))), row(at(seconds)));
        }
        StoredState { now: at(now), observations }
    }

    fn verdict(stored: &StoredState, subject: Subject, resolution: Resolution) -> &'static str {
        verdict_of(
            stored,
            Observation { subject, observed_at: T0, resolution, is_requested: false },
        )
    }

    fn verdict_of(stored: &StoredState, observation: Observation) -> &'static str {
        let plan = diff(
            stored,
            Population::default(),
            vec![observation],
            Deletions::Believed { hold: HOUR },
        );
        match (plan.apply.len(), plan.superseded.len(), plan.ask_again.len()) {
            (1, 0, 0) => "apply",
            (0, 1, 0) => "superseded",
            (0, 0, 1) => "ask again",
            (0, 0, 0) => "nothing",
            _ => "more than one",
        }
    }

    #[test]
    fn observation_of_a_tag_is_compared_with_what_is_stored() {
        let quarter = 15 * 60;
        let table = [
            ("never seen", stored(None, None, 1), chart("a"), "apply"),
            ("same digest, older", stored(Some((-1, Some("a"))), None, 1), chart("a"), "apply"),
            ("other digest, older", stored(Some((-1, Some("b"))), None, 1), chart("a"), "apply"),
            ("same moment", stored(Some((0, Some("b"))), None, 1), chart("a"), "apply"),
            (
                "other digest, newer",
                stored(Some((1, Some("b"))), None, 2),
                chart("a"),
                "superseded",
            ),
            ("absent, newer", stored(Some((1, None)), None, 2), chart("a"), "superseded"),
            ("now absent", stored(Some((-1, Some("a"))), None, 1), Resolution::Absent, "apply"),
            (
                "now absent, seen later",
                stored(Some((1, Some("a"))), None, 2),
                Resolution::Absent,
                "superseded",
            ),
            (
                "no chart",
                stored(None, None, 1),
                Resolution::NotAChart { digest: digest("a") },
                "apply",
            ),
            (
                "its digest looked at later",
                stored(None, Some((1, "a")), 2),
                chart("a"),
                "ask again",
            ),
            ("its digest looked at before", stored(None, Some((-1, "a")), 1), chart("a"), "apply"),
            ("another digest looked at", stored(None, Some((1, "b")), 2), chart("a"), "apply"),
            ("a quarter of an hour old", stored(None, None, quarter), chart("a"), "ask again"),
            ("a little less old", stored(None, None, quarter - 1), chart("a"), "apply"),
            (
                "old and superseded",
                stored(Some((1, None)), None, quarter),
                chart("a"),
                "superseded",
            ),
        ];
        for (name, stored, resolution, expected) in table {
            assert_eq!(verdict(&stored, tag(), resolution), expected, "{name}");
        }
    }

    /// Fault 37.
    #[test]
    fn requested_look_that_a_later_one_supersedes_is_made_again() {
        for (name, stored, resolution, expected) in [
            ("confirmed later", stored(Some((1, Some("a"))), None, 2), chart("a"), "ask again"),
            ("found later", stored(Some((1, Some("b"))), None, 2), Resolution::Absent, "ask again"),
            ("seen before", stored(Some((-1, Some("a"))), None, 2), chart("a"), "apply"),
        ] {
            let seen =
                Observation { subject: tag(), observed_at: T0, resolution, is_requested: true };
            assert_eq!(verdict_of(&stored, seen), expected, "{name}");
        }
    }

    #[test]
    fn unreadable_chart_is_written_only_if_its_tag_has_an_available_row_of_another_digest() {
        let known = |name: &str, is_available, seconds| {
            let row = StoredObservation {
                digest: Some(digest(name).to_string()),
                is_available,
                ..row(T0 + Duration::seconds(seconds))
            };
            StoredState { now: T0, observations: HashMap::from([(tag(), row)]) }
        };
        let table = [
            ("never seen", stored(None, None, 1), "nothing"),
            ("same digest", known("a", true, -1), "nothing"),
            ("same digest, newer", known("a", true, 1), "nothing"),
            ("other digest, unavailable", known("b", false, -1), "nothing"),
            ("other digest, available", known("b", true, -1), "apply"),
            ("other digest, available, newer", known("b", true, 1), "superseded"),
        ];
        for (name, stored, expected) in table {
            let unreadable = Resolution::Unopened { digest: digest("a") };
            assert_eq!(verdict(&stored, tag(), unreadable), expected, "{name}");
        }
    }

    #[test]
    fn a_digest_is_remembered_whether_absent_or_not() {
        let digest = subject(Reference::Digest(digest("a")));
        for resolution in [chart("a"), Resolution::Absent] {
            assert_eq!(
                verdict(&stored(None, None, 1), digest.clone(), resolution.clone()),
                "apply"
            );
            assert_eq!(
                verdict(&stored(None, Some((-1, "a")), 1), digest.clone(), resolution.clone()),
                "apply"
            );
            assert_eq!(
                verdict(&stored(None, Some((1, "a")), 2), digest.clone(), resolution),
                "superseded"
            );
        }
    }

    /// Fault 23.
    #[test]
    fn charts_that_disappear_in_a_mass_are_held_back() {
        let tag = |n: usize| Subject {
            reference: Reference::Tag(format!("1.{n}.0").parse().unwrap()),
            ..tag()
        };
        let before = T0 - Duration::minutes(1);
        let hold = Deletions::HeldBack { hold: std::time::Duration::from_hours(1) };
        let known = |missing_since, is_available| StoredObservation {
            missing_since,
            is_available,
            ..row(before)
        };
        let plan = |gone: usize, lately_gone, available, deletions, missing_since| {
            let observations = (0..gone).map(|n| (tag(n), known(missing_since, true))).collect();
            let seen = |n| Observation {
                subject: tag(n),
                observed_at: T0,
                resolution: Resolution::Absent,
                is_requested: false,
            };
            let population = Population { available, lately_gone };
            let plan = diff(
                &StoredState { now: T0, observations },
                population,
                (0..gone).map(seen).collect(),
                deletions,
            );
            (plan.apply.len(), plan.hold.len(), plan.waiting.len())
        };
        let hour_ago = Some(T0 - Duration::hours(1));
        let table = [
            ("some of many", plan(19, 0, 100, hold, None), (19, 0, 0)),
            ("a fifth", plan(20, 0, 100, hold, None), (20, 0, 0)),
            ("more than a fifth", plan(21, 0, 100, hold, None), (0, 21, 0)),
            ("more than a fifth, but few", plan(10, 0, 10, hold, None), (10, 0, 0)),
            ("more than a fifth with those before", plan(5, 16, 100, hold, None), (0, 5, 0)),
            (
                "because an event says so",
                plan(100, 0, 100, Deletions::Believed { hold: HOUR }, None),
                (100, 0, 0),
            ),
            ("held back before", plan(21, 0, 100, hold, Some(before)), (0, 0, 21)),
            ("held back for long enough", plan(21, 0, 100, hold, hour_ago), (21, 0, 0)),
        ];
        for (name, plan, expected) in table {
            assert_eq!(plan, expected, "{name}");
        }
    }
}
