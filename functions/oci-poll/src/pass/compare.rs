//! Compares a repository's list of tags with the database, tag by tag. Pure. A list alone proves
//! nothing, so that a difference only leads to a look.

use std::collections::HashSet;
use std::time::Duration;

use shared::db::{FaultKind, KnownTag, StoredFault};
use shared::domain::Tag;
use time::OffsetDateTime;

/// The shortest time between two looks at a tag that is listed and absent, while its list stays the
/// same.
///
/// A push of the tag may be under way. Or the registry lists deleted tags, as Docker Distribution
/// does. The time therefore grows with the time for which the tag has been absent.
const ABSENT_AGAIN: Duration = Duration::from_secs(10);

/// The time and the settings of a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The time of the database's clock.
    pub(crate) now: OffsetDateTime,
    /// How long missing tags are held back.
    pub(crate) hold: Duration,
    /// How long a verified tag needs no other look.
    pub(crate) verify: Duration,
    /// Whether a tag that the list lacks may be deleted. It may not if the whole catalog is empty.
    pub(crate) believed: bool,
    /// Whether an earlier pass compared the same list. Only the differences that remained then need
    /// a look.
    pub(crate) is_same: bool,
    /// Whether another writer changed the rows since that pass, so that a tag which the list lacks
    /// may be new.
    pub(crate) is_noted: bool,
}

impl Rules {
    /// Returns whether the last look at a tag is at least this old.
    fn is_older(&self, tag: &KnownTag, age: Duration) -> bool {
        self.now - tag.observed_at >= age
    }

    /// Returns whether a tag that is missing since `since` needs no look now. Its hold is not over,
    /// or the last look came after the hold and did not end it.
    fn is_held(&self, tag: &KnownTag, since: OffsetDateTime) -> bool {
        let over_at = since + self.hold;
        self.now < over_at || tag.observed_at >= over_at && !self.is_older(tag, self.verify)
    }

    /// Returns the time between two looks at a listed tag that is absent.
    fn patience(&self, tag: &KnownTag) -> Duration {
        let absent_for = (tag.observed_at - tag.changed_at).unsigned_abs();
        absent_for.clamp(ABSENT_AGAIN, self.verify.max(ABSENT_AGAIN))
    }
}

/// The result of a comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Listed tags to look at.
    pub(crate) look: Vec<Tag>,
    /// Known tags to look at, because they are not listed.
    pub(crate) look_missing: Vec<Tag>,
    /// Listed tags to verify, because they were held back as missing and may be present again.
    pub(crate) verify: Vec<Tag>,
    /// Missing tags to hold back from now on.
    pub(crate) hold: Vec<Tag>,
    /// Tags with a fault that are neither listed nor to be looked at.
    pub(crate) forget: Vec<Tag>,
    /// The number of tags that are held back already.
    pub(crate) held: u64,
    /// Whether the rows and the list differ even if every look finds what the list says.
    pub(crate) is_unsettled: bool,
}

impl Comparison {
    /// Takes the tags to look at out of the comparison: listed ones, then missing ones.
    pub(crate) fn take_looks(&mut self) -> [(Vec<Tag>, bool); 2] {
        [(std::mem::take(&mut self.look), true), (std::mem::take(&mut self.look_missing), false)]
    }
}

/// A comparison under way. It keeps a few bytes per listed tag and the differences, however many
/// tags the database knows.
#[derive(Debug)]
pub(crate) struct Comparing<'a> {
    /// The list, sorted.
    listed: &'a [Tag],
    /// What is known about each listed tag.
    fates: Vec<Fate>,
    /// The tags whose last look failed.
    failed: &'a HashSet<String>,
    rules: Rules,
    comparison: Comparison,
}

/// What to do with a listed tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The database does not know it.
    Unknown,
    Nothing,
    Look,
    Verify,
}

impl<'a> Comparing<'a> {
    /// Begins to compare a list, which must be sorted. The last look at each tag in `failed`
    /// failed.
    pub(crate) fn begin(listed: &'a [Tag], failed: &'a HashSet<String>, rules: Rules) -> Self {
        let fates = vec![Fate::Unknown; listed.len()];
        Self { listed, fates, failed, rules, comparison: Comparison::default() }
    }

    /// Compares a known tag with the list. Returns whether the list has it.
    pub(crate) fn take(&mut self, tag: &str, known: KnownTag) -> bool {
        let Ok(index) = self.listed.binary_search_by(|listed| listed.as_str().cmp(tag)) else {
            self.take_unlisted(tag, known);
            return false;
        };
        let fate = self.fate(known);
        if let Some(known) = self.fates.get_mut(index) {
            *known = fate;
        }
        true
    }

    /// Takes a fault into account. A tag that waits for its next try gets no request. Call it after
    /// the last known tag.
    pub(crate) fn take_fault(&mut self, fault: &StoredFault) {
        let tag = fault.tag.as_str();
        let comparison = &mut self.comparison;
        let is_failed = fault.kind == FaultKind::Failed;
        if let Ok(index) = self.listed.binary_search_by(|listed| listed.as_str().cmp(tag)) {
            let Some(fate) = self.fates.get_mut(index) else { return };
            *fate = match *fate {
                _ if fault.is_waiting => Fate::Nothing,
                Fate::Unknown => Fate::Look,
                // A HEAD request failed.
                Fate::Nothing if is_failed => Fate::Verify,
                other => other,
            };
            comparison.is_unsettled |= is_failed;
            return;
        }
        let missing = comparison.look_missing.iter().position(|missing| missing.as_str() == tag);
        match missing {
            // A skipped tag that is no longer listed is probably deleted.
            Some(index) if fault.is_waiting && is_failed => {
                comparison.look_missing.swap_remove(index);
                comparison.is_unsettled = true;
            }
            Some(_) => {}
            None => comparison.forget.extend(tag.parse().ok()),
        }
    }

    /// Decides about a listed tag.
    fn fate(&mut self, known: KnownTag) -> Fate {
        let rules = self.rules;
        match known.missing_since {
            _ if !known.is_observed => Fate::Look,
            _ if !known.is_present => {
                let is_recent = !rules.is_older(&known, rules.patience(&known));
                // Another writer may have seen the tag absent before it was pushed again.
                if rules.is_same && !rules.is_noted && is_recent {
                    self.comparison.is_unsettled = true;
                    Fate::Nothing
                } else {
                    Fate::Look
                }
            }
            // A listed tag may be absent, because Docker Distribution lists deleted tags.
            Some(since) if rules.is_same && rules.is_held(&known, since) => {
                self.comparison.held += 1;
                Fate::Nothing
            }
            Some(_) => Fate::Verify,
            None => Fate::Nothing,
        }
    }

    /// Decides about a tag that is not listed.
    fn take_unlisted(&mut self, tag: &str, known: KnownTag) {
        let (rules, comparison) = (self.rules, &mut self.comparison);
        if !known.is_present {
            return;
        }
        match known.missing_since {
            Some(since) if !rules.is_held(&known, since) => {
                comparison.look_missing.extend(tag.parse().ok());
            }
            Some(_) => comparison.held += 1,
            None if !rules.believed => comparison.hold.extend(tag.parse().ok()),
            // A look found the tag present. Some registries leave such tags out of the list.
            None if rules.is_same
                && !rules.is_noted
                && !rules.is_older(&known, rules.verify)
                && !self.failed.contains(tag) =>
            {
                comparison.is_unsettled = true;
            }
            None => comparison.look_missing.extend(tag.parse().ok()),
        }
    }

    /// Ends the comparison after the last known tag.
    pub(crate) fn end(self) -> Comparison {
        let Self { listed, fates, rules, mut comparison, .. } = self;
        for (tag, fate) in listed.iter().zip(fates) {
            match fate {
                // Another writer may have forgotten the tag.
                Fate::Unknown if rules.is_same && !rules.is_noted => {}
                Fate::Unknown | Fate::Look => comparison.look.push(tag.clone()),
                Fate::Verify => comparison.verify.push(tag.clone()),
                Fate::Nothing => {}
            }
        }
        comparison.is_unsettled |=
            comparison.held > 0 || !comparison.hold.is_empty() || !comparison.verify.is_empty();
        comparison
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn rules(is_same: bool, believed: bool) -> Rules {
        let hour = Duration::from_hours(1);
        Rules { now: NOW, hold: hour, verify: hour, believed, is_same, is_noted: false }
    }

    fn minutes_ago(minutes: i64) -> OffsetDateTime {
        NOW - time::Duration::minutes(minutes)
    }

    fn known(is_present: bool, seen: i64, missing: Option<i64>) -> KnownTag {
        let (observed_at, missing_since) = (minutes_ago(seen), missing.map(minutes_ago));
        let changed_at = observed_at;
        KnownTag { is_present, observed_at, changed_at, missing_since, is_observed: true }
    }

    /// Returns what the comparison does with one tag.
    fn fate(
        is_listed: bool,
        known: Option<KnownTag>,
        is_same: bool,
        believed: bool,
    ) -> (&'static str, bool) {
        let tag: Tag = "1.0.0".parse().unwrap();
        let listed: Vec<Tag> = is_listed.then(|| tag.clone()).into_iter().collect();
        let failed = HashSet::new();
        let mut comparing = Comparing::begin(&listed, &failed, rules(is_same, believed));
        if let Some(known) = known {
            assert_eq!(comparing.take(tag.as_str(), known), is_listed);
        }
        let found = comparing.end();
        let lists = [&found.look, &found.look_missing, &found.verify, &found.hold].map(Vec::len);
        let fate = match (lists, found.held) {
            ([1, 0, 0, 0], 0) => "look",
            ([0, 1, 0, 0], 0) => "look, missing",
            ([0, 0, 1, 0], 0) => "verify",
            ([0, 0, 0, 1], 0) => "hold",
            ([0, 0, 0, 0], 1) => "held",
            ([0, 0, 0, 0], 0) => "nothing",
            _ => "more than one thing",
        };
        (fate, found.is_unsettled)
    }

    #[test]
    fn difference_between_list_and_rows_is_looked_at() {
        let (new, same) = (false, true);
        let (observed_at, changed_at) = (OffsetDateTime::UNIX_EPOCH, OffsetDateTime::UNIX_EPOCH);
        let never = KnownTag { observed_at, changed_at, ..known(true, 0, None) };
        let unobserved = KnownTag { is_observed: false, ..never };
        for (is_listed, known, is_same, expected) in [
            (true, None, new, ("look", false)),
            (true, None, same, ("nothing", false)),
            (true, Some(known(true, 5, None)), new, ("nothing", false)),
            (true, Some(known(true, 5, Some(3))), new, ("verify", true)),
            (true, Some(known(true, 5, Some(3))), same, ("held", true)),
            (true, Some(known(true, 90, Some(60))), same, ("verify", true)),
            (true, Some(known(false, 0, None)), new, ("look", false)),
            (true, Some(known(false, 0, None)), same, ("nothing", true)),
            (true, Some(known(false, 2, None)), same, ("look", false)),
            (false, Some(known(true, 0, None)), new, ("look, missing", false)),
            (false, Some(known(true, 5, None)), same, ("nothing", true)),
            (false, Some(known(true, 60, None)), same, ("look, missing", false)),
            (false, Some(known(true, 90, Some(30))), new, ("held", true)),
            (false, Some(known(true, 90, Some(30))), same, ("held", true)),
            (false, Some(known(true, 90, Some(60))), same, ("look, missing", false)),
            (false, Some(known(false, 5, None)), new, ("nothing", false)),
            (false, None, new, ("nothing", false)),
            (true, Some(unobserved), new, ("look", false)),
            (true, Some(unobserved), same, ("look", false)),
            (false, Some(unobserved), new, ("look, missing", false)),
            (false, Some(unobserved), same, ("look, missing", false)),
        ] {
            assert_eq!(
                fate(is_listed, known, is_same, true),
                expected,
                "{is_listed} {known:?} {is_same}"
            );
        }
    }

    #[test]
    fn listed_tag_that_stays_absent_is_looked_at_less_often() {
        let absent = |seen, changed| KnownTag {
            changed_at: minutes_ago(changed),
            ..known(false, seen, None)
        };
        for (seen, changed, expected) in
            [(1, 1, "look"), (1, 30, "nothing"), (29, 40, "look"), (59, 900, "nothing")]
        {
            assert_eq!(
                fate(true, Some(absent(seen, changed)), true, true).0,
                expected,
                "{seen} {changed}"
            );
        }
        assert_eq!(
            fate(true, Some(absent(60, 900)), true, true).0,
            "look",
            "it is looked at once per verifyInterval or more often"
        );
    }

    /// Fault 41.
    #[test]
    fn tag_that_is_not_listed_is_looked_at_until_a_look_succeeds() {
        for (is_failed, is_waiting, expected) in
            [(false, false, (0, 0, true)), (true, false, (1, 0, false)), (true, true, (0, 0, true))]
        {
            let failed: HashSet<String> =
                is_failed.then(|| "1.0.0".to_owned()).into_iter().collect();
            let mut comparing = Comparing::begin(&[], &failed, rules(true, true));
            comparing.take("1.0.0", known(true, 5, None));
            if is_failed {
                let (repository, tag) = ("a".to_owned(), "1.0.0".to_owned());
                let kind = FaultKind::Failed;
                comparing.take_fault(&StoredFault { repository, tag, kind, is_waiting });
            }
            let Comparison { look_missing, forget, is_unsettled, .. } = comparing.end();
            let found = (look_missing.len(), forget.len(), is_unsettled);
            assert_eq!(found, expected, "{is_failed} {is_waiting}");
        }
    }

    #[test]
    fn empty_catalog_deletes_nothing_at_once() {
        assert_eq!(fate(false, Some(known(true, 5, None)), false, false), ("hold", true));
        assert_eq!(fate(false, Some(known(true, 90, Some(30))), false, false), ("held", true));
        assert_eq!(
            fate(false, Some(known(true, 90, Some(60))), false, false),
            ("look, missing", false)
        );
    }
}
