//! Spares the requests for repositories whose change mark is the same: the time of the last change
//! in the vendor's list.
//!
//! A mark is trusted within limits. Each repository has its turn once per `verifyInterval`, with
//! its list and all its tags, because a mark may be wrong and a HEAD request shows no new tag. If
//! that finds a change, the mark is doubted until the next list. If it is still the same then, no
//! marks are used for a day.

use shared::domain::Repository;
use shared::oci::ListedRepository;
use shared::telemetry::Utc;

use super::context::{How, Pass};
use super::verify_share::VerifyShare;
use crate::cursor::{CursorEntry, DAY, DoubtedMark, hash, milliseconds, time_of};

impl Pass<'_> {
    /// Takes the marks of a page of the list.
    pub(super) fn take_marks(&mut self, page: &[ListedRepository]) {
        self.marks.clear();
        for listed in page {
            let mark = listed.changed_at.map(|at| {
                let text = at.unix_timestamp_nanos().to_string();
                // 0 is no mark.
                u32::try_from(hash(std::iter::once(text.as_str())) >> 32).unwrap_or_default().max(1)
            });
            self.cursor.state.list.take_mark(listed.name.as_str(), mark);
            if let Some(mark) = mark {
                self.marks.insert(listed.name.clone(), mark);
            }
        }
        self.show_wrong_marks();
    }

    /// Has the health say that marks are not used, and why.
    pub(super) fn show_wrong_marks(&mut self) {
        let list = &self.cursor.state.list;
        self.summary.marks_off = list.wrong.as_ref().filter(|_| !self.uses_marks()).map(|wrong| {
            let until = time_of(wrong.at + DAY).map(|until| Utc(until).to_string());
            format!(
                "the times of a change in the list of repositories are not used until {}, because \
                 {} changed without one; each repository costs a request per pass",
                until.unwrap_or_default(),
                wrong.repository
            )
        });
    }

    /// Returns whether a repository needs no request: the rows agree with its tags as they were
    /// when its mark was last read, and it is not its turn to be verified. While other instances
    /// watch the registry, the first pass visits every repository, because it notes those it sees.
    pub(super) fn is_spared(&self, repository: &Repository, how: How) -> bool {
        self.has_same_mark(repository, how)
            && !self.notes_all()
            && !self.share().has_repository(repository)
            && !self.faults.contains_key(repository)
    }

    /// Remembers that a repository is visited although its mark is the same.
    pub(super) fn note_same_mark(&mut self, repository: &Repository, how: How) {
        if self.has_same_mark(repository, how) {
            self.unchanged.insert(repository.clone());
        }
    }

    /// Returns whether nothing says that a repository has changed: its mark is the same, or the
    /// next list is not due.
    fn has_same_mark(&self, repository: &Repository, how: How) -> bool {
        let Some(entry) = self.marked_entry(repository).filter(|entry| !entry.is_unsettled())
        else {
            return false;
        };
        match how {
            How::Listed => self.marks.get(repository) == Some(&entry.mark),
            How::Known => self.scan.is_unlisted() && self.is_list_recent(),
            How::Named | How::Vanished | How::WithoutCatalog => false,
        }
    }

    /// Returns the share of the tags of a repository that this pass verifies. With a mark, all its
    /// tags have their turn together, because its list is not requested in every pass.
    pub(super) fn share_of(&self, repository: &Repository) -> VerifyShare {
        match self.marked_entry(repository) {
            Some(_) if self.share().has_repository(repository) => VerifyShare::All,
            Some(_) => VerifyShare::NONE,
            None => self.share(),
        }
    }

    /// Remembers the mark of a repository whose rows agree with its list.
    pub(super) fn set_mark(&mut self, repository: &Repository) {
        if let Some(mark) = self.marks.get(repository) {
            self.cursor.entries.set_mark(repository, *mark);
        }
    }

    /// Doubts the mark of a repository that has changed, if it was visited under an unchanged mark.
    pub(super) fn doubt_mark(&mut self, repository: &Repository) {
        if self.unchanged.contains(repository)
            && let Some(entry) = self.cursor.entries.get(repository)
        {
            let (repository, mark) = (repository.to_string(), entry.mark);
            let at = milliseconds(self.poll.now);
            self.cursor.state.list.doubt(DoubtedMark { repository, mark, at });
        }
    }

    fn uses_marks(&self) -> bool {
        self.cursor.state.list.uses_marks(milliseconds(self.poll.now))
    }

    fn marked_entry(&self, repository: &Repository) -> Option<CursorEntry> {
        let entry = self.cursor.entries.get(repository);
        entry.filter(|entry| entry.mark != 0 && self.uses_marks())
    }

    /// Returns whether the last list was read to its end, and the next one is not due.
    fn is_list_recent(&self) -> bool {
        let list = &self.cursor.state.list;
        list.is_whole && !list.is_due(milliseconds(self.poll.now), self.poll.list_interval())
    }
}
