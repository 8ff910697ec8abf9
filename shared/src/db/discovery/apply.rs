//! Writes a batch of observations in one short transaction: the guard first, then what follows from
//! the winners.
//!
//! The statements are pipelined, so a batch of any size costs one round trip. They stay separate
//! statements because each must see what the one before it wrote, and what other writers committed
//! while it waited for a lock.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::try_join;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};
use tracing::warn;

use super::columns::Observations;
use super::tag_formats::LOCK_FORMATS;
use crate::db::connection::Parameters;
use crate::db::{Database, Error};
use crate::domain::{KindNaming, Observation, Subject, TagFormats};

/// Observations written in one transaction: enough that round trips do not count, few enough that
/// it stays short.
const BATCH: usize = 1000;

/// Attempts at a transaction that met a deadlock, a serialization failure or a dead connection.
const ATTEMPTS: u32 = 4;

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Applied {
    /// Tags with a chart row that was not there or not available before.
    pub available: Vec<Subject>,
    /// Chart rows that were written and have an error.
    pub broken: u64,
    /// Tags with a chart row that is no longer available.
    pub unavailable: Vec<Subject>,
    /// Subjects whose observation may be outdated already: the registry must be asked again.
    pub ask_again: Vec<Subject>,
    /// Subjects that the database refuses, each with its reason.
    pub rejected: Vec<(Subject, Error)>,
    /// The instance's generation after the last transaction.
    pub generation: Option<i64>,
}

/// On whose behalf a batch is written.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The instance whose generation rises, where it has one.
    pub instance: Option<&'a str>,
    /// How the kinds of new registries are named.
    pub kind_naming: KindNaming,
}

/// The batch as a table, the same in every statement but for what only chart rows have. Each
/// statement gets all parameters of the table and uses what it needs.
macro_rules! seen {
    () => {
        seen!("", "")
    };
    ($more:literal, $columns:literal) => {
        concat!(
            "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], \
             $6::boolean[], \
             $7::timestamptz[], $8::text[], $9::text[]",
            $more,
            ") AS seen (registry_host, repo_name, reference, digest, observed_at, is_chart, \
             created_at, domain_name, \
             provider",
            $columns,
            ")"
        )
    };
}

/// The columns that are read from the chart, in a JSON object.
macro_rules! columns_in {
    ($json:literal) => {
        concat!(
            "jsonb_to_record((",
            $json,
            ")::jsonb) AS read (chart_name text, chart_version text, app_version text, description \
             text, git_commit text, \
             git_branch text, git_repo text, values_ui jsonb, actions_schema jsonb, features \
             jsonb, \
             resource_types jsonb, error text)"
        )
    };
}

/// The guard. An observation loses against a newer one of the same reference. It is not taken, and
/// made again, when the digest that the tag resolved to was said to be deleted and looked at later;
/// or when it is older than a quarter of an hour: a sandbox may have been frozen with it. Locks
/// rows in key order, so that two batches never wait for each other in a circle.
const RECORD: &str = concat!(
    "\
INSERT INTO observations AS stored (registry_host, repo_name, reference, digest, observed_at, \
changed_at)
SELECT seen.registry_host, seen.repo_name, seen.reference, seen.digest, seen.observed_at, \
seen.observed_at
FROM ",
    seen!(),
    "
WHERE seen.observed_at > clock_timestamp() - interval '15 minutes'
    AND NOT EXISTS (
        SELECT FROM observations AS doubt
        WHERE doubt.registry_host = seen.registry_host
            AND doubt.repo_name = seen.repo_name
            AND doubt.reference = seen.digest
            AND doubt.observed_at > seen.observed_at
    )
ORDER BY seen.registry_host, seen.repo_name, seen.reference
ON CONFLICT (registry_host, repo_name, reference) DO UPDATE
SET digest = excluded.digest,
    observed_at = excluded.observed_at,
    changed_at = CASE
        WHEN stored.digest IS DISTINCT FROM excluded.digest THEN excluded.observed_at
        ELSE stored.changed_at
    END,
    missing_since = NULL
WHERE stored.observed_at <= excluded.observed_at"
);

/// Rows of a winner's tag with another digest, or any when the tag holds no chart any more. A
/// winner is an observation that the table now holds.
const RETIRE: &str = concat!(
    "\
UPDATE helm_charts AS chart
SET available = false
FROM ",
    seen!(),
    "
JOIN observations AS stored USING (registry_host, repo_name, reference)
JOIN helm_registries AS registry USING (registry_host, repo_name)
WHERE stored.observed_at = seen.observed_at
    AND stored.digest IS NOT DISTINCT FROM seen.digest
    AND chart.helm_registry_id = registry.id
    AND chart.image_tag = seen.reference
    AND chart.available
    AND (NOT seen.is_chart OR chart.image_digest <> seen.digest)
RETURNING seen.registry_host, seen.repo_name, seen.reference"
);

/// Registries, and with them kinds, of winners that are charts, where they are missing.
const ENSURE_REGISTRIES: &str = concat!(
    "\
SELECT ensure_registry(missing.domain_name, missing.repo_name, missing.provider, $10)
FROM (
    SELECT DISTINCT ON (seen.registry_host, seen.repo_name) seen.domain_name, seen.repo_name, \
    seen.provider
    FROM ",
    seen!(),
    "
    JOIN observations AS stored USING (registry_host, repo_name, reference)
    LEFT JOIN helm_registries AS registry USING (registry_host, repo_name)
    WHERE seen.is_chart
        AND stored.observed_at = seen.observed_at
        AND stored.digest = seen.digest
        AND registry.id IS NULL
    ORDER BY seen.registry_host, seen.repo_name
) AS missing"
);

/// Chart rows of winners whose digest is new to the tag; a row that was there before comes back. A
/// winner that only confirms what was known adds nothing, so a row that an admin deleted stays
/// deleted, unless somebody asks for it. What was not read is taken from another row of the digest.
/// What no tag format tells the chart itself does.
const ADD: &str = concat!(
    "\
INSERT INTO helm_charts AS chart (created_at, helm_registry_id, image_digest, image_tag, \
chart_name, chart_version,
    app_version, description, git_commit, git_branch, git_repo, values_ui, actions_schema, \
    features, resource_types, error,
    tag_format_id, parsed_version, parsed_revision, parsed_branch, parsed_commit, parsed_with)
SELECT least(coalesce(seen.created_at, now()), now()), registry.id, seen.digest, seen.reference,
    coalesce(twin.chart_name, read.chart_name), coalesce(twin.chart_version, read.chart_version),
    coalesce(twin.app_version, read.app_version), coalesce(twin.description, read.description),
    coalesce(twin.git_commit, read.git_commit), coalesce(twin.git_branch, read.git_branch),
    coalesce(twin.git_repo, read.git_repo), coalesce(twin.values_ui, read.values_ui),
    coalesce(twin.actions_schema, read.actions_schema), coalesce(twin.features, read.features),
    coalesce(twin.resource_types, read.resource_types), coalesce(twin.error, read.error), format.id,
    CASE WHEN seen.format_id IS NULL THEN coalesce(twin.chart_version, read.chart_version) ELSE \
    seen.version END,
    seen.revision,
    CASE WHEN seen.format_id IS NULL THEN coalesce(twin.git_branch, read.git_branch) ELSE \
    seen.branch END,
    CASE WHEN seen.format_id IS NULL THEN coalesce(twin.git_commit, read.git_commit) ELSE \
    seen.commit END,
    $13
FROM ",
    seen!(
        ", $12::boolean[], $14::text[]::uuid[], $15::text[], $16::text[], $17::text[], $18::text[]",
        ", is_requested, format_id, version, revision, branch, commit"
    ),
    "
JOIN observations AS stored USING (registry_host, repo_name, reference)
JOIN helm_registries AS registry USING (registry_host, repo_name)
LEFT JOIN helm_tag_formats AS format ON format.id = seen.format_id
LEFT JOIN unnest($10::text[], $11::text[]) AS given (digest, contents) ON given.digest = seen.digest
CROSS JOIN LATERAL ",
    columns_in!("given.contents"),
    "
LEFT JOIN LATERAL (
    SELECT known.*
    FROM helm_charts AS known
    WHERE given.digest IS NULL
        AND known.image_digest = seen.digest
        AND (known.chart_name IS NOT NULL OR known.error IS NOT NULL)
    LIMIT 1
) AS twin ON true
WHERE seen.is_chart
    AND stored.observed_at = seen.observed_at
    AND (stored.changed_at = seen.observed_at OR seen.is_requested)
    AND stored.digest = seen.digest
ORDER BY registry.id, seen.reference
ON CONFLICT ON CONSTRAINT helm_charts_registry_tag_digest_key DO UPDATE
SET available = true
WHERE NOT chart.available
RETURNING
    (SELECT registry.registry_host FROM helm_registries AS registry WHERE registry.id = \
    chart.helm_registry_id),
    (SELECT registry.repo_name FROM helm_registries AS registry WHERE registry.id = \
    chart.helm_registry_id),
    chart.image_tag, chart.error IS NOT NULL"
);

/// Contents that were read anew, into every row of their digest: they follow from it alone.
const REFRESH: &str = concat!(
    "\
UPDATE helm_charts AS chart
SET chart_name = read.chart_name, chart_version = read.chart_version, app_version = \
read.app_version,
    description = read.description, git_commit = read.git_commit, git_branch = read.git_branch,
    git_repo = read.git_repo, values_ui = read.values_ui, actions_schema = read.actions_schema,
    features = read.features, resource_types = read.resource_types, error = read.error,
    parsed_version = CASE WHEN chart.tag_format_id IS NULL THEN read.chart_version ELSE \
    chart.parsed_version END,
    parsed_branch = CASE WHEN chart.tag_format_id IS NULL THEN read.git_branch ELSE \
    chart.parsed_branch END,
    parsed_commit = CASE WHEN chart.tag_format_id IS NULL THEN read.git_commit ELSE \
    chart.parsed_commit END
FROM unnest($1::text[], $2::text[]) AS refreshed (digest, contents)
CROSS JOIN LATERAL ",
    columns_in!("refreshed.contents"),
    "
WHERE chart.image_digest = refreshed.digest
    AND (chart.chart_name, chart.chart_version, chart.app_version, chart.description, \
    chart.git_commit,
        chart.git_branch, chart.git_repo, chart.values_ui, chart.actions_schema, chart.features, \
        chart.resource_types,
        chart.error)
    IS DISTINCT FROM (read.chart_name, read.chart_version, read.app_version, read.description, \
    read.git_commit,
        read.git_branch, read.git_repo, read.values_ui, read.actions_schema, read.features, \
        read.resource_types,
        read.error)
RETURNING chart.error IS NOT NULL"
);

/// The instance's number of transactions. Written last, because its row is the one that batches
/// share.
const RAISE_GENERATION: &str = "\
INSERT INTO discovery_instances AS instance (name, generation)
SELECT $1, 1
WHERE $1 IS NOT NULL
ON CONFLICT (name) DO UPDATE
SET generation = instance.generation + 1
RETURNING instance.generation";

/// After the commit: observations that must be made again, for the reasons of the guard. Asked only
/// now, because somebody may have looked at the digest while we wrote: he did not see our row, and
/// we did not see his.
const ASK_AGAIN: &str = concat!(
    "\
SELECT seen.registry_host, seen.repo_name, seen.reference
FROM ",
    seen!(),
    "
LEFT JOIN observations AS stored USING (registry_host, repo_name, reference)
WHERE coalesce(stored.observed_at <= seen.observed_at, true)
    AND (
        seen.observed_at <= clock_timestamp() - interval '15 minutes'
        OR EXISTS (
            SELECT FROM observations AS doubt
            WHERE doubt.registry_host = seen.registry_host
                AND doubt.repo_name = seen.repo_name
                AND doubt.reference = seen.digest
                    AND doubt.observed_at > seen.observed_at
        )
    )"
);

impl Database {
    /// Writes what follows from some observations, at most one per subject. Safe to repeat, and
    /// safe beside any other writer: the newest observation of a subject wins, in whatever order
    /// they arrive. `formats` take the tags of new charts apart.
    ///
    /// # Errors
    /// When the database cannot be written. Observations that it refuses for what they hold are in
    /// [`Applied::rejected`], and do not keep the others from being written.
    pub async fn apply(
        &self,
        observations: &[Observation],
        writer: Writer<'_>,
        formats: Option<&TagFormats>,
    ) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        let mut batches: Vec<&[Observation]> = observations.chunks(BATCH).rev().collect();
        while let Some(batch) = batches.pop() {
            match self.apply_batch(batch, writer, formats, &mut applied).await {
                Ok(()) => {}
                // Halved until the observation that is refused stands alone.
                Err(error) if error.is_data_error() => match batch {
                    [only] => applied.rejected.push((only.subject.clone(), error)),
                    several => {
                        let (first, second) = several.split_at(several.len() / 2);
                        batches.extend([second, first]);
                    }
                },
                Err(error) => return Err(error),
            }
        }
        Ok(applied)
    }

    async fn apply_batch(
        &self,
        batch: &[Observation],
        writer: Writer<'_>,
        formats: Option<&TagFormats>,
        applied: &mut Applied,
    ) -> Result<(), Error> {
        let seen = Observations::of(batch, formats);
        let mut attempt = 1;
        let written = loop {
            let what = "write the observations";
            let written = self.run(what, async |client| write(client, &seen, writer).await).await;
            match written {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                    warn!(error = %crate::telemetry::Causes(&error), attempt, "writing the \
                        observations again");
                    // Two writers that met in a deadlock must not meet again at once.
                    let pause = fastrand::u64(1..=20 << attempt);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    attempt += 1;
                }
                other => break other?,
            }
        };
        applied.add(&seen, &written);
        Ok(())
    }
}

/// The rows that the statements of one transaction returned.
struct Written {
    retired: Vec<Row>,
    added: Vec<Row>,
    refreshed: Vec<Row>,
    generation: Vec<Row>,
    ask_again: Vec<Row>,
}

async fn write(
    client: &Client,
    seen: &Observations<'_>,
    writer: Writer<'_>,
) -> Result<Written, tokio_postgres::Error> {
    let full_kind_name = writer.kind_naming == KindNaming::Path;
    let table: [(&(dyn ToSql + Sync), Type); 9] = [
        (&seen.subjects.registry_hosts, Type::TEXT_ARRAY),
        (&seen.subjects.repo_names, Type::TEXT_ARRAY),
        (&seen.subjects.references, Type::TEXT_ARRAY),
        (&seen.digests, Type::TEXT_ARRAY),
        (&seen.observed_at, Type::TIMESTAMPTZ_ARRAY),
        (&seen.are_charts, Type::BOOL_ARRAY),
        (&seen.created_at, Type::TIMESTAMPTZ_ARRAY),
        (&seen.domain_names, Type::TEXT_ARRAY),
        (&seen.providers, Type::TEXT_ARRAY),
    ];
    let registries = [&table[..], &[(&full_kind_name, Type::BOOL)]].concat();
    let (digests, contents): (Vec<&str>, Vec<&String>) = seen.contents.iter().unzip();
    let more: Parameters<'_> = &[
        (&digests, Type::TEXT_ARRAY),
        (&contents, Type::TEXT_ARRAY),
        (&seen.are_requested, Type::BOOL_ARRAY),
        (&seen.parsed_with, Type::INT8),
        (&seen.tags.format_ids, Type::TEXT_ARRAY),
        (&seen.tags.versions, Type::TEXT_ARRAY),
        (&seen.tags.revisions, Type::TEXT_ARRAY),
        (&seen.tags.branches, Type::TEXT_ARRAY),
        (&seen.tags.commits, Type::TEXT_ARRAY),
    ];
    let charts = [&table[..], more].concat();
    let (digests, contents): (Vec<&str>, Vec<&String>) =
        seen.contents.iter().filter(|(digest, _)| seen.refreshed.contains(*digest)).unzip();
    let refreshed: Parameters<'_> = &[(&digests, Type::TEXT_ARRAY), (&contents, Type::TEXT_ARRAY)];
    let used: BTreeSet<&str> = seen.tags.format_ids.iter().copied().flatten().collect();
    let used: Vec<&str> = used.into_iter().collect();
    let formats: Parameters<'_> = &[(&used, Type::TEXT_ARRAY)];
    let instance: Parameters<'_> = &[(&writer.instance, Type::TEXT)];
    // Polled in this order, so sent in this order, before the first answer is waited for. After an
    // error the server refuses what follows up to the commit, and rolls back there.
    let ((), _, _, retired, _, added, refreshed, generation, (), ask_again) = try_join!(
        client.batch_execute("BEGIN"),
        client.query_typed(LOCK_FORMATS, formats),
        client.execute_typed(RECORD, &table),
        client.query_typed(RETIRE, &table),
        client.query_typed(ENSURE_REGISTRIES, &registries),
        client.query_typed(ADD, &charts),
        client.query_typed(REFRESH, refreshed),
        client.query_typed(RAISE_GENERATION, instance),
        client.batch_execute("COMMIT"),
        client.query_typed(ASK_AGAIN, &table),
    )?;
    Ok(Written { retired, added, refreshed, generation, ask_again })
}

impl Applied {
    fn add(&mut self, seen: &Observations<'_>, written: &Written) {
        let subjects = |rows: &[Row]| -> Vec<Subject> {
            rows.iter().filter_map(|row| seen.subjects.of_row(row)).cloned().collect()
        };
        self.available.extend(subjects(&written.added));
        let broken = |rows: &[Row], column| {
            rows.iter()
                .filter(|row| row.try_get::<_, bool>(column).is_ok_and(|is_broken| is_broken))
                .count() as u64
        };
        self.broken += broken(&written.added, 3) + broken(&written.refreshed, 0);
        self.unavailable.extend(subjects(&written.retired));
        self.ask_again.extend(subjects(&written.ask_again));
        self.generation =
            written.generation.first().and_then(|row| row.try_get(0).ok()).or(self.generation);
    }
}
