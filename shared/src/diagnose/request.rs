//! The request for a diagnosis. Every function that has credentials takes the same payload:
//! `{"instance":…,"diagnose":{"registry","repository","tag"|"digest"}}`.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{Reference, Registry, Repository};

/// The field `diagnose` of a payload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The registry's domain name or host. Optional if the instance names the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    /// The repository.
    pub repository: String,
    /// The tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest, instead of a tag. Without both, only the repository is diagnosed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// The subject of a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The registry.
    pub registry: Arc<Registry>,
    /// The repository in the registry.
    pub repository: Repository,
    /// The tag or digest in the repository, if the request names one.
    pub reference: Option<Reference>,
}

impl Request {
    /// Reads the field `diagnose`.
    ///
    /// # Errors
    /// Names the field in it that is missing, unknown or unusable.
    pub fn read(fields: Value) -> anyhow::Result<Self> {
        serde_json::from_value(fields).context("diagnose cannot be read")
    }

    /// Returns the subject of the diagnosis in a registry.
    ///
    /// # Errors
    /// Names the field that cannot be used.
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
