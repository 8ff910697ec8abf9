//! Repositories that the credentials could read before, and may not read now. Their rows stay. The
//! pass counts as complete for the others, because a person must decide what the refusal means.

use std::collections::HashSet;

use shared::db::FaultKind;
use shared::domain::Repository;
use shared::telemetry::Causes;
use tracing::warn;

use super::context::{Halt, How, Pass};
use super::tag_lists::{ListError, TagListing};

/// The error about a registry that shows no repository at all.
const ALL_HIDDEN: &str = "every repository is hidden from these credentials";

impl Pass<'_> {
    /// Returns those of the refused repositories that have charts.
    pub(super) async fn hidden_in(
        &self,
        lists: &[TagListing],
    ) -> Result<HashSet<Repository>, Halt> {
        let refused =
            lists.iter().filter(|(_, list)| list.as_ref().is_err_and(ListError::is_denied));
        let refused: Vec<&Repository> = refused.map(|(repository, _)| repository).collect();
        let poll = self.poll;
        Ok(poll.database.with_charts(&poll.instance.registry, &refused).await?)
    }

    /// Notes that the credentials may not read a repository with charts. It is compared again when
    /// they may.
    pub(super) fn hide(&mut self, repository: &Repository, how: How, error: &ListError) {
        let error = Causes(error).to_string();
        warn!(%repository, "hidden: {error}");
        self.pass_over(repository, how);
        self.cursor.entries.unsettle(repository);
        self.first_hidden.get_or_insert_with(|| format!("{repository}: {error}"));
        self.note_fault(repository, FaultKind::Hidden, error);
    }

    /// Notes an error if a pass without interruptions found only hidden repositories. The
    /// credentials themselves are probably wrong then.
    pub(super) fn check_hidden(&mut self) {
        let is_whole = self.scan.began_at == crate::cursor::milliseconds(self.poll.now);
        let is_waiting = self.faults.values().any(|fault| fault.is_hidden);
        if !is_whole || self.summary.repositories > 0 {
            return;
        }
        match &self.first_hidden {
            Some(error) => self.summary.add_error(format!("{ALL_HIDDEN}: {error}")),
            None if is_waiting => self.summary.add_error(ALL_HIDDEN.to_owned()),
            None => {}
        }
    }
}
