//! Reads `GET /v2/_catalog` and `GET /v2/<name>/tags/list` page by page (distribution
//! specification, section "Content Discovery"). The `Link` header of RFC 8288 leads to the next
//! page.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use reqwest::{Method, Url};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::Error;
use super::limits::{NAMES_MAX, PAGE_LIMIT, PAGE_SIZE, PAGES_MAX, QUERY_MAX};
use super::redact::redacted;
use super::transport::{Client, RegistryRequest, RequestPermit, Scope};
use crate::domain::{Repository, Tag};

/// One page of a listing.
#[derive(Debug)]
pub struct NamePage<T> {
    /// The names that follow the specification's grammar, in the registry's order.
    pub names: Vec<T>,
    /// Number of names that break the grammar. They are left out.
    pub skipped: u64,
}

/// A listing that is read page by page. Call [`Pages::next`] until it returns `None`.
#[derive(Debug)]
pub struct Pages<'a, T> {
    client: &'a Client,
    scope: Scope<'a>,
    endpoint: Url,
    /// The query of the next page; `None` after the last one.
    next: Option<String>,
    /// The queries sent so far, so that a circle of pages is noticed.
    asked: HashSet<String>,
    names: PhantomData<T>,
}

impl Client {
    /// Lists the registry's repositories, from the first one or from a saved [`Pages::position`].
    /// Not every registry has a catalog: GHCR, Docker Hub and GitLab have none.
    #[must_use]
    pub fn list_repositories(&self, position: Option<String>) -> Pages<'_, Repository> {
        Pages::new(self, Scope::Catalog, self.endpoint(&["_catalog"], None), position)
    }

    /// Returns all tags of a repository, sorted and without duplicates, and the number of invalid
    /// names. Safe to repeat.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyNames`] if the repository has more than 100,000 tags. Otherwise as
    /// [`Pages::next`].
    pub async fn list_tags(&self, repository: &Repository) -> Result<NamePage<Tag>, Error> {
        let endpoint = self.endpoint(&[repository.as_str(), "tags", "list"], None);
        let url = redacted(&endpoint);
        let mut pages = Pages::new(self, Scope::Repository(repository), endpoint, None);
        let mut tags = NamePage { names: Vec::new(), skipped: 0 };
        while let Some(page) = pages.next().await? {
            tags.names.extend(page.names);
            tags.skipped += page.skipped;
            if tags.names.len() > NAMES_MAX {
                return Err(Error::TooManyNames { url, limit: NAMES_MAX });
            }
        }
        tags.names.sort_unstable();
        tags.names.dedup();
        Ok(tags)
    }
}

impl<'a, T: FromStr> Pages<'a, T> {
    fn new(client: &'a Client, scope: Scope<'a>, endpoint: Url, position: Option<String>) -> Self {
        let next = Some(position.unwrap_or_else(|| format!("n={PAGE_SIZE}")));
        Self { client, scope, endpoint, next, asked: HashSet::new(), names: PhantomData }
    }

    /// Returns where the next page begins, so that a later listing can resume there. `None` after
    /// the last page.
    #[must_use]
    pub fn position(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// Returns the next page, or `None` after the last one. After an error, the next call requests
    /// the same page.
    ///
    /// # Errors
    ///
    /// [`Error::EndlessListing`] if a page was read before, or if there are too many pages.
    /// [`Error::is_position_refused`] if the registry refuses a saved position.
    pub async fn next(&mut self) -> Result<Option<NamePage<T>>, Error> {
        let Some(query) = self.next.clone() else { return Ok(None) };
        let mut url = self.endpoint.clone();
        url.set_query(Some(&query));
        let shown = redacted(&url);

        let request = RegistryRequest {
            method: &Method::GET,
            url: &url,
            accept: "application/json",
            scope: self.scope,
            permit: RequestPermit::Usual,
        };
        let answer = self.client.send(request, PAGE_LIMIT).await?;
        let mut links =
            answer.headers.get_all("link").iter().filter_map(|value| value.to_str().ok());
        let next = links.find_map(|header| next_query_in(&url, header));
        let next =
            next.transpose().map_err(|Unreadable| Error::UnreadableLink { url: shown.clone() })?;
        let listed: NameList<T> = serde_json::from_slice(&answer.body)
            .map_err(|source| Error::Malformed { url: shown.clone(), source })?;
        if listed.too_many {
            return Err(Error::TooManyNames { url: shown, limit: NAMES_MAX });
        }

        self.asked.insert(query);
        let circular = next.as_ref().is_some_and(|next| self.asked.contains(next));
        if circular || self.asked.len() >= PAGES_MAX {
            return Err(Error::EndlessListing { url: shown });
        }
        self.next = next;
        Ok(Some(listed.page))
    }
}

/// The body of a listing. It is decoded name by name, so that a hostile body is not in memory
/// twice.
struct NameList<T> {
    page: NamePage<T>,
    too_many: bool,
}

impl<'de, T: FromStr> Deserialize<'de> for NameList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Self { page: NamePage { names: Vec::new(), skipped: 0 }, too_many: false };
        deserializer.deserialize_map(names)
    }
}

/// Reads the object's field `tags` or `repositories`. Docker Distribution answers `"tags": null`
/// after the last tag of a repository was deleted.
impl<'de, T: FromStr> Visitor<'de> for NameList<T> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list of tags or repositories")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        let mut found = false;
        while let Some(key) = map.next_key::<String>()? {
            if matches!(key.as_str(), "tags" | "repositories") {
                found = true;
                map.next_value_seed(NamesSeed(&mut self))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found { Ok(self) } else { Err(serde::de::Error::missing_field("tags or repositories")) }
    }
}

struct NamesSeed<'a, T>(&'a mut NameList<T>);

impl<'de, T: FromStr> DeserializeSeed<'de> for NamesSeed<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, T: FromStr> Visitor<'de> for NamesSeed<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names, or null")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(name) = list.next_element::<String>()? {
            match name.parse() {
                Ok(_) if self.0.page.names.len() >= NAMES_MAX => self.0.too_many = true,
                Ok(name) => self.0.page.names.push(name),
                Err(_) => self.0.page.skipped += 1,
            }
        }
        Ok(())
    }
}

/// An unreadable link to the next page. The listing may be incomplete.
#[derive(Debug, PartialEq, Eq)]
struct Unreadable;

/// Finds the query of the `rel="next"` target in a `Link` header. Ignores the target's host and
/// path. A registry behind a proxy names wrong ones, and a hostile registry may name another host.
fn next_query_in(base: &Url, mut header: &str) -> Option<Result<String, Unreadable>> {
    // The target is removed before the header is split at commas, because a target may contain a
    // comma.
    while let Some((_, rest)) = header.split_once('<') {
        let Some((target, rest)) = rest.split_once('>') else {
            return is_next(rest).then_some(Err(Unreadable));
        };
        let (parameters, rest) = rest.split_once(',').unwrap_or((rest, ""));
        if is_next(parameters) {
            let target = base.join(target).ok();
            let query = target.as_ref().and_then(Url::query).filter(|query| !query.is_empty());
            return match query {
                Some(query) if query.len() <= QUERY_MAX => Some(Ok(query.to_owned())),
                Some(_) => Some(Err(Unreadable)),
                None => None,
            };
        }
        header = rest;
    }
    None
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        let parameter = parameter.trim().to_ascii_lowercase();
        matches!(parameter.as_str(), "rel=next" | "rel=\"next\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(body: &str) -> Option<(Vec<String>, u64, bool)> {
        let listed: NameList<Tag> = serde_json::from_str(body).ok()?;
        let names = listed.page.names.iter().map(Tag::to_string).collect();
        Some((names, listed.page.skipped, listed.too_many))
    }

    /// Hostile input 29.
    #[test]
    fn list_may_be_null_but_not_too_long() {
        assert_eq!(names(r#"{"name":"a","tags":null}"#), Some((vec![], 0, false)));
        assert_eq!(
            names(r#"{"tags":["1","-x","2"],"more":{}}"#),
            Some((vec!["1".into(), "2".into()], 1, false))
        );
        for wrong in [
            "",
            "[]",
            "{}",
            "null",
            r#"{"tags":{}}"#,
            r#"{"tags":[1]}"#,
            r#"{"tags":["1""#,
            "<html>",
        ] {
            assert_eq!(names(wrong), None, "{wrong}");
        }
        let million = format!(r#"{{"tags":["1"{}]}}"#, r#","1""#.repeat(999_999));
        let (kept, _, too_many) = names(&million).unwrap();
        assert_eq!((kept.len(), too_many), (NAMES_MAX, true));
    }

    #[test]
    fn only_the_query_of_the_next_link_is_used() {
        let table = [
            (r#"</v2/_catalog?last=b&n=100>; rel="next""#, Some("last=b&n=100")),
            (r#"<https://evil.example/x?last=b&n=2>; rel="next""#, Some("last=b&n=2")),
            ("<http://169.254.169.254/latest?n=1>; rel=next", Some("n=1")),
            (r#"<?last=c>; rel="next"; title="x""#, Some("last=c")),
            (r#"<?last=a>; rel="prev", <?last=c>; rel="next""#, Some("last=c")),
            (r#"</v2/_catalog?last=b>; rel="prev""#, None),
            (r#"</v2/_catalog>; rel="next""#, None),
            (r#"</v2/_catalog?last=a,b&n=5>; rel="next""#, Some("last=a,b&n=5")),
            (r#"<?last=a>; title="x", <?last=c>; rel="next""#, Some("last=c")),
            ("nonsense", None),
        ];
        let base = Url::parse("http://registry:5000/v2/_catalog?n=1000").ok();
        for (header, query) in table {
            let found = base.as_ref().and_then(|base| next_query_in(base, header));
            assert_eq!(found, query.map(|query| Ok(query.to_owned())), "{header}");
        }
    }
}
