//! Compares the list of a repository's tags with what is known of them. Pure: what it wants to know
//! more about becomes hints, nothing is concluded from a listing.

use std::collections::HashMap;
use std::time::Duration;

use shared::db::KnownTag;
use shared::domain::Tag;
use time::OffsetDateTime;

/// How long a tag that is listed and was absent is left alone at the least, while its list stays
/// the same. Its push may be under way; or the registry lists what it has deleted, as Docker
/// Distribution does, and for how long already is how long it is left alone.
const ABSENT_AGAIN: Duration = Duration::from_secs(10);

/// What the comparison goes by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The database's clock.
    pub(crate) now: OffsetDateTime,
    /// How long missing tags are held back.
    pub(crate) hold: Duration,
    /// How long what was verified is left alone.
    pub(crate) verify: Duration,
    /// Whether a tag missing from the list may be deleted: not when the whole catalog is empty.
    pub(crate) believed: bool,
}

impl Rules {
    /// How long a listed tag that is absent is left alone.
    fn patience(&self, tag: &KnownTag) -> Duration {
        let absent_for = (tag.observed_at - tag.changed_at).unsigned_abs();
        absent_for.clamp(ABSENT_AGAIN, self.verify.max(ABSENT_AGAIN))
    }
}

/// What follows from the comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Listed tags to look at.
    pub(crate) look: Vec<Tag>,
    /// Tags that are known and not listed, to look at.
    pub(crate) look_missing: Vec<Tag>,
    /// Listed tags that were held back as missing, and may be there again.
    pub(crate) verify: Vec<Tag>,
    /// Tags that are missing, and held back from now on.
    pub(crate) hold: Vec<Tag>,
    /// How many are held back already.
    pub(crate) held: u64,
    /// Whether rows and list differ even if all that is looked at is as expected.
    pub(crate) is_unsettled: bool,
}

impl Comparison {
    /// Takes out what to look at: listed tags, and missing ones.
    pub(crate) fn take_looks(&mut self) -> [(Vec<Tag>, bool); 2] {
        [(std::mem::take(&mut self.look), true), (std::mem::take(&mut self.look_missing), false)]
    }
}

/// Compares. `is_same` when the list was compared before: then only what is left over from that is
/// looked at again.
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
            // To be listed is not to be there: Docker Distribution lists what it has deleted.
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
            // It was looked at and is there: some lists leave out what they do not like.
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

    /// What becomes of one tag.
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
    fn every_difference_between_list_and_rows_is_looked_at() {
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
    fn a_listed_tag_that_stays_absent_is_asked_for_less_and_less() {
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
            "once per verifyInterval at the least"
        );
    }

    #[test]
    fn an_empty_catalog_deletes_nothing_at_once() {
        assert_eq!(fate(false, Some(known(true, 5, None)), false, false), ("hold", true));
        assert_eq!(fate(false, Some(known(true, 90, Some(30))), false, false), ("held", true));
        assert_eq!(
            fate(false, Some(known(true, 90, Some(60))), false, false),
            ("look, missing", false)
        );
    }
}
