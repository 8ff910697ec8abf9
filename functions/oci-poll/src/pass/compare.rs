//! Compares a repository's list of tags with the database. Pure. A list alone proves nothing, so
//! that a difference only leads to a look.

use std::collections::HashMap;
use std::time::Duration;

use shared::db::KnownTag;
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
}

impl Rules {
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

/// Compares a list with the known tags. `is_same` says that an earlier pass compared the same list.
/// Only the differences that remained then need a look.
pub(crate) fn compare(
    listed: &[Tag],
    known: &HashMap<Tag, KnownTag>,
    is_same: bool,
    rules: &Rules,
) -> Comparison {
    let mut comparison = Comparison::default();
    let is_older = |tag: &KnownTag, age: Duration| rules.now - tag.observed_at >= age;
    for tag in listed {
        match known.get(tag) {
            None if is_same => {}
            Some(seen) if !seen.is_present && is_same && !is_older(seen, rules.patience(seen)) => {
                comparison.is_unsettled = true;
            }
            None => comparison.look.push(tag.clone()),
            Some(seen) if !seen.is_present => comparison.look.push(tag.clone()),
            // A listed tag may be absent, because Docker Distribution lists deleted tags.
            Some(KnownTag { missing_since: Some(since), .. })
                if is_same && rules.now - *since < rules.hold =>
            {
                comparison.held += 1;
            }
            Some(seen) if seen.missing_since.is_some() => comparison.verify.push(tag.clone()),
            Some(_) => {}
        }
    }
    for (tag, seen) in
        known.iter().filter(|(tag, seen)| seen.is_present && listed.binary_search(tag).is_err())
    {
        match seen.missing_since {
            Some(since) if rules.now - since >= rules.hold => {
                comparison.look_missing.push(tag.clone());
            }
            Some(_) => comparison.held += 1,
            None if !rules.believed => comparison.hold.push(tag.clone()),
            // A look found the tag present. Some registries leave such tags out of the list.
            None if is_same && !is_older(seen, rules.verify) => comparison.is_unsettled = true,
            None => comparison.look_missing.push(tag.clone()),
        }
    }
    comparison.is_unsettled |=
        comparison.held > 0 || !comparison.hold.is_empty() || !comparison.verify.is_empty();
    comparison
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn rules(believed: bool) -> Rules {
        let hour = Duration::from_hours(1);
        Rules { now: NOW, hold: hour, verify: hour, believed }
    }

    fn minutes_ago(minutes: i64) -> OffsetDateTime {
        NOW - time::Duration::minutes(minutes)
    }

    fn known(is_present: bool, seen: i64, missing: Option<i64>) -> KnownTag {
        let (observed_at, missing_since) = (minutes_ago(seen), missing.map(minutes_ago));
        KnownTag { is_present, observed_at, changed_at: observed_at, missing_since }
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
        let known = known.map(|known| (tag, known)).into_iter().collect();
        let found = compare(&listed, &known, is_same, &rules(believed));
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
