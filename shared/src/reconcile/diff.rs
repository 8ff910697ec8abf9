//! The second step: decides what follows from what was seen, given what is stored. Pure: no I/O, no clock.

use time::Duration;

use crate::db::Stored;
use crate::domain::{Observation, Reference, Subject};

/// An observation older than this is made again: the sandbox that made it may have been frozen with it, and the rows
/// that would show it to be stale may be gone.
const OBSERVATION_AGE_LIMIT: Duration = Duration::minutes(15);

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Observations to write. The database guards each once more, under lock.
    pub apply: Vec<Observation>,
    /// Subjects that somebody looked at later: their hints are done.
    pub superseded: Vec<Subject>,
    /// Subjects whose observation may be outdated: the registry is to be asked again.
    pub ask_again: Vec<Subject>,
}

/// What follows from one observation.
enum Verdict {
    Apply,
    Superseded,
    AskAgain,
}

/// Sorts observations by what follows from them.
#[must_use]
pub fn diff(stored: &Stored, observations: Vec<Observation>) -> Plan {
    let mut plan = Plan::default();
    for observation in observations {
        match judge(stored, &observation) {
            Verdict::Apply => plan.apply.push(observation),
            Verdict::Superseded => plan.superseded.push(observation.subject),
            Verdict::AskAgain => plan.ask_again.push(observation.subject),
        }
    }
    plan
}

fn judge(stored: &Stored, observation: &Observation) -> Verdict {
    let Observation { subject, observed_at, .. } = observation;
    if stored.observations.get(subject).is_some_and(|known| known.observed_at > *observed_at) {
        return Verdict::Superseded;
    }
    if stored.now - *observed_at >= OBSERVATION_AGE_LIMIT || is_in_doubt(stored, observation) {
        return Verdict::AskAgain;
    }
    Verdict::Apply
}

/// Whether the digest that a tag was seen to resolve to was looked at later, because it was said to be deleted. Whether
/// it was absent then or is there again, the tag may have been untagged in between.
fn is_in_doubt(stored: &Stored, observation: &Observation) -> bool {
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
    use crate::domain::{Digest, Registry, Resolution};

    const T0: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn subject(reference: Reference) -> Subject {
        let registry = Arc::new(Registry::oci("https://ghcr.io".parse().unwrap()));
        Subject { registry, repository: "my-org/api".parse().unwrap(), reference }
    }

    fn tag() -> Subject {
        subject(Reference::Tag("1.0.0".parse().unwrap()))
    }

    fn digest(name: &str) -> Digest {
        Digest::sha256(name.as_bytes())
    }

    fn chart(name: &str) -> Resolution {
        Resolution::Chart { digest: digest(name), created_at: None }
    }

    /// Stored observations of the tag (seconds after T0, digest or absent) and of a digest (seconds, digest).
    fn stored(tag_row: Option<(i64, Option<&str>)>, digest_row: Option<(i64, &str)>, now: i64) -> Stored {
        let mut observations = HashMap::new();
        let at = |seconds| T0 + Duration::seconds(seconds);
        if let Some((seconds, name)) = tag_row {
            let digest = name.map(|name| digest(name).to_string());
            observations.insert(tag(), StoredObservation { digest, observed_at: at(seconds) });
        }
        if let Some((seconds, name)) = digest_row {
            let row = StoredObservation { digest: None, observed_at: at(seconds) };
            observations.insert(subject(Reference::Digest(digest(name))), row);
        }
        Stored { now: at(now), observations }
    }

    fn verdict(stored: &Stored, subject: Subject, resolution: Resolution) -> &'static str {
        let observation = Observation { subject, observed_at: T0, resolution };
        let plan = diff(stored, vec![observation]);
        match (plan.apply.len(), plan.superseded.len(), plan.ask_again.len()) {
            (1, 0, 0) => "apply",
            (0, 1, 0) => "superseded",
            (0, 0, 1) => "ask again",
            (0, 0, 0) => "nothing",
            _ => "more than one",
        }
    }

    #[test]
    fn an_observation_of_a_tag_is_judged_by_what_is_stored() {
        let quarter = 15 * 60;
        let table = [
            ("never seen", stored(None, None, 1), chart("a"), "apply"),
            ("same digest, older", stored(Some((-1, Some("a"))), None, 1), chart("a"), "apply"),
            ("other digest, older", stored(Some((-1, Some("b"))), None, 1), chart("a"), "apply"),
            ("same moment", stored(Some((0, Some("b"))), None, 1), chart("a"), "apply"),
            ("other digest, newer", stored(Some((1, Some("b"))), None, 2), chart("a"), "superseded"),
            ("absent, newer", stored(Some((1, None)), None, 2), chart("a"), "superseded"),
            ("now absent", stored(Some((-1, Some("a"))), None, 1), Resolution::Absent, "apply"),
            ("now absent, seen later", stored(Some((1, Some("a"))), None, 2), Resolution::Absent, "superseded"),
            ("no chart", stored(None, None, 1), Resolution::NotAChart { digest: digest("a") }, "apply"),
            ("its digest looked at later", stored(None, Some((1, "a")), 2), chart("a"), "ask again"),
            ("its digest looked at before", stored(None, Some((-1, "a")), 1), chart("a"), "apply"),
            ("another digest looked at", stored(None, Some((1, "b")), 2), chart("a"), "apply"),
            ("a quarter of an hour old", stored(None, None, quarter), chart("a"), "ask again"),
            ("a little less old", stored(None, None, quarter - 1), chart("a"), "apply"),
            ("old and superseded", stored(Some((1, None)), None, quarter), chart("a"), "superseded"),
        ];
        for (name, stored, resolution, expected) in table {
            assert_eq!(verdict(&stored, tag(), resolution), expected, "{name}");
        }
    }

    #[test]
    fn a_digest_is_remembered_whether_absent_or_not() {
        let digest = subject(Reference::Digest(digest("a")));
        for resolution in [chart("a"), Resolution::Absent] {
            assert_eq!(verdict(&stored(None, None, 1), digest.clone(), resolution.clone()), "apply");
            assert_eq!(verdict(&stored(None, Some((-1, "a")), 1), digest.clone(), resolution.clone()), "apply");
            assert_eq!(verdict(&stored(None, Some((1, "a")), 2), digest.clone(), resolution), "superseded");
        }
    }
}
