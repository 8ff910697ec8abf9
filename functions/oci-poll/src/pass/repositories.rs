//! Visits some repositories: lists their tags, and compares a list with the rows if it has changed.
//! A repository whose list is the same costs one request.

use shared::domain::{Repository, Tag};
use shared::oci::NamePage;
use shared::reconcile::Listing;

use super::context::{Halt, How, Pass};
use super::differences::{Doubtful, settle};
use super::tag_lists::{ListError, TagListing, TagLists};
use super::verify::verify;
use crate::cursor::hash_of_tags;

/// The answer to the request for a list of tags.
enum ListAnswer {
    Tags(NamePage<Tag>),
    /// The registry sent a `Retry-After`. The next invocation asks again.
    AskedToWait,
    /// The registry refuses the credentials. The error is in the summary, once.
    CredentialsRefused,
    /// The error is in the summary. The next pass asks again.
    Failed,
}

/// Visits repositories, and settles the cursor's entries of those that are done. If the time for
/// work on tags is over, it only compares the lists.
///
/// # Errors
/// Fails if there is no time, if the registry sends a `Retry-After` or refuses the credentials, or
/// if the database fails.
pub(super) async fn visit(
    pass: &mut Pass<'_>,
    repositories: &[Repository],
    how: How,
) -> Result<(), Halt> {
    let poll = pass.poll;
    pass.begin_batch();
    let mut due = Vec::new();
    let mut lists = if how == How::WithoutCatalog {
        TagLists::empty(repositories)
    } else {
        TagLists::ask(&poll.client, repositories, poll.instance.concurrency)
    };
    while !lists.are_all_taken() {
        let arrived = lists.gather(poll.look_until()).await?;
        if arrived.is_empty() {
            return Err(Halt::OutOfTime);
        }
        let followed = follow(pass, arrived, how, &mut due).await;
        pass.leave(followed)?;
    }
    let verified = verify(pass, due).await;
    let is_unverified = matches!(verified, Err(Halt::OutOfTime));
    pass.leave(verified)?;
    pass.scan.has_unverified |= is_unverified;
    for repository in repositories {
        pass.finish(repository);
    }
    Ok(())
}

/// Compares the lists that have changed with the rows. Adds the tags to verify to `due`.
pub(super) async fn follow(
    pass: &mut Pass<'_>,
    lists: Vec<TagListing>,
    how: How,
    due: &mut Vec<(Repository, Tag)>,
) -> Result<(), Halt> {
    let set_aside = pass.set_aside(&lists, how).await?;
    let (mut doubtful, mut seen) = (Vec::new(), Vec::new());
    let notes_all = pass.notes_all();
    let mut asked_to_wait = false;
    for (repository, list) in lists {
        let unlisted = unlisted(&list, how);
        if let Some(aside) = set_aside.get(&repository) {
            pass.put_aside(&repository, how, list, *aside);
            continue;
        }
        let page = match answer(pass, &repository, list, how) {
            ListAnswer::Tags(page) => page,
            ListAnswer::AskedToWait => {
                asked_to_wait = true;
                continue;
            }
            ListAnswer::CredentialsRefused => return Err(Halt::Unreadable),
            ListAnswer::Failed => continue,
        };
        pass.summary.count_list(&page);
        let hash = hash_of_tags(&page.names);
        pass.note_same_mark(&repository, how);
        let entry = pass.cursor.entries.get(&repository);
        if matches!(how, How::Named | How::Listed) {
            pass.cursor.entries.mark_listed(&repository);
        }
        let is_same = entry.is_some_and(|entry| entry.tags == hash);
        let is_settled = is_same && entry.is_some_and(|entry| !entry.is_unsettled());
        if !page.names.is_empty() && (notes_all || !is_settled) {
            seen.push(repository.clone());
        }
        if is_settled {
            pass.set_mark(&repository);
            let (before, share) = (due.len(), pass.share_of(&repository));
            let tags = page.names.into_iter().filter(|tag| share.has(&repository, tag));
            due.extend(tags.map(|tag| (repository.clone(), tag)));
            if due.len() == before {
                pass.finish(&repository);
            }
        } else {
            if !is_same {
                pass.doubt_mark(&repository);
            }
            let new = Doubtful::new(repository, page.names, hash, is_same);
            let is_noted = entry.is_some_and(|entry| entry.is_noted());
            doubtful.push(new.unlisted(unlisted).noted(is_noted));
        }
    }
    pass.note_seen(&seen).await?;
    match settle(pass, &mut doubtful, how, due).await {
        Ok(()) | Err(Halt::OutOfTime) if asked_to_wait => Err(Halt::AskedToWait),
        settled => settled,
    }
}

/// Returns what the list says about the tags that it does not have.
fn unlisted(list: &Result<NamePage<Tag>, ListError>, how: How) -> Listing {
    match how {
        _ if list.as_ref().is_err_and(ListError::is_repository_unknown) => Listing::Denied,
        // A catalog that lists nothing denies every repository.
        How::WithoutCatalog => Listing::Denied,
        How::Named | How::Listed | How::Vanished | How::Known => Listing::Unlisted,
    }
}

/// Decides what an answer means, and notes an error.
fn answer(
    pass: &mut Pass<'_>,
    repository: &Repository,
    list: Result<NamePage<Tag>, ListError>,
    how: How,
) -> ListAnswer {
    let error = match list {
        Ok(page) => return ListAnswer::Tags(page),
        Err(error) => error,
    };
    if error.is_asked_to_wait() {
        return ListAnswer::AskedToWait;
    }
    if error.is_credentials_refused() {
        pass.summary.add_error(format!("{:#}", anyhow::Error::new(error)));
        return ListAnswer::CredentialsRefused;
    }
    // The catalog may list a repository without tags: during its first push, or after all its
    // manifests were deleted. Only for a repository that the instance names is this an error.
    if error.is_repository_unknown() {
        if how == How::Named {
            pass.summary.add_repository_error(repository, &error.into());
        }
        return ListAnswer::Tags(NamePage { names: Vec::new(), skipped: 0 });
    }
    pass.fail(repository, how, &error.into());
    ListAnswer::Failed
}
