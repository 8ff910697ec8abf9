//! Questions about chart rows. The answers decide what discovery looks at in the registry.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::subjects::Subjects;
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{CONTENTS_VERSION, Digest, Reference, Registry, Repository, Subject, Tag};

const AVAILABLE: &str = "\
SELECT wanted.registry_host, wanted.repo_name, wanted.reference
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (registry_host, repo_name, reference)
JOIN helm_registries AS registry
    ON registry_host(registry.domain_name) = wanted.registry_host
    AND registry.repo_name = wanted.repo_name
JOIN helm_charts AS chart
    ON chart.helm_registry_id = registry.id AND chart.image_tag = wanted.reference
WHERE chart.available";

/// A retired row counts too if the last look found its digest, because a restored digest brings its
/// tags back.
const TAGS_WITH_DIGEST: &str = "\
SELECT DISTINCT wanted.registry_host, wanted.repo_name, wanted.reference, chart.image_tag
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (registry_host, repo_name, reference)
JOIN helm_registries AS registry
    ON registry_host(registry.domain_name) = wanted.registry_host
    AND registry.repo_name = wanted.repo_name
JOIN helm_charts AS chart
    ON chart.helm_registry_id = registry.id AND chart.image_digest = wanted.reference
WHERE chart.available
    OR EXISTS (
        SELECT FROM observations AS look
        WHERE look.registry_host = wanted.registry_host
            AND look.repo_name = wanted.repo_name
            AND look.reference = wanted.reference
            AND look.digest IS NOT NULL
    )";

const REPOSITORIES_WITH_CHARTS: &str = "\
SELECT registry.repo_name
FROM helm_registries AS registry
WHERE registry_host(registry.domain_name) = $1
    AND EXISTS (
        SELECT FROM helm_charts AS chart
        WHERE chart.helm_registry_id = registry.id AND chart.available
    )";

const TAGS_WITH_CHARTS: &str = "\
SELECT chart.image_tag
FROM helm_registries AS registry
JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
WHERE registry_host(registry.domain_name) = $1
    AND registry.repo_name = $2
    AND chart.available";

/// A digest is known when its contents are stored, or when a row has it that discovery wrote
/// itself. A row that Platz wrote says nothing, so that the chart is read for a new tag.
const KNOWN_CONTENTS: &str = "\
SELECT wanted.digest, contents.digest IS NULL OR contents.is_incomplete,
    contents.contents_version < $2
FROM unnest($1::text[]) AS wanted (digest)
LEFT JOIN helm_chart_contents AS contents ON contents.digest = wanted.digest
WHERE contents.digest IS NOT NULL
    OR EXISTS (
        SELECT FROM helm_charts AS chart
        LEFT JOIN helm_chart_details AS detail ON detail.chart_id = chart.id
        WHERE chart.image_digest = wanted.digest AND NOT coalesce(detail.adopted, false)
    )";

/// What the database has of the contents of a digest that at least one row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredContents {
    /// All that this version of the program reads.
    Current,
    /// What an earlier version of the program read.
    Outdated,
    /// None, because they were lost. Or they are incomplete.
    Missing,
}

/// Those of the given digests that rows have.
pub type KnownContents = HashMap<String, StoredContents>;

impl Database {
    /// Returns those of the given tags that have an available chart row.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn available_tags(
        &self,
        tags: impl IntoIterator<Item = &Subject>,
    ) -> Result<HashSet<Subject>, Error> {
        let wanted: Subjects<'_> = tags.into_iter().collect();
        let rows = self.query_subjects("list the available charts", AVAILABLE, &wanted).await?;
        Ok(rows.iter().filter_map(|row| wanted.of_row(row)).cloned().collect())
    }

    /// Lists the repositories of a registry that have an available chart row.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn repositories_with_charts(
        &self,
        registry: &Registry,
    ) -> Result<Vec<Repository>, Error> {
        let parameters: Parameters<'_> = &[(&registry.host(), Type::TEXT)];
        let what = "list the repositories with charts";
        let rows = self.query(what, REPOSITORIES_WITH_CHARTS, parameters).await?;
        Ok(rows.iter().filter_map(|row| row.try_get::<_, &str>(0).ok()?.parse().ok()).collect())
    }

    /// Lists the tags of a repository that have an available chart row.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn tags_with_charts(
        &self,
        registry: &Registry,
        repository: &Repository,
    ) -> Result<Vec<Tag>, Error> {
        let parameters: Parameters<'_> =
            &[(&registry.host(), Type::TEXT), (&repository.as_str(), Type::TEXT)];
        let rows = self.query("list the tags with charts", TAGS_WITH_CHARTS, parameters).await?;
        Ok(rows.iter().filter_map(|row| row.try_get::<_, &str>(0).ok()?.parse().ok()).collect())
    }

    /// Returns pairs of a given digest and a tag that has a row with this digest. The row is
    /// available, or the last look found the digest.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn tags_with_digest(
        &self,
        digests: impl IntoIterator<Item = &Subject>,
    ) -> Result<Vec<(Subject, Subject)>, Error> {
        let wanted: Subjects<'_> = digests.into_iter().collect();
        let rows =
            self.query_subjects("list the tags of a digest", TAGS_WITH_DIGEST, &wanted).await?;
        let pairs = rows.iter().filter_map(|row| {
            let digest = wanted.of_row(row)?;
            let tag = row.try_get::<_, &str>(3).ok()?.parse().ok()?;
            Some((digest.clone(), Subject { reference: Reference::Tag(tag), ..digest.clone() }))
        });
        Ok(pairs.collect())
    }

    /// Returns which of the given digests rows have, and whether their contents are known. Sends no
    /// request without digests.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn known_contents<'a>(
        &self,
        digests: impl IntoIterator<Item = &'a Digest>,
    ) -> Result<KnownContents, Error> {
        let what = "list the known digests";
        let digests: Vec<&str> = digests.into_iter().map(Digest::as_str).collect();
        if digests.is_empty() {
            return Ok(KnownContents::new());
        }
        let parameters: Parameters<'_> =
            &[(&digests, Type::TEXT_ARRAY), (&CONTENTS_VERSION, Type::INT2)];
        let rows = self.query(what, KNOWN_CONTENTS, parameters).await?;
        let unreadable = |source| Error::Query { what, source };
        let known = |row: &Row| {
            let is_outdated: Option<bool> = row.try_get(2)?;
            let stored = match (row.try_get(1)?, is_outdated) {
                (true, _) => StoredContents::Missing,
                (false, Some(true)) => StoredContents::Outdated,
                (false, _) => StoredContents::Current,
            };
            Ok((row.try_get(0)?, stored))
        };
        rows.iter().map(known).collect::<Result<_, _>>().map_err(unreadable)
    }
}
