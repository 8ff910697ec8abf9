//! What is to be diagnosed: the payload
//! `{"instance":…,"diagnose":{"registry","repository","tag"|"digest"}}`, the same for every
//! function that has credentials.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{Reference, Registry, Repository};

/// The field `diagnose` of a payload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The registry's domain name or host. May be left out where the instance says which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The repository.
    pub repository: String,
    /// The tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest, in place of a tag. With neither only the repository is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The registry.
    pub registry: Arc<Registry>,
    /// The repository in it.
    pub repository: Repository,
    /// The tag or digest in that, if one is wanted.
    pub reference: Option<Reference>,
}

impl Request {
    /// Reads the field.
    ///
    /// # Errors
    /// The field in it that is missing, unknown or unusable.
    pub fn read(fields: Value) -> anyhow::Result<Self> {
        serde_json::from_value(fields).context("diagnose cannot be read")
    }

    /// What is looked at in a registry.
    ///
    /// # Errors
    /// The field that cannot be used.
    pub fn target(&self, registry: Arc<Registry>) -> anyhow::Result<Target> {
        let repository = self.repository.parse().context("diagnose.repository cannot be used")?;
        let reference = match (&self.tag, &self.digest) {
            (Some(_), Some(_)) => bail!("diagnose has a tag and a digest: give one of the two"),
            (Some(tag), None) => {
                Some(Reference::Tag(tag.parse().context("diagnose.tag cannot be used")?))
            }
            (None, Some(digest)) => {
                Some(Reference::Digest(digest.parse().context("diagnose.digest cannot be used")?))
            }
            (None, None) => None,
        };
        Ok(Target { registry, repository, reference })
    }
}
