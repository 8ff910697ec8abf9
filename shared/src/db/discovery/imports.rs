//! Imports of ECR. In a database of Platz's a backfill adds new charts only where a person asked
//! for an import, because Platz's pickers would fill with old versions.

use std::collections::HashSet;

use tokio_postgres::types::Type;

use super::subjects::Subjects;
use crate::db::{Database, Error};
use crate::domain::Subject;

const IMPORTS: &str = "\
SELECT CASE WHEN ecr_imports IS NOT NULL THEN
    ARRAY(SELECT known.import::text FROM jsonb_array_elements(ecr_imports) AS known (import))
END
FROM discovery_layout";

/// Changes nothing where the column is NULL: there a backfill adds every chart.
const REMEMBER: &str = "\
UPDATE discovery_layout
SET ecr_imports = ecr_imports || jsonb_build_array($1::text::jsonb)
WHERE NOT EXISTS (
    SELECT FROM jsonb_array_elements(ecr_imports) AS known (import)
    WHERE known.import = $1::text::jsonb
)";

const WITH_ROWS: &str = "\
SELECT wanted.registry_host, wanted.repo_name, wanted.reference
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted (registry_host, repo_name, reference)
WHERE EXISTS (
    SELECT FROM helm_registries AS registry
    JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
    WHERE registry_host(registry.domain_name) = wanted.registry_host
        AND registry.repo_name = wanted.repo_name
        AND chart.image_tag = wanted.reference
)";

impl Database {
    /// Returns the imports that were asked for, each as [`Database::remember_ecr_import`] wrote it.
    /// `None` means that a backfill adds every chart, because the database is our own.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn ecr_imports(&self) -> Result<Option<Vec<String>>, Error> {
        let what = "read the imports of ECR";
        let rows = self.query(what, IMPORTS, &[]).await?;
        let row = rows.first().ok_or(Error::NoRow { what })?;
        row.try_get(0).map_err(|source| Error::Query { what, source })
    }

    /// Remembers an import, as a JSON text. Safe to repeat. In our own database it changes nothing.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn remember_ecr_import(&self, import: &str) -> Result<(), Error> {
        self.query("remember the import of ECR", REMEMBER, &[(&import, Type::TEXT)]).await.map(drop)
    }

    /// Returns those of the tags that have a chart row, available or not.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn tags_with_rows(&self, tags: &[Subject]) -> Result<HashSet<Subject>, Error> {
        let wanted: Subjects<'_> = tags.iter().collect();
        let rows = self.query_subjects("find the rows of tags", WITH_ROWS, &wanted).await?;
        Ok(rows.iter().filter_map(|row| wanted.of_row(row)).cloned().collect())
    }
}
