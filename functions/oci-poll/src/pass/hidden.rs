//! Repositories that the credentials could read before, and may not read now. Their rows stay. The
//! pass counts as complete for the others, because a person must decide what the refusal means.

use shared::db::FaultKind;
use shared::domain::{Repository, Tag};
use shared::oci::NamePage;
use shared::telemetry::Causes;
use tracing::{debug, warn};

use super::context::{How, Pass};
use super::sights::SetAside;
use super::tag_lists::ListError;

/// The error about a registry that shows no repository at all.
const ALL_HIDDEN: &str = "every repository is hidden from these credentials";

impl Pass<'_> {
    /// Notes that the credentials may not read a repository with charts. It is compared again when
    /// they may.
    fn hide(&mut self, repository: &Repository, how: How, error: &ListError) {
        let error = Causes(error).to_string();
        warn!(%repository, "hidden: {error}");
        self.pass_over(repository, how);
        self.cursor.entries.unsettle(repository);
        self.first_hidden.get_or_insert_with(|| format!("{repository}: {error}"));
        self.note_fault(repository, FaultKind::Hidden, error);
    }

    /// Sets a repository aside. It is compared when the registry shows it to this instance.
    pub(super) fn put_aside(
        &mut self,
        repository: &Repository,
        how: How,
        list: Result<NamePage<Tag>, ListError>,
        aside: SetAside,
    ) {
        if let (SetAside::Hidden, Err(error)) = (aside, &list) {
            self.hide(repository, how, error);
            return;
        }
        self.pass_over(repository, how);
        self.cursor.entries.unsettle(repository);
        self.forget_fault(repository);
        if let Err(error) = list {
            let error = Causes(&error).to_string();
            debug!(%repository, "left to another instance: {error}");
            self.first_hidden.get_or_insert_with(|| format!("{repository}: {error}"));
        }
    }

    /// Forgets the fault of a repository. The database forgets it with the batch.
    pub(super) fn forget_fault(&mut self, repository: &Repository) {
        if self.faults.remove(repository).is_some() {
            self.recovered.push(repository.clone());
        }
    }

    /// Notes an error if a pass without interruptions found only hidden repositories. The
    /// credentials themselves are probably wrong then.
    pub(super) fn check_hidden(&mut self) {
        let is_whole = self.scan.began_at == crate::cursor::milliseconds(self.poll.now);
        let is_waiting = self.faults.values().any(|fault| fault.is_hidden);
        if !is_whole || self.summary.has_lists() {
            return;
        }
        match &self.first_hidden {
            Some(error) => self.summary.add_error(format!("{ALL_HIDDEN}: {error}")),
            None if is_waiting => self.summary.add_error(ALL_HIDDEN.to_owned()),
            None => {}
        }
    }
}
