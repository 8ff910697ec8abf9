//! `GET /v2/_catalog` and `GET /v2/<name>/tags/list`, page by page: distribution specification, section "Content
//! Discovery". Pages follow the `Link` header of RFC 8288.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::str::FromStr;

use reqwest::{Method, Url};
use serde::Deserialize;

use super::transport::{read_up_to, redacted};
use super::{Client, Error};
use crate::domain::{Repository, Tag};

/// Names asked for in one page of a listing. Docker Distribution refuses more than 1,000.
const PAGE_SIZE: usize = 1000;

/// Largest page read, in bytes. Docker Distribution and others send all tags of a repository at once: this is room for
/// half a million of them.
const PAGE_LIMIT: usize = 16 * 1024 * 1024;

/// Pages after which a listing counts as endless: ten million names.
const PAGES_MAX: usize = 10_000;

/// One page of a listing.
#[derive(Debug)]
pub struct Page<T> {
    /// The names that follow the specification's grammar, in the registry's order.
    pub names: Vec<T>,
    /// How many names did not, and were left out.
    pub skipped: u64,
}

/// A listing read page by page: call [`Pages::next`] until it gives `None`.
#[derive(Debug)]
pub struct Pages<'a, T> {
    client: &'a Client,
    endpoint: Url,
    /// The query of the next page; `None` after the last one.
    next: Option<String>,
    /// Queries already asked, to notice a registry that leads us in a circle.
    asked: HashSet<String>,
    names: PhantomData<T>,
}

#[derive(Deserialize)]
struct Body {
    /// Docker Distribution answers `null` after the last tag of a repository was deleted.
    #[serde(alias = "repositories")]
    tags: Option<Vec<String>>,
}

impl Client {
    /// All repositories of the registry. Not every registry offers this: GHCR, Docker Hub and GitLab do not.
    #[must_use]
    pub fn list_repositories(&self) -> Pages<'_, Repository> {
        Pages::new(self, self.endpoint(&["_catalog"], None))
    }

    /// All tags of a repository.
    #[must_use]
    pub fn list_tags(&self, repository: &Repository) -> Pages<'_, Tag> {
        Pages::new(self, self.endpoint(&[repository.as_str(), "tags", "list"], None))
    }
}

impl<'a, T: FromStr> Pages<'a, T> {
    fn new(client: &'a Client, endpoint: Url) -> Self {
        let next = Some(format!("n={PAGE_SIZE}"));
        Self { client, endpoint, next, asked: HashSet::new(), names: PhantomData }
    }

    /// The next page, or `None` after the last. After an error the same page is asked for again.
    ///
    /// # Errors
    /// [`Error::EndlessListing`] when a page was read before or there are too many.
    pub async fn next(&mut self) -> Result<Option<Page<T>>, Error> {
        let Some(query) = self.next.clone() else { return Ok(None) };
        let mut url = self.endpoint.clone();
        url.set_query(Some(&query));
        let shown = redacted(&url);

        let response = self.client.send(Method::GET, url.clone(), "application/json").await?;
        let mut links = response.headers().get_all("link").iter().filter_map(|value| value.to_str().ok());
        let next = links.find_map(next_query_in(&url));
        let bytes = read_up_to(response, PAGE_LIMIT).await?;
        let body: Body =
            serde_json::from_slice(&bytes).map_err(|source| Error::Malformed { url: shown.clone(), source })?;

        self.asked.insert(query);
        let circular = next.as_ref().is_some_and(|next| self.asked.contains(next));
        if circular || self.asked.len() >= PAGES_MAX {
            return Err(Error::EndlessListing { url: shown });
        }
        self.next = next;
        let listed = body.tags.unwrap_or_default();
        let total = listed.len();
        let names: Vec<T> = listed.iter().filter_map(|name| name.parse().ok()).collect();
        let skipped = (total - names.len()) as u64;
        Ok(Some(Page { names, skipped }))
    }
}

/// Finds the query of the `rel="next"` target in a `Link` header. Host and path are ours to know: registries behind a
/// proxy name the wrong ones, and a hostile one would name another host.
fn next_query_in(base: &Url) -> impl Fn(&str) -> Option<String> + '_ {
    move |header| {
        header.split(',').find_map(|link| {
            let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            let is_next = parameters.split(';').any(|parameter| {
                let parameter = parameter.trim().to_ascii_lowercase();
                matches!(parameter.as_str(), "rel=next" | "rel=\"next\"")
            });
            let target = base.join(target).ok().filter(|_| is_next)?;
            target.query().filter(|query| !query.is_empty()).map(str::to_owned)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_query_of_the_next_link_is_taken() {
        let table = [
            (r#"</v2/_catalog?last=b&n=100>; rel="next""#, Some("last=b&n=100")),
            (r#"<https://evil.example/x?last=b&n=2>; rel="next""#, Some("last=b&n=2")),
            ("<http://169.254.169.254/latest?n=1>; rel=next", Some("n=1")),
            (r#"<?last=c>; rel="next"; title="x""#, Some("last=c")),
            (r#"<?last=a>; rel="prev", <?last=c>; rel="next""#, Some("last=c")),
            (r#"</v2/_catalog?last=b>; rel="prev""#, None),
            (r#"</v2/_catalog>; rel="next""#, None),
            ("nonsense", None),
            ("<unclosed; rel=\"next\"", None),
        ];
        let base = Url::parse("http://registry:5000/v2/_catalog?n=1000").ok();
        for (header, query) in table {
            let found = base.as_ref().and_then(|base| next_query_in(base)(header));
            assert_eq!(found.as_deref(), query, "{header}");
        }
    }
}
