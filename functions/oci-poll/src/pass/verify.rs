//! Verifies tags that look as before in every list: a HEAD request tells whether a tag still
//! resolves to the same digest.

use std::ops::ControlFlow::{self, Break, Continue};
use std::pin::pin;

use futures_util::stream::{self, StreamExt as _};
use shared::db::StoredObservation;
use shared::domain::{Digest, Repository, Subject, Tag};
use shared::oci::{self, Client};
use shared::reconcile::Hint;
use tokio::time::timeout_at;
use tracing::instrument;

use super::context::{Poll, Stopped};
use super::look_up::{BATCH, look_up};
use super::verify_share::{Share, seen_since};
use crate::cursor::{Cursor, Entry, Scan, milliseconds};
use crate::instance::Instance;
use crate::summary::{Summary, note};

/// Tags verified together.
const TAGS: usize = 512;

/// Asks for the digests of tags that are due, and looks at those that have changed, or that are not
/// known to be there.
///
/// What is as it was is not written, with two exceptions. A tag that was held back as missing is
/// there. And when every tag is due, which may take more than one invocation, those that are done
/// are not asked for again.
///
/// # Errors
/// When the database cannot be used.
pub(crate) async fn verify(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    scan: &Scan,
    due: &[(Repository, Tag)],
    summary: &mut Summary,
) -> anyhow::Result<ControlFlow<Stopped>> {
    let Instance { name, concurrency, poll_interval, verify_interval, .. } = poll.instance;
    let seen_since = seen_since(scan, *verify_interval);
    let is_everything = Share::of(scan, *poll_interval, *verify_interval) == Share::All;
    for batch in due.chunks(TAGS) {
        let subjects: Vec<Subject> =
            batch.iter().map(|(repository, tag)| poll.subject(repository, tag)).collect();
        let stored = poll.database.load(&subjects).await?;
        let (mut hints, mut expected) = (Vec::new(), Vec::new());
        for subject in &subjects {
            match stored.observations.get(subject) {
                // An older version wrote its row.
                Some(known) if known.is_unopened => hints.push(Hint::at(subject.clone())),
                Some(StoredObservation {
                    digest: Some(digest),
                    observed_at,
                    missing_since,
                    ..
                }) => {
                    let is_missing = missing_since.is_some();
                    if is_missing || milliseconds(*observed_at) < seen_since {
                        expected.push((subject, is_missing, digest.as_str()));
                    }
                }
                // Listed, and unknown or absent when it was looked at last.
                Some(known) if milliseconds(known.observed_at) >= seen_since => {}
                _ => hints.push(Hint::at(subject.clone())),
            }
        }
        let asked = expected.into_iter().map(async |(subject, is_missing, digest)| {
            let found = head(&poll.client, subject).await;
            (
                subject,
                is_missing,
                found.map(|found| found.is_some_and(|found| found.as_str() == digest)),
            )
        });
        let mut answers = pin!(stream::iter(asked).buffer_unordered(*concurrency));
        let (mut confirmed, mut stopped) = (Vec::new(), Continue(()));
        loop {
            match timeout_at(poll.look_until(), answers.next()).await {
                Ok(Some((subject, is_missing, Ok(true)))) if is_missing || is_everything => {
                    confirmed.push(subject);
                }
                Ok(Some((_, _, Ok(true)))) => {}
                Ok(Some((subject, _, Ok(false)))) => hints.push(Hint::at(subject.clone())),
                Ok(Some((_, _, Err(error)))) if error.is_asked_to_wait() => {
                    stopped = Break(Stopped::AskedToWait);
                }
                Ok(Some((subject, _, Err(error)))) => {
                    cursor.entries.unsettle(&subject.repository);
                    note(summary, &subject.repository, &error.into());
                }
                Ok(None) => break,
                Err(_) => {
                    stopped = Break(Stopped::OutOfTime);
                    break;
                }
            }
        }
        let generation = poll.database.confirm(confirmed, stored.now, name).await?;
        cursor.follow_generation(generation)?;
        for hints in hints.chunks(BATCH) {
            let (report, done) = look_up(poll, cursor, hints.to_vec(), summary).await?;
            for hint in report.absent.iter().filter_map(|index| hints.get(*index)) {
                let repository = &hint.subject.repository;
                if let Some(Entry { tags, .. }) = cursor.entries.get(repository) {
                    cursor.entries.settle(repository, tags, true);
                }
            }
            if done.is_break() {
                return Ok(done);
            }
        }
        if stopped.is_break() {
            return Ok(stopped);
        }
    }
    Ok(Continue(()))
}

/// The digest that a tag is said to resolve to. `None` where a HEAD request cannot tell: a GET
/// will.
#[instrument(skip_all, fields(repository = %subject.repository, tag = %subject.reference))]
async fn head(client: &Client, subject: &Subject) -> Result<Option<Digest>, oci::Error> {
    match client.head_manifest(&subject.repository, &subject.reference).await {
        Err(error) if error.is_of_head_only() => Ok(None),
        other => other,
    }
}
