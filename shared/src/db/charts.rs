//! Questions about the chart rows that decide what is looked at in the registry.

use std::collections::HashSet;

use super::batch::Subjects;
use super::{Database, Error};
use crate::domain::{Reference, Subject};

const AVAILABLE: &str = "\
SELECT wanted.registry_host, wanted.repo_name, wanted.reference
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (registry_host, repo_name, reference)
JOIN helm_registries AS registry USING (registry_host, repo_name)
JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id AND chart.image_tag = wanted.reference
WHERE chart.available";

const TAGS_WITH_DIGEST: &str = "\
SELECT wanted.registry_host, wanted.repo_name, wanted.reference, chart.image_tag
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (registry_host, repo_name, reference)
JOIN helm_registries AS registry USING (registry_host, repo_name)
JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id AND chart.image_digest = wanted.reference
WHERE chart.available";

impl Database {
    /// Those of the given tags that have an available chart row.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn available_tags(&self, tags: impl IntoIterator<Item = &Subject>) -> Result<HashSet<Subject>, Error> {
        let wanted: Subjects<'_> = tags.into_iter().collect();
        let rows = self.query_subjects("tell which charts are available", AVAILABLE, &wanted).await?;
        Ok(rows.iter().filter_map(|row| wanted.of_row(row)).cloned().collect())
    }

    /// The tags that available chart rows hold for the given digests.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn tags_with_digest(
        &self,
        digests: impl IntoIterator<Item = &Subject>,
    ) -> Result<Vec<(Subject, Subject)>, Error> {
        let wanted: Subjects<'_> = digests.into_iter().collect();
        let rows = self.query_subjects("tell which tags have a digest", TAGS_WITH_DIGEST, &wanted).await?;
        let pairs = rows.iter().filter_map(|row| {
            let digest = wanted.of_row(row)?;
            let tag = row.try_get::<_, &str>(3).ok()?.parse().ok()?;
            Some((digest.clone(), Subject { reference: Reference::Tag(tag), ..digest.clone() }))
        });
        Ok(pairs.collect())
    }
}
