//! Visits one repository beside the passes, because a webhook named it. The visit lists the tags,
//! compares the list with the rows and looks at the differences, as a pass does. It verifies known
//! tags too, because a list does not show a moved tag.

use std::collections::{BTreeSet, HashMap, HashSet};

use shared::domain::{Repository, Subject, Tag, newest_first};
use tracing::{info, warn};

use super::context::{Halt, How, Pass, Poll};
use super::repositories::follow;
use super::tag_lists::{TagListing, TagLists};
use super::verify::{verify, verify_now};
use crate::cursor::{Cursor, Scan, milliseconds};
use crate::summary::PollSummary;
use crate::viewers::Viewers;

/// The most known tags that a visit verifies. The passes verify the others in their turn.
const VERIFIED_MAX: usize = 1000;

/// The tags of a repository that may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HintedTags {
    /// These tags.
    pub(crate) named: BTreeSet<Tag>,
    /// Whether any other tag may have changed too.
    pub(crate) any: bool,
}

/// Visits a repository, and counts in `summary` what it does. An error of one tag is noted in the
/// summary. A repository whose list the registry does not show is dropped, because another try
/// would change nothing. Safe to repeat.
///
/// # Errors
/// Fails if there is no time, if the registry sends a `Retry-After` or refuses the credentials, or
/// if the database fails. What was seen until then is written.
pub(crate) async fn visit_hinted(
    poll: &Poll<'_>,
    repository: &Repository,
    tags: &HintedTags,
    summary: &mut PollSummary,
) -> Result<(), Halt> {
    let began_at = milliseconds(poll.now);
    let mut pass = Pass {
        poll,
        // The whole list is compared, because an empty cursor knows no list.
        cursor: &mut Cursor::new(""),
        // Every tag without a look since now is due.
        scan: Scan { verify_before: Some(began_at), ..Scan::new(began_at) },
        summary,
        work_until: poll.look_until(),
        faults: HashMap::new(),
        marks: HashMap::new(),
        unchanged: HashSet::new(),
        failed: Vec::new(),
        first_hidden: None,
        recovered: Vec::new(),
        viewers: Viewers::read(poll.database, poll.instance).await?,
        own_selection: None,
        renewals_left: 0,
    };
    let list = ask_list(&pass, repository).await?;
    if let Err(error) = &list.1
        && (error.is_denied() || error.is_not_found())
    {
        let error = shared::telemetry::Causes(error);
        warn!(%repository, "hint dropped, because the registry shows no list: {error}");
        return Ok(());
    }
    let exists = list.1.is_ok();
    let lists = vec![list];
    if pass.set_aside(&lists, How::Listed).await?.contains_key(repository) {
        info!(%repository, "hint dropped, because another instance sees the repository");
        return Ok(());
    }
    let mut due = Vec::new();
    follow(&mut pass, lists, How::Listed, &mut due).await?;
    // The registry would deny each tag of a repository that it does not know.
    if exists {
        let named: Vec<Subject> =
            tags.named.iter().map(|tag| poll.subject(repository, tag)).collect();
        verify_now(&mut pass, &named).await?;
    }
    if !tags.any {
        return Ok(());
    }
    let mut left: Vec<Tag> = due.into_iter().map(|(_, tag)| tag).collect();
    left.retain(|tag| !tags.named.contains(tag));
    newest_first(&mut left);
    left.truncate(VERIFIED_MAX);
    verify(&mut pass, left.into_iter().map(|tag| (repository.clone(), tag)).collect()).await
}

async fn ask_list(pass: &Pass<'_>, repository: &Repository) -> Result<TagListing, Halt> {
    let mut lists = TagLists::ask(&pass.poll.client, std::slice::from_ref(repository), 1);
    let arrived = lists.gather(pass.poll.look_until()).await?;
    arrived.into_iter().next().ok_or(Halt::OutOfTime)
}
