//! The progress inside a batch: which repositories are left to visit, and how long work on their
//! tags may take. So no repository keeps the others waiting for more than two invocations, and a
//! pass of any size ends.

use shared::db::{FailedVisit, FaultKind};
use shared::domain::Repository;
use tokio::time::Instant;

use super::context::{Halt, How, Pass};

/// The error about work that is left to the next pass.
const LEFT: &str = "some repositories need more time for their tags than one pass gives them: the \
                    next pass continues with them";

impl Pass<'_> {
    /// Begins a batch. Decides how long looks and verification may take: all the time that is left
    /// in the first invocation, half of it in the second one, and none in a third one. The second
    /// one may spend all the requests that the registry accepts, so that its time is not over.
    pub(super) fn begin_batch(&mut self) {
        self.unchanged.clear();
        let (now, end) = (Instant::now(), self.poll.look_until());
        self.work_until = match self.scan.interruptions {
            0 => end,
            1 => now + end.saturating_duration_since(now) / 2,
            2.. => now,
        };
    }

    /// Returns the repositories of a batch that are left to visit. Leaves out those that wait,
    /// because they failed or hung before.
    pub(super) fn left_of(&mut self, repositories: &[Repository], how: How) -> Vec<Repository> {
        let mut left = Vec::new();
        for repository in repositories {
            let entry = self.cursor.entries.get(repository);
            let is_compared =
                entry.is_some_and(|entry| entry.is_listed) && self.scan.interruptions >= 2;
            let is_waiting = how != How::WithoutCatalog && self.is_waiting(repository);
            match () {
                () if entry.is_some_and(|entry| entry.is_visited) => {}
                // An earlier invocation has its list, and there is no time for its tags.
                () if is_compared => {
                    self.leave_work();
                    self.scan.has_unverified = true;
                    self.cursor.entries.mark_visited(repository);
                }
                () if is_waiting => self.pass_over(repository, how),
                () if self.is_spared(repository, how) => {
                    self.summary.spared += 1;
                    self.pass_over(repository, how);
                }
                () => left.push(repository.clone()),
            }
        }
        left
    }

    /// Returns whether the time for work on tags is over.
    pub(super) fn is_work_over(&self) -> bool {
        Instant::now() >= self.work_until
    }

    /// Ends the work on tags if its time is over, and lets the pass continue with the other
    /// repositories. Returns any other reason to end the pass.
    pub(super) fn leave(&mut self, worked: Result<(), Halt>) -> Result<(), Halt> {
        match worked {
            Err(Halt::OutOfTime) if Instant::now() < self.poll.look_until() => {
                self.leave_work();
                Ok(())
            }
            worked => worked,
        }
    }

    fn leave_work(&mut self) {
        self.scan.has_left = true;
        self.summary.add_error(LEFT.to_owned());
    }

    /// Notes that this pass needs no other visit of a repository.
    pub(super) fn finish(&mut self, repository: &Repository) {
        if self.cursor.entries.is_visited(repository) {
            return;
        }
        self.cursor.entries.mark_visited(repository);
        self.forget_fault(repository);
    }

    /// Notes that a repository gives no list. The next pass visits it when its wait is over.
    pub(super) fn fail(&mut self, repository: &Repository, how: How, error: &anyhow::Error) {
        self.summary.add_repository_error(repository, error);
        self.pass_over(repository, how);
        self.note_fault(repository, FaultKind::Failed, format!("{error:#}"));
    }

    /// Notes once that a repository gives no answer about its tags.
    pub(super) fn stall(&mut self, repository: &Repository, error: &anyhow::Error) {
        if self.cursor.entries.is_visited(repository) {
            return;
        }
        self.summary.add_repository_error(repository, error);
        self.cursor.entries.unsettle(repository);
        self.cursor.entries.mark_visited(repository);
        self.note_fault(repository, FaultKind::Failed, format!("{error:#}"));
    }

    /// Notes the fault of a repository, to be stored with the batch.
    pub(super) fn note_fault(&mut self, repository: &Repository, kind: FaultKind, error: String) {
        let repository = repository.clone();
        self.failed.push(FailedVisit { repository, kind, error });
    }

    fn is_waiting(&self, repository: &Repository) -> bool {
        self.faults.get(repository).is_some_and(|fault| fault.is_waiting)
    }

    /// Notes that this pass does not visit a repository.
    pub(super) fn pass_over(&mut self, repository: &Repository, how: How) {
        let entries = &mut self.cursor.entries;
        match how {
            How::Named | How::Listed => entries.mark_listed(repository),
            How::Vanished | How::WithoutCatalog => entries.unsettle(repository),
            // Nothing forgets its entry, so that the next pass comes back to it.
            How::Known => {}
        }
        entries.mark_visited(repository);
    }

    /// Writes which repositories failed and which were visited again.
    pub(super) async fn store_faults(&mut self) -> Result<(), Halt> {
        let (database, instance) = (self.poll.database, self.poll.instance);
        let (name, registry) = (&instance.name, &instance.registry);
        let failed = std::mem::take(&mut self.failed);
        let recovered = std::mem::take(&mut self.recovered);
        let longest = instance.verify_interval;
        database.record_repository_faults(name, registry, &failed, longest).await?;
        database.forget_repository_faults(name, registry, &recovered).await?;
        Ok(())
    }
}
