//! Decides what follows from a chart that is missing.

use std::time::Duration;

use super::verdict::Verdict;
use crate::db::StoredState;
use crate::domain::{Observation, Resolution};

/// Decides what follows from the loss of a chart that no event reported.
pub(super) fn judge_loss(
    stored: &StoredState,
    observation: &Observation,
    hold: Duration,
) -> Verdict {
    let known = stored.observations.get(&observation.subject);
    let is_denied = observation.resolution == Resolution::NoRepository;
    if is_denied && known.is_none_or(|known| known.digest.is_none()) {
        return Verdict::Denied;
    }
    match known.and_then(|known| known.missing_since) {
        Some(since) if observation.observed_at - since >= hold => Verdict::Apply,
        Some(_) => Verdict::Wait,
        None if is_denied => Verdict::Hold,
        None if known.is_some_and(|known| known.is_available) => Verdict::Missing,
        None => Verdict::Apply,
    }
}

/// Decides what follows from an absence that the registry does not confirm. Without an available
/// chart there is nothing to lose.
pub(super) fn judge_unconfirmed(
    stored: &StoredState,
    observation: &Observation,
    is_believable: bool,
    hold: Duration,
) -> Verdict {
    let known = stored.observations.get(&observation.subject);
    let Some(known) = known.filter(|known| known.is_available) else { return Verdict::Apply };
    match known.missing_since {
        None => Verdict::Hold,
        Some(since) if observation.observed_at - since < hold => Verdict::Wait,
        Some(_) if is_believable => Verdict::Apply,
        Some(_) => Verdict::StillMissing,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;
    use crate::db::StoredObservation;
    use crate::domain::{Digest, Reference, Registry, Subject};

    const HOUR: Duration = Duration::from_hours(1);
    const T0: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn minutes_ago(minutes: u64) -> OffsetDateTime {
        T0 - Duration::from_mins(minutes)
    }

    /// Returns the stored observation of an available chart that is missing for some minutes.
    fn available(missing: Option<u64>) -> StoredObservation {
        StoredObservation {
            digest: Some(Digest::sha256(b"a").to_string()),
            observed_at: minutes_ago(90),
            missing_since: missing.map(minutes_ago),
            is_available: true,
            is_unopened: false,
            is_outdated: false,
        }
    }

    fn state(
        known: Option<StoredObservation>,
        resolution: Resolution,
    ) -> (StoredState, Observation) {
        let registry = Arc::new(Registry::named("https://ghcr.io".parse().unwrap()));
        let reference = Reference::Tag("1.0.0".parse().unwrap());
        let subject = Subject { registry, repository: "my-org/api".parse().unwrap(), reference };
        let observations = known.map(|known| (subject.clone(), known)).into_iter().collect();
        let observation = Observation { subject, observed_at: T0, resolution, is_requested: false };
        (StoredState { now: T0, observations }, observation)
    }

    #[test]
    fn a_denied_repository_is_not_believed_at_once() {
        let verdict = |resolution, known: Option<StoredObservation>| {
            let (stored, observation) = state(known, resolution);
            judge_loss(&stored, &observation, HOUR)
        };
        let no_chart = StoredObservation { is_available: false, ..available(None) };
        let absent = StoredObservation { digest: None, ..no_chart.clone() };
        for (name, resolution, known, expected) in [
            ("present", Resolution::NoRepository, Some(available(None)), Verdict::Hold),
            ("held back", Resolution::NoRepository, Some(available(Some(59))), Verdict::Wait),
            ("after the hold", Resolution::NoRepository, Some(available(Some(60))), Verdict::Apply),
            ("no chart", Resolution::Absent, Some(no_chart), Verdict::Apply),
            ("it was absent before", Resolution::NoRepository, Some(absent), Verdict::Denied),
            ("it was never seen", Resolution::NoRepository, None, Verdict::Denied),
        ] {
            assert_eq!(verdict(resolution, known), expected, "{name}");
        }
    }

    /// Case 3 from the field.
    #[test]
    fn unconfirmed_absence_is_believed_after_the_hold_unless_a_list_has_the_tag() {
        let no_chart = StoredObservation { is_available: false, ..available(None) };
        for (name, is_believable, known, expected) in [
            ("first seen", true, Some(available(None)), Verdict::Hold),
            ("held back", true, Some(available(Some(59))), Verdict::Wait),
            ("after the hold", true, Some(available(Some(60))), Verdict::Apply),
            ("listed, after the hold", false, Some(available(Some(60))), Verdict::StillMissing),
            ("no chart to lose", false, Some(no_chart), Verdict::Apply),
            ("never seen", false, None, Verdict::Apply),
        ] {
            let resolution = Resolution::UnconfirmedAbsence { is_believable };
            let (stored, observation) = state(known, resolution);
            let verdict = judge_unconfirmed(&stored, &observation, is_believable, HOUR);
            assert_eq!(verdict, expected, "{name}");
        }
    }
}
