//! Some repositories: their tags are listed, compared with what is known, and where that differs
//! looked at. The others cost the one request for the list.

use std::ops::ControlFlow::{self, Break};

use shared::domain::{Repository, Tag};
use shared::oci::NamePage;

use super::compare::Comparison;
use super::context::{How, Poll, Stopped};
use super::differences::{Doubtful, settle};
use super::tag_lists::{Listing, Listings};
use super::verify::verify;
use super::verify_share::Share;
use crate::cursor::{Cursor, Scan, hash_of_tags};
use crate::summary::{Summary, note};

/// Follows some repositories and settles the cursor's entries of those that are done.
///
/// # Errors
/// When the database cannot be used.
pub(crate) async fn visit(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    scan: &Scan,
    repositories: &[Repository],
    how: How,
    summary: &mut Summary,
) -> anyhow::Result<ControlFlow<Stopped>> {
    let mut due = Vec::new();
    let mut listings = if how == How::WithoutCatalog {
        Listings::empty(repositories)
    } else {
        Listings::ask(&poll.client, repositories, poll.instance.concurrency, poll.look_until())
    };
    while !listings.are_all_taken() {
        let come = listings.gather(poll.look_until()).await?;
        if come.is_empty() {
            return Ok(Break(Stopped::OutOfTime));
        }
        if let Break(stopped) = follow(poll, cursor, scan, (come, how), &mut due, summary).await? {
            return Ok(Break(stopped));
        }
    }
    verify(poll, cursor, scan, &due, summary).await
}

async fn follow(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    scan: &Scan,
    (listings, how): (Vec<Listing>, How),
    due: &mut Vec<(Repository, Tag)>,
    summary: &mut Summary,
) -> anyhow::Result<ControlFlow<Stopped>> {
    let share = Share::of(scan, poll.instance.poll_interval, poll.instance.verify_interval);
    let mut doubtful = Vec::new();
    let mut asked_to_wait = false;
    for (repository, listing) in listings {
        let page = match listing {
            Ok(page) => page,
            // In the catalog and without tags: a first push under way, manifests that have none, or
            // all deleted. Of a repository named in the instance it is news.
            Err(error) if error.is_name_unknown() => {
                if how == How::Named {
                    note(summary, &repository, &error.into());
                }
                NamePage { names: Vec::new(), skipped: 0 }
            }
            // The next invocation asks.
            Err(error) if error.is_asked_to_wait() => {
                asked_to_wait = true;
                continue;
            }
            Err(error) => {
                match how {
                    How::Named | How::Listed => cursor.entries.mark_listed(&repository),
                    How::Vanished | How::WithoutCatalog => cursor.entries.unsettle(&repository),
                }
                note(summary, &repository, &error.into());
                continue;
            }
        };
        summary.repositories += 1;
        summary.tags += page.names.len() as u64;
        summary.skip_names(page.skipped);
        let hash = hash_of_tags(&page.names);
        let entry = cursor.entries.get(&repository);
        if matches!(how, How::Named | How::Listed) {
            cursor.entries.mark_listed(&repository);
        }
        let is_same = entry.is_some_and(|entry| entry.tags == hash);
        if is_same && entry.is_some_and(|entry| !entry.is_unsettled) {
            let tags = page.names.into_iter().filter(|tag| share.has(&repository, tag));
            due.extend(tags.map(|tag| (repository.clone(), tag)));
        } else {
            let comparison = Comparison::default();
            doubtful.push(Doubtful {
                repository,
                tags: page.names,
                hash,
                is_same,
                comparison,
                open: 0,
            });
        }
    }
    let settled = settle(poll, cursor, scan, &mut doubtful, (how, share), due, summary).await?;
    Ok(if asked_to_wait { Break(Stopped::AskedToWait) } else { settled })
}
