//! One pass over a registry: the repositories that the instance names, those that the catalog
//! lists, and those that are known and were not listed. A pass that is interrupted is gone on with
//! where it stopped.

use std::ops::ControlFlow::{self, Break, Continue};

use super::context::{Poll, Stopped};
use super::stages::{visit_catalog, visit_named, visit_vanished};
use crate::cursor::{Cursor, Scan, Stage, milliseconds};
use crate::summary::Summary;

/// Goes over the registry, from where the cursor stands, and counts in `summary` what it does.
///
/// # Errors
/// When the database cannot be used. What goes wrong in one repository is noted in the summary, and
/// the others go on.
pub(crate) async fn run(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    summary: &mut Summary,
) -> anyhow::Result<ControlFlow<Stopped>> {
    summary.begin_pass();
    let mut scan = cursor.scan(poll.now);
    cursor.state.last_pass_at = Some(milliseconds(poll.now));
    let end = go_on(poll, cursor, &mut scan, summary).await?;
    let has_failed = scan.has_failed || summary.pass_has_failed();
    match end {
        Continue(()) => {
            // A registry that refuses every list has told nothing new.
            if !has_failed || summary.repositories > 0 {
                cursor.state.last_whole_pass_at = Some(scan.began_at);
            }
            cursor.finish(&scan);
            summary.complete = !has_failed;
        }
        Break(Stopped::Unreadable) => cursor.give_up(&scan),
        Break(Stopped::OutOfTime | Stopped::AskedToWait) => {
            cursor.state.scan = Some(Scan { has_failed, ..scan });
        }
    }
    Ok(end)
}

async fn go_on(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    scan: &mut Scan,
    summary: &mut Summary,
) -> anyhow::Result<ControlFlow<Stopped>> {
    if let Stage::Named { behind } = &scan.stage {
        let behind = behind.clone();
        if let Break(stopped) = visit_named(poll, cursor, scan, behind.as_deref(), summary).await? {
            return Ok(Break(stopped));
        }
        scan.stage = Stage::Catalog { query: None, behind: None };
    }
    if let Stage::Catalog { query, behind } = &scan.stage {
        let (query, behind) = (query.clone(), behind.clone());
        if poll.instance.selection.needs_catalog()
            && let Break(stopped) =
                visit_catalog(poll, cursor, scan, (query, behind), summary).await?
        {
            return Ok(Break(stopped));
        }
        scan.stage = Stage::Vanished { behind: None };
    }
    let Stage::Vanished { behind } = &scan.stage else { return Ok(Continue(())) };
    let behind = behind.clone();
    visit_vanished(poll, cursor, scan, behind.as_deref(), summary).await
}
