//! How many charts an instance has, and how many went missing lately.

use tokio_postgres::types::Type;

use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{Registry, Selection};

/// The numbers that reveal a mass disappearance in an instance.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Population {
    /// The number of available charts.
    pub available: u64,
    /// The number of charts that were lost within the last hour, whatever their tag resolves to,
    /// and of those that were marked as missing within the last hour.
    pub lately_gone: u64,
}

/// A chart is gone when its tag resolves to something else than a chart, or to nothing.
const POPULATION: &str = "\
SELECT registry.repo_name, count(*), 0::bigint
FROM helm_registries AS registry
JOIN helm_charts AS chart ON chart.helm_registry_id = registry.id
WHERE registry_host(registry.domain_name) = $1 AND chart.available
GROUP BY registry.repo_name
UNION ALL
SELECT gone.repo_name, 0::bigint, count(*)
FROM (
    SELECT seen.repo_name
    FROM observations AS seen
    JOIN helm_registries AS registry
        ON registry_host(registry.domain_name) = seen.registry_host
        AND registry.repo_name = seen.repo_name
    JOIN helm_charts AS chart
        ON chart.helm_registry_id = registry.id AND chart.image_tag = seen.reference
    WHERE seen.registry_host = $1
        AND greatest(seen.changed_at, seen.missing_since) > clock_timestamp() - interval '1 hour'
    GROUP BY seen.registry_host, seen.repo_name, seen.reference
    HAVING CASE WHEN bool_or(chart.available) THEN seen.missing_since ELSE seen.changed_at END
        BETWEEN clock_timestamp() - interval '1 hour' AND clock_timestamp()
) AS gone
GROUP BY gone.repo_name";

impl Database {
    /// Counts the available charts of an instance, and those that went missing within the last
    /// hour. The instance has the repositories of a registry that `selection` has, or all of them.
    /// It reads every chart of the registry, so that callers ask once for many lost charts.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn population(
        &self,
        registry: &Registry,
        selection: Option<&Selection>,
    ) -> Result<Population, Error> {
        let what = "count the charts";
        let parameters: Parameters<'_> = &[(&registry.host(), Type::TEXT)];
        let rows = self.query(what, POPULATION, parameters).await?;
        let unreadable = |source| Error::Query { what, source };
        let mut population = Population::default();
        for row in &rows {
            let name: &str = row.try_get(0).map_err(unreadable)?;
            let is_followed = selection.is_none_or(|selection| {
                name.parse().is_ok_and(|repository| selection.has(&repository))
            });
            if is_followed {
                let count = |index| -> Result<u64, tokio_postgres::Error> {
                    let count: i64 = row.try_get(index)?;
                    Ok(u64::try_from(count).unwrap_or_default())
                };
                population.available += count(1).map_err(unreadable)?;
                population.lately_gone += count(2).map_err(unreadable)?;
            }
        }
        Ok(population)
    }
}
