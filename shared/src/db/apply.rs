//! Writes a batch of observations in one short transaction: the guard first, then what follows from the winners.
//!
//! The statements are pipelined, so a batch of any size costs one round trip. They stay separate statements because
//! each must see what the one before it wrote, and what other writers committed while it waited for a lock.

use std::time::Duration;

use futures_util::try_join;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use tracing::warn;

use super::batch::Observations;
use super::connection::Parameters;
use super::{Database, Error};
use crate::domain::{KindNaming, Observation, Subject};

/// Observations written in one transaction: enough that round trips do not count, few enough that it stays short.
const BATCH: usize = 1000;

/// Attempts at a transaction that met a deadlock, a serialization failure or a dead connection.
const ATTEMPTS: u32 = 4;

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Applied {
    /// Tags with a chart row that was not there or not available before.
    pub available: Vec<Subject>,
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

/// The batch as a table, the same in every statement. Each statement gets all parameters and uses what it needs.
macro_rules! seen {
    () => {
        "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[], $7::timestamptz[], \
         $8::text[], $9::text[]) AS seen (registry_host, repo_name, reference, digest, observed_at, is_chart, \
         created_at, domain_name, provider)"
    };
}

/// The guard. An observation loses against a newer one of the same reference. It is not taken, and made again, when
/// the digest that the tag resolved to was said to be deleted and looked at later; or when it is older than a quarter
/// of an hour: a sandbox may have been frozen with it. Locks rows in key order, so that two batches never wait for each
/// other in a circle.
const RECORD: &str = concat!(
    "\
INSERT INTO observations AS stored (registry_host, repo_name, reference, digest, observed_at, changed_at)
SELECT seen.registry_host, seen.repo_name, seen.reference, seen.digest, seen.observed_at, seen.observed_at
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

/// Rows of a winner's tag with another digest, or any when the tag holds no chart any more. A winner is an observation
/// that the table now holds.
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
    SELECT DISTINCT ON (seen.registry_host, seen.repo_name) seen.domain_name, seen.repo_name, seen.provider
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

/// Chart rows of winners whose digest is new to the tag; a row that was there before comes back. A winner that only
/// confirms what was known adds nothing, so a row that an admin deleted stays deleted.
const ADD: &str = concat!(
    "\
INSERT INTO helm_charts AS chart (created_at, helm_registry_id, image_digest, image_tag)
SELECT least(coalesce(seen.created_at, now()), now()), registry.id, seen.digest, seen.reference
FROM ",
    seen!(),
    "
JOIN observations AS stored USING (registry_host, repo_name, reference)
JOIN helm_registries AS registry USING (registry_host, repo_name)
WHERE seen.is_chart
    AND stored.observed_at = seen.observed_at
    AND stored.changed_at = seen.observed_at
    AND stored.digest = seen.digest
ORDER BY registry.id, seen.reference
ON CONFLICT ON CONSTRAINT helm_charts_registry_tag_digest_key DO UPDATE
SET available = true
WHERE NOT chart.available
RETURNING
    (SELECT registry.registry_host FROM helm_registries AS registry WHERE registry.id = chart.helm_registry_id),
    (SELECT registry.repo_name FROM helm_registries AS registry WHERE registry.id = chart.helm_registry_id),
    chart.image_tag"
);

/// The instance's number of transactions. Written last, because its row is the one that batches share.
const RAISE_GENERATION: &str = "\
INSERT INTO discovery_instances AS instance (name, generation)
SELECT $1, 1
WHERE $1 IS NOT NULL
ON CONFLICT (name) DO UPDATE
SET generation = instance.generation + 1
RETURNING instance.generation";

/// After the commit: observations that must be made again, for the reasons of the guard. Asked only now, because
/// somebody may have looked at the digest while we wrote: he did not see our row, and we did not see his.
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
    /// Writes what follows from some observations, at most one per subject. Safe to repeat, and safe beside any other
    /// writer: the newest observation of a subject wins, in whatever order they arrive.
    ///
    /// # Errors
    /// When the database cannot be written. Observations that it refuses for what they hold are in
    /// [`Applied::rejected`], and do not keep the others from being written.
    pub async fn apply(&self, observations: &[Observation], writer: Writer<'_>) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        let mut batches: Vec<&[Observation]> = observations.chunks(BATCH).rev().collect();
        while let Some(batch) = batches.pop() {
            match self.apply_batch(batch, writer, &mut applied).await {
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

    async fn apply_batch(&self, batch: &[Observation], writer: Writer<'_>, applied: &mut Applied) -> Result<(), Error> {
        let seen: Observations<'_> = batch.iter().collect();
        let mut attempt = 1;
        let written = loop {
            let what = "write the observations";
            let written = self.run(what, async |client| write(client, &seen, writer).await).await;
            match written {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                    warn!(error = &error as &dyn std::error::Error, attempt, "writing the observations again");
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
    generation: Vec<Row>,
    ask_again: Vec<Row>,
}

async fn write(client: &Client, seen: &Observations<'_>, writer: Writer<'_>) -> Result<Written, tokio_postgres::Error> {
    let full_kind_name = writer.kind_naming == KindNaming::Path;
    let parameters: Parameters<'_> = &[
        (&seen.subjects.registry_hosts, Type::TEXT_ARRAY),
        (&seen.subjects.repo_names, Type::TEXT_ARRAY),
        (&seen.subjects.references, Type::TEXT_ARRAY),
        (&seen.digests, Type::TEXT_ARRAY),
        (&seen.observed_at, Type::TIMESTAMPTZ_ARRAY),
        (&seen.are_charts, Type::BOOL_ARRAY),
        (&seen.created_at, Type::TIMESTAMPTZ_ARRAY),
        (&seen.domain_names, Type::TEXT_ARRAY),
        (&seen.providers, Type::TEXT_ARRAY),
        (&full_kind_name, Type::BOOL),
    ];
    let instance: Parameters<'_> = &[(&writer.instance, Type::TEXT)];
    // Polled in this order, so sent in this order, before the first answer is waited for. After an error the server
    // refuses what follows up to the commit, and rolls back there.
    let ((), _, retired, _, added, generation, (), ask_again) = try_join!(
        client.batch_execute("BEGIN"),
        client.execute_typed(RECORD, parameters),
        client.query_typed(RETIRE, parameters),
        client.query_typed(ENSURE_REGISTRIES, parameters),
        client.query_typed(ADD, parameters),
        client.query_typed(RAISE_GENERATION, instance),
        client.batch_execute("COMMIT"),
        client.query_typed(ASK_AGAIN, parameters),
    )?;
    Ok(Written { retired, added, generation, ask_again })
}

impl Applied {
    fn add(&mut self, seen: &Observations<'_>, written: &Written) {
        let subjects = |rows: &[Row]| -> Vec<Subject> {
            rows.iter().filter_map(|row| seen.subjects.of_row(row)).cloned().collect()
        };
        self.available.extend(subjects(&written.added));
        self.unavailable.extend(subjects(&written.retired));
        self.ask_again.extend(subjects(&written.ask_again));
        self.generation = written.generation.first().and_then(|row| row.try_get(0).ok()).or(self.generation);
    }
}
