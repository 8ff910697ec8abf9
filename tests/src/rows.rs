//! The chart rows as `make run` prints them: all rows as a table, and the changed rows as lines.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use tokio_postgres::Client;

/// The columns of the table and of the query below.
const TITLES: [&str; 7] = ["REGISTRY", "REPOSITORY", "KIND", "TAG", "DIGEST", "CREATED", "STATE"];

const ROWS: &str = "\
SELECT registry.domain_name, registry.repo_name, kind.name, chart.image_tag, chart.image_digest, \
chart.created_at,
    CASE WHEN NOT chart.available THEN 'DELETED' WHEN chart.error IS NOT NULL THEN 'BROKEN: ' || \
    chart.error ELSE 'available' END
FROM helm_charts AS chart
JOIN helm_registries AS registry ON registry.id = chart.helm_registry_id
JOIN k8s_deployment_kinds AS kind ON kind.id = registry.kind_id";

/// The key of a row: registry, repository, tag, digest.
type Key = (String, String, String, String);

/// All rows at one time, in the order of the table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows(BTreeMap<Key, Rest>);

#[derive(Debug, PartialEq, Eq)]
struct Rest {
    kind: String,
    created_at: OffsetDateTime,
    state: String,
}

impl Rows {
    pub(crate) async fn load(client: &Client) -> anyhow::Result<Self> {
        let mut rows = BTreeMap::new();
        for row in client.query(ROWS, &[]).await? {
            let key = (row.try_get(0)?, row.try_get(1)?, row.try_get(3)?, row.try_get(4)?);
            let rest =
                Rest { kind: row.try_get(2)?, created_at: row.try_get(5)?, state: row.try_get(6)? };
            rows.insert(key, rest);
        }
        Ok(Self(rows))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Counts the rows of a registry.
    pub(crate) fn of(&self, registry: &str) -> usize {
        self.0.keys().filter(|key| key.0 == registry).count()
    }

    /// Returns the state of a row, if the row exists.
    pub(crate) fn state(
        &self,
        registry: &str,
        repository: &str,
        tag: &str,
        digest: &str,
    ) -> Option<&str> {
        let key = (registry.to_owned(), repository.to_owned(), tag.to_owned(), digest.to_owned());
        self.0.get(&key).map(|rest| rest.state.as_str())
    }

    /// Formats the table with titles and aligned columns.
    pub(crate) fn table(&self) -> String {
        let rows = self.0.iter().map(|(key, rest)| cells(key, rest));
        let rows: Vec<[String; 7]> =
            std::iter::once(TITLES.map(str::to_owned)).chain(rows).collect();
        let width = |column: usize| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let line = |row: &[String; 7]| {
            let cells =
                row.iter().enumerate().map(|(column, cell)| format!("{cell:<0$}", width(column)));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// Formats one line for every row that is new or whose state changed.
    pub(crate) fn changes_since(&self, before: &Self) -> Vec<String> {
        let changed = self.0.iter().filter(|(key, rest)| before.0.get(*key) != Some(rest));
        changed.map(|(key, rest)| cells(key, rest).join("  ")).collect()
    }
}

fn cells((registry, repository, tag, digest): &Key, rest: &Rest) -> [String; 7] {
    // The digest is shortened, because its beginning is enough to find it.
    let (algorithm, encoded) = digest.split_once(':').unwrap_or(("", digest));
    let digest = format!("{algorithm}:{}", encoded.get(..12).unwrap_or(encoded));
    let at = rest.created_at;
    let created = format!("{} {:02}:{:02}:{:02}Z", at.date(), at.hour(), at.minute(), at.second());
    [
        registry.clone(),
        repository.clone(),
        rest.kind.clone(),
        tag.clone(),
        digest,
        created,
        rest.state.clone(),
    ]
}
