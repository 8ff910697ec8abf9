//! What a body says about one repository: its name, and perhaps a tag or a digest.

use std::collections::BTreeSet;

use serde_json::Value;
use shared::domain::{Digest, Repository, Tag};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A repository that a body names, with the rest of what it says about it. The texts are as the
/// sender wrote them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Mention {
    pub(crate) repository: String,
    /// The repository key of Artifactory and Nexus.
    pub(crate) key: Option<String>,
    /// Tags, or digests where a sender puts a digest in their place.
    pub(crate) references: Vec<String>,
    pub(crate) sent_at: Option<OffsetDateTime>,
}

/// A repository to look at, with what all mentions of it say.
#[derive(Debug, Default)]
pub(crate) struct Mentioned {
    pub(crate) tags: BTreeSet<String>,
    pub(crate) digests: BTreeSet<String>,
    pub(crate) sent_at: Option<OffsetDateTime>,
}

impl Mention {
    /// Makes a mention of a repository.
    pub(crate) fn of(repository: impl Into<String>) -> Self {
        Self { repository: repository.into(), ..Self::default() }
    }

    /// Adds a tag or a digest, if it is there.
    #[must_use]
    pub(crate) fn with(mut self, reference: Option<&str>) -> Self {
        self.references.extend(reference.map(str::to_owned));
        self
    }

    /// Adds the time at which the sender noticed the change.
    #[must_use]
    pub(crate) fn at(mut self, sent_at: Option<OffsetDateTime>) -> Self {
        self.sent_at = sent_at;
        self
    }

    /// Adds the repository key.
    #[must_use]
    pub(crate) fn in_key(mut self, key: Option<&str>) -> Self {
        self.key = key.map(str::to_owned);
        self
    }

    /// Reads `host/name`, `host/name:tag`, `host/name@digest` or `host/name:tag@digest`.
    pub(crate) fn of_address(address: &str) -> Option<Self> {
        let (_, name) = address.split_once('/')?;
        let (name, digest) = match name.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (name, None),
        };
        // A colon can only begin a tag, because the host is gone.
        let (name, tag) = match name.split_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (name, None),
        };
        Some(Self::of(name).with(tag).with(digest))
    }
}

impl Mentioned {
    /// Adds what a mention says. A reference that is neither a tag nor a digest is left out.
    pub(crate) fn add(&mut self, mention: &Mention) {
        for reference in &mention.references {
            if reference.parse::<Digest>().is_ok() {
                self.digests.insert(reference.clone());
            } else if reference.parse::<Tag>().is_ok() {
                self.tags.insert(reference.clone());
            }
        }
        // The earliest time, because the delay of the slowest change is what counts.
        self.sent_at = match (self.sent_at, mention.sent_at) {
            (Some(old), Some(new)) => Some(old.min(new)),
            (old, new) => old.or(new),
        };
    }
}

/// Returns whether a registry can have a repository of this name.
pub(crate) fn is_possible(repository: &str) -> bool {
    repository.parse::<Repository>().is_ok()
}

/// Returns the text at a place, unless it is empty.
pub(crate) fn text<'a>(value: &'a Value, place: &str) -> Option<&'a str> {
    value.pointer(place)?.as_str().filter(|text| !text.is_empty())
}

/// Returns the time at a place: as RFC 3339 writes it, or in seconds since 1970.
pub(crate) fn time(value: &Value, place: &str) -> Option<OffsetDateTime> {
    match value.pointer(place)? {
        Value::String(text) => parse_time(text),
        Value::Number(seconds) => OffsetDateTime::from_unix_timestamp(seconds.as_i64()?).ok(),
        _ => None,
    }
}

/// Parses a time as RFC 3339 writes it, and with Nexus's zone without a colon.
pub(crate) fn parse_time(text: &str) -> Option<OffsetDateTime> {
    let utc = text.strip_suffix("+0000").map(|time| format!("{time}Z"));
    OffsetDateTime::parse(utc.as_deref().unwrap_or(text), &Rfc3339).ok()
}
