//! Verifies tags whose lists are unchanged: a HEAD request says whether a tag still resolves to the
//! same digest.

use std::collections::HashMap;
use std::pin::pin;

use futures_util::stream::{self, StreamExt as _};
use shared::db::{FaultKind, NewFault};
use shared::domain::{Repository, Subject, Tag};
use shared::oci::{self, Client, ManifestHead};
use shared::reconcile::Hint;
use time::OffsetDateTime;
use tokio::time::timeout_at;
use tracing::instrument;

use super::context::{Halt, Pass, Trigger};
use super::faults::{Answered, record_faults};
use super::look_up::{BATCH, look_up};
use super::verify_plan::{ExpectedDigest, VerifyPlan, plan};
use super::verify_share::VerifyShare;
use crate::cursor::CursorEntry;

/// The most tags verified together.
const TAGS: usize = 512;

/// The answer to a HEAD request for a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HeadAnswer {
    /// The tag resolves to the expected digest.
    Same,
    /// The tag resolves to another digest.
    Changed,
    /// A HEAD request cannot tell. A GET request can.
    Unknown,
}

/// The result of the HEAD requests for a batch of tags.
#[derive(Debug)]
struct Verified<'a> {
    /// Tags to write as seen, because they resolve to the expected digest, which stands beside.
    confirmed: Vec<(&'a Subject, &'a str)>,
    /// Tags that resolve to the expected digest, which stands beside.
    good: Vec<(&'a Subject, &'a str)>,
    /// Tags whose request failed.
    failed: Vec<NewFault<'a>>,
    /// Tags to look at.
    look: Vec<Hint>,
    /// Whether the pass may continue once the rest of this value is written.
    end: Result<(), Halt>,
}

/// Verifies tags. Looks at those that have changed, and at those that are not known to be present.
///
/// # Errors
/// Fails if there is no time, if the registry sends a `Retry-After`, or if the database fails.
pub(super) async fn verify(
    pass: &mut Pass<'_>,
    mut due: Vec<(Repository, Tag)>,
) -> Result<(), Halt> {
    let poll = pass.poll;
    due.retain(|(repository, _)| !pass.cursor.entries.is_visited(repository));
    let mut left = due.as_slice();
    while !left.is_empty() {
        if pass.is_work_over() {
            return Err(Halt::OutOfTime);
        }
        let (batch, behind) = left.split_at(left.len().min(TAGS));
        let mut subjects: Vec<Subject> =
            batch.iter().map(|(repository, tag)| poll.subject(repository, tag)).collect();
        let faults = poll.database.faults_of(&poll.instance.name, &subjects).await?;
        subjects.retain(|subject| faults.get(subject) != Some(&true));
        verify_together(pass, &subjects, &faults).await?;
        // The tags of a repository stand together.
        let next = behind.first().map(|(repository, _)| repository);
        for (repository, _) in batch.iter().filter(|(repository, _)| Some(repository) != next) {
            pass.finish(repository);
        }
        left = behind;
    }
    Ok(())
}

/// Verifies tags at once, even if an earlier look failed and its next try is not due.
///
/// # Errors
/// Fails as [`verify`].
pub(super) async fn verify_now(pass: &mut Pass<'_>, subjects: &[Subject]) -> Result<(), Halt> {
    for batch in subjects.chunks(TAGS) {
        let faults = pass.poll.database.faults_of(&pass.poll.instance.name, batch).await?;
        verify_together(pass, batch, &faults).await?;
    }
    Ok(())
}

/// Verifies some tags. `faults` are those of earlier looks at them.
async fn verify_together(
    pass: &mut Pass<'_>,
    subjects: &[Subject],
    faults: &HashMap<Subject, bool>,
) -> Result<(), Halt> {
    let stored = pass.poll.database.load(subjects).await?;
    let plan = plan(subjects, &stored.observations, pass.seen_since(), pass.renewals_left);
    pass.renewals_left -= plan.renew.len();
    let mut verified = ask(pass, plan).await;
    if verified.end.is_err() {
        // The invocation that resumes the pass does not verify these again.
        verified.confirmed.clone_from(&verified.good);
    }
    verified.good.retain(|(subject, _)| faults.contains_key(*subject));
    apply(pass, verified, stored.now).await
}

/// Sends the HEAD requests of a plan. Notes an error and continues with the other tags.
async fn ask<'a>(pass: &mut Pass<'_>, plan: VerifyPlan<'a>) -> Verified<'a> {
    let poll = pass.poll;
    // If every tag is due, one invocation may not be enough. Each tag is then written as seen, so
    // that the next invocation does not verify it again.
    // A webhook's visit is never resumed, so that a tag which is the same needs no write.
    let confirms_all = pass.share() == VerifyShare::All && poll.trigger != Trigger::Webhook;
    let look = plan.look.into_iter().map(|subject| Hint::at(subject.clone()));
    let renew = plan
        .renew
        .into_iter()
        .map(|subject| Hint { renews_contents: true, ..Hint::at(subject.clone()) });
    let look = look.chain(renew).collect();
    let (confirmed, good, failed) = (Vec::new(), Vec::new(), Vec::new());
    let mut verified = Verified { confirmed, good, failed, look, end: Ok(()) };
    let requests = plan.ask.into_iter().map(async |expected| {
        let answer = head(&poll.client, expected).await;
        (expected, answer)
    });
    let mut answers = pin!(stream::iter(requests).buffer_unordered(poll.instance.concurrency));
    loop {
        match timeout_at(pass.work_until, answers.next()).await {
            Ok(Some((ExpectedDigest { subject, digest, is_missing, .. }, answer))) => {
                match answer {
                    // A tag that is held back as missing is present.
                    Ok(HeadAnswer::Same) => {
                        verified.good.push((subject, digest));
                        if is_missing || confirms_all {
                            verified.confirmed.push((subject, digest));
                        }
                    }
                    Ok(HeadAnswer::Changed) => {
                        pass.doubt_mark(&subject.repository);
                        verified.look.push(Hint::at(subject.clone()));
                    }
                    Ok(HeadAnswer::Unknown) => verified.look.push(Hint::at(subject.clone())),
                    Err(error) if error.is_asked_to_wait() => verified.end = Err(Halt::AskedToWait),
                    Err(error) if error.is_stalled() => {
                        pass.stall(&subject.repository, &error.into());
                    }
                    Err(error) => {
                        let error = error.into();
                        pass.summary.add_repository_error(&subject.repository, &error);
                        let (kind, error) = (FaultKind::Failed, format!("{error:#}"));
                        verified.failed.push(NewFault { subject, kind, error });
                    }
                }
            }
            Ok(None) => break,
            Err(_) => {
                verified.end = Err(Halt::OutOfTime);
                break;
            }
        }
    }
    verified
}

/// Writes the confirmed tags, and looks at the others.
async fn apply(
    pass: &mut Pass<'_>,
    verified: Verified<'_>,
    asked_at: OffsetDateTime,
) -> Result<(), Halt> {
    let poll = pass.poll;
    let generation = poll.database.confirm(verified.confirmed, asked_at, poll.writer()).await?;
    pass.cursor.follow_generation(generation)?;
    let good = verified.good.into_iter().map(|(subject, _)| subject);
    record_faults(pass, &verified.failed, good).await?;
    for NewFault { subject, .. } in &verified.failed {
        stay_unsettled(pass, &subject.repository);
    }
    for hints in verified.look.chunks(BATCH) {
        let looked_up = look_up(pass, hints.to_vec()).await?;
        let report = &looked_up.report;
        let is_unsettled = |index: usize| {
            let outcome = report.outcomes.get(index).map(Answered::of);
            report.absent.contains(&index) || outcome == Some(Answered::Failed)
        };
        for (_, hint) in hints.iter().enumerate().filter(|(index, _)| is_unsettled(*index)) {
            stay_unsettled(pass, &hint.subject.repository);
        }
        looked_up.end?;
    }
    verified.end
}

/// Has the next pass compare a repository again, although its list may be the same.
fn stay_unsettled(pass: &mut Pass<'_>, repository: &Repository) {
    if let Some(CursorEntry { tags, .. }) = pass.cursor.entries.get(repository) {
        pass.cursor.entries.settle(repository, tags, true);
    }
}

/// Compares the digest to which a tag resolves with the expected one.
#[instrument(
    skip_all,
    fields(repository = %expected.subject.repository, tag = %expected.subject.reference)
)]
async fn head(client: &Client, expected: ExpectedDigest<'_>) -> Result<HeadAnswer, oci::Error> {
    let ExpectedDigest { subject, digest: expected, has_chart, .. } = expected;
    match client.head_manifest(&subject.repository, &subject.reference).await {
        // The chart in an image index may be deleted, and the index keeps its digest.
        Ok(ManifestHead { is_index: true, .. }) if has_chart => Ok(HeadAnswer::Unknown),
        Ok(ManifestHead { digest: Some(digest), .. }) if digest.as_str() == expected => {
            Ok(HeadAnswer::Same)
        }
        Ok(ManifestHead { digest: Some(_), .. }) => Ok(HeadAnswer::Changed),
        Ok(ManifestHead { digest: None, .. }) => Ok(HeadAnswer::Unknown),
        Err(error) if error.is_of_head_only() => Ok(HeadAnswer::Unknown),
        Err(error) => Err(error),
    }
}
