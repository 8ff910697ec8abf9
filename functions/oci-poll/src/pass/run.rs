//! Runs one pass over a registry. A pass that was interrupted is resumed where it stopped.

use std::collections::{HashMap, HashSet};

use super::context::{Halt, Pass, Poll};
use super::repositories::visit;
use super::stages::Stages;
use super::verify_share::renewals;
use crate::cursor::{Cursor, milliseconds};
use crate::instance::Instance;
use crate::summary::PollSummary;
use crate::viewers::Viewers;

/// Runs a pass from the position in the cursor, and counts in `summary` what it does.
///
/// # Errors
/// Returns the reason if the pass ends early. An error in one repository is noted in the summary,
/// and the pass continues with the others.
pub(crate) async fn run(
    poll: &Poll<'_>,
    cursor: &mut Cursor,
    summary: &mut PollSummary,
) -> Result<(), Halt> {
    summary.begin_pass();
    let scan = cursor.scan(poll.now);
    cursor.state.last_pass_at = Some(milliseconds(poll.now));
    let (work_until, failed, recovered) = (poll.look_until(), Vec::new(), Vec::new());
    let faults = poll.database.repository_faults(&poll.instance.name, &poll.instance.registry);
    let faults = faults.await?;
    let viewers = Viewers::read(poll.database, poll.instance).await?;
    let (first_hidden, own_selection) = (None, None);
    let renewals_left = renewals(scan.verified_until, scan.began_at);
    let (marks, unchanged) = (HashMap::new(), HashSet::new());
    let mut pass = Pass {
        poll,
        cursor,
        scan,
        summary,
        work_until,
        renewals_left,
        faults,
        marks,
        unchanged,
        failed,
        first_hidden,
        recovered,
        viewers,
        own_selection,
    };
    pass.show_wrong_marks();
    pass.begin_notes();
    let end = visit_all(&mut pass).await;
    if end.is_ok() {
        pass.check_hidden();
        pass.end_notes().await?;
    }
    let Pass { cursor, mut scan, summary, .. } = pass;
    scan.has_failed |= summary.pass_has_failed();
    match end {
        Ok(()) => {
            // A pass in which the registry refused every list brought nothing new.
            if !scan.has_failed || summary.has_lists() {
                cursor.state.last_whole_pass_at = Some(scan.began_at);
            }
            cursor.finish(&scan);
            summary.complete = !scan.has_failed;
        }
        Err(Halt::Unreadable) => cursor.give_up(&scan),
        Err(Halt::OutOfTime | Halt::AskedToWait) => cursor.state.scan = Some(scan),
        Err(Halt::Failed(_)) => {}
    }
    end
}

/// Has the pass compare the repositories with rows that discovery did not write, because an
/// import, a backup or a person made them. Their lists may be those that the cursor knows. Does so
/// once per `verifyInterval`, because it reads every row.
async fn note_unknown_rows(pass: &mut Pass<'_>) -> Result<(), Halt> {
    if !pass.share().has_first() {
        return Ok(());
    }
    let Instance { registry, selection, .. } = pass.poll.instance;
    for repository in pass.poll.database.repositories_with_unknown_rows(registry).await? {
        if selection.has(&repository) {
            pass.cursor.entries.note(&repository);
        }
    }
    Ok(())
}

/// Visits batch after batch. Moves the position after each one.
async fn visit_all(pass: &mut Pass<'_>) -> Result<(), Halt> {
    note_unknown_rows(pass).await?;
    let mut stages = Stages::starting_at(pass.scan.stage.clone());
    while let Some(batch) = stages.next_batch(pass).await? {
        let left = pass.left_of(&batch.repositories, batch.how);
        if left.is_empty() {
            // The batch that was interrupted may be a later one, because some registries refuse a
            // saved position.
            pass.scan.stage = batch.end;
            continue;
        }
        let visited = visit(pass, &left, batch.how).await;
        pass.store_faults().await?;
        match visited {
            Ok(()) => pass.scan.move_to(batch.end),
            Err(halt) => {
                pass.scan.interruptions += 1;
                return Err(halt);
            }
        }
    }
    Ok(())
}
