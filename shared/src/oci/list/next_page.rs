//! Decides where the next page of a listing begins.
//!
//! A `Link` header says so. Without one, a page with as many names as were asked for may not be the
//! last page: the specification only says that a registry *may* send the header. The next page is
//! then asked for by the last name. A registry that repeats names, or starts again, has no more. If
//! it starts again at the second page, it may ignore the last name: the whole list is asked for.

use std::collections::HashSet;
use std::hash::Hash;

use reqwest::Url;
use url::form_urlencoded;

use super::names::ListedNames;
use crate::oci::limits::{PAGES_MAX, QUERY_MAX};

/// What a listing has shown so far.
#[derive(Debug)]
pub(super) struct ListProgress<T> {
    /// The queries sent so far, so that a circle of pages is noticed.
    asked: HashSet<String>,
    /// Whether the registry sends links. Then a page without one is the last.
    sends_links: bool,
    /// The first name of the listing.
    first: Option<T>,
    /// The names of the page before, if the next one was asked for by the last of them.
    before: HashSet<T>,
}

/// The query that asks for the whole list.
const WHOLE: &str = "";

/// What a page repeats of the page before.
#[derive(Debug, PartialEq, Eq)]
enum Repeats {
    /// It has new names.
    Less,
    /// It has no new name.
    All,
    /// It has the first name of the listing.
    FromTheStart,
}

/// The reason why there is no next page although the list is not at its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoNextPage {
    /// The last name is too long for a query.
    LongName,
    /// The pages lead back to an earlier one, or there are too many.
    Endless,
}

impl<T> Default for ListProgress<T> {
    fn default() -> Self {
        let (asked, before) = (HashSet::new(), HashSet::new());
        Self { asked, sends_links: false, first: None, before }
    }
}

impl<T: Clone + Eq + Hash> ListProgress<T> {
    /// Takes the page that `url` answered with. Drops the names that were listed already, if the
    /// registry sends no links. Returns the query of the next page; `None` after the last one.
    ///
    /// # Errors
    /// Fails if there must be more pages that cannot be asked for.
    pub(super) fn take(
        &mut self,
        url: &Url,
        listed: &mut ListedNames<T>,
        link: Option<String>,
    ) -> Result<Option<String>, NoNextPage> {
        let is_full = page_size_in(url) == Some(listed.count());
        self.asked.insert(url.query().unwrap_or_default().to_owned());
        let repeats = self.drop_repeated(&mut listed.names);
        let next = match link {
            Some(link) => {
                self.sends_links = true;
                if self.asked.contains(&link) {
                    return Err(NoNextPage::Endless);
                }
                link
            }
            None if repeats == Repeats::FromTheStart && is_full && self.asked.len() == 2 => {
                return Ok(Some(WHOLE.to_owned()));
            }
            None if is_full && repeats == Repeats::Less && !self.sends_links => {
                match query_behind(listed.last.as_deref().unwrap_or_default(), listed.count())? {
                    // The list has started again somewhere.
                    next if self.asked.contains(&next) => return Ok(None),
                    next => {
                        self.before = listed.names.iter().cloned().collect();
                        next
                    }
                }
            }
            None => return Ok(None),
        };
        if self.asked.len() >= PAGES_MAX {
            return Err(NoNextPage::Endless);
        }
        Ok(Some(next))
    }

    /// Drops the names that the page before had. Keeps those in mind if the whole list may follow.
    fn drop_repeated(&mut self, names: &mut Vec<T>) -> Repeats {
        if self.first.is_none() {
            self.first = names.first().cloned();
        }
        if self.before.is_empty() {
            return Repeats::Less;
        }
        let is_whole = self.asked.contains(WHOLE);
        if !is_whole && self.first.as_ref().is_some_and(|first| names.contains(first)) {
            names.clear();
            return Repeats::FromTheStart;
        }
        names.retain(|name| !self.before.contains(name));
        self.before.clear();
        if names.is_empty() { Repeats::All } else { Repeats::Less }
    }
}

/// Returns the number of names that a query asks for.
fn page_size_in(url: &Url) -> Option<usize> {
    let (_, size) = url.query_pairs().find(|(name, _)| name == "n")?;
    size.parse().ok().filter(|size| *size > 0)
}

fn query_behind(last: &str, size: usize) -> Result<String, NoNextPage> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let query = query.append_pair("n", &size.to_string()).append_pair("last", last).finish();
    if query.len() > QUERY_MAX { Err(NoNextPage::LongName) } else { Ok(query) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A registry that lists five names, two to a page.
    struct Listing {
        progress: ListProgress<String>,
        query: Option<String>,
        names: Vec<String>,
    }

    impl Listing {
        fn new() -> Self {
            let (progress, query) = (ListProgress::default(), Some("n=2".to_owned()));
            Self { progress, query, names: Vec::new() }
        }

        /// Asks for pages until the list ends. `answer` gets the query.
        fn read(mut self, answer: impl Fn(&str) -> Page) -> (Vec<String>, usize) {
            let mut requests = 0;
            while let Some(query) = self.query.take() {
                requests += 1;
                assert!(requests < 20, "the list has no end");
                let url = Url::parse(&format!("http://r/v2/_catalog?{query}")).unwrap();
                let Page(names, link) = answer(&query);
                let last = names.last().map(|name| (*name).to_owned());
                let names = names.into_iter().map(str::to_owned).collect();
                let mut listed = ListedNames { names, skipped: 0, last };
                let link = link.map(str::to_owned);
                self.query = self.progress.take(&url, &mut listed, link).unwrap();
                self.names.extend(listed.names);
            }
            (self.names, requests)
        }
    }

    struct Page(Vec<&'static str>, Option<&'static str>);

    fn page(names: &[&'static str]) -> Page {
        Page(names.to_vec(), None)
    }

    /// Case from the field 5.
    #[test]
    fn full_page_without_a_link_is_asked_on_by_its_last_name() {
        let (names, requests) = Listing::new().read(|query| match query {
            "n=2" => page(&["a", "b"]),
            "n=2&last=b" => page(&["c", "d/x"]),
            "n=2&last=d%2Fx" => page(&["e"]),
            other => panic!("{other}"),
        });
        assert_eq!((names.join(" ").as_str(), requests), ("a b c d/x e", 3));
    }

    /// Case from the field 5.
    #[test]
    fn registry_that_repeats_names_or_starts_again_has_no_more() {
        // It ignores `last`, and has no more.
        let (names, requests) = Listing::new().read(|_| page(&["a", "b"]));
        assert_eq!((names.join(" ").as_str(), requests), ("a b", 3));
        // It starts again behind the last name.
        let (names, requests) = Listing::new().read(|query| match query {
            "n=2&last=b" => page(&["c", "d"]),
            _ => page(&["a", "b"]),
        });
        assert_eq!((names.join(" ").as_str(), requests), ("a b c d", 3));
        // It lists the last name once more.
        let (names, requests) = Listing::new().read(|query| match query {
            "n=2" => page(&["a", "b"]),
            "n=2&last=b" => page(&["b", "c"]),
            _ => page(&["c"]),
        });
        assert_eq!((names.join(" ").as_str(), requests), ("a b c", 3));
    }

    /// crane's registry cuts its catalog so.
    #[test]
    fn registry_that_ignores_the_last_name_is_asked_for_the_whole_list() {
        let (names, requests) = Listing::new().read(|query| match query {
            "" => page(&["c", "a", "e", "b", "d"]),
            _ => page(&["a", "b"]),
        });
        assert_eq!((names.join(" ").as_str(), requests), ("a b c e d", 3));
    }

    #[test]
    fn page_is_the_last_if_it_is_not_full_or_if_links_led_to_it() {
        let (_, requests) = Listing::new().read(|_| page(&["a"]));
        assert_eq!(requests, 1);
        // More names than were asked for: the registry does not page.
        let (_, requests) = Listing::new().read(|_| page(&["a", "b", "c"]));
        assert_eq!(requests, 1);
        let (names, requests) = Listing::new().read(|query| match query {
            "n=2" => Page(vec!["a"], Some("n=2&last=a")),
            _ => page(&["b", "c"]),
        });
        assert_eq!((names.join(" ").as_str(), requests), ("a b c", 2));
    }

    #[test]
    fn circle_of_links_and_an_endless_name_are_errors() {
        let take = |listed: &mut ListedNames<String>, link: Option<&str>| {
            let url = Url::parse("http://r/v2/_catalog?n=1").unwrap();
            ListProgress::default().take(&url, listed, link.map(str::to_owned))
        };
        let of = |name: &str| ListedNames {
            names: vec!["a".to_owned()],
            skipped: 0,
            last: Some(name.to_owned()),
        };
        assert_eq!(take(&mut of("a"), Some("n=1")), Err(NoNextPage::Endless));
        assert_eq!(take(&mut of(&"a".repeat(5000)), None), Err(NoNextPage::LongName));
    }
}
