//! The repositories that the registry does not show to this instance, and that another live
//! instance watches too. The pass concludes nothing about those that are left to others.

use std::collections::HashMap;

use shared::domain::{Repository, Selection};

use super::context::{Halt, How, Pass, Trigger};
use super::tag_lists::{ListError, TagListing};
use crate::cursor::{SeenNotes, milliseconds};
use crate::viewers::{OwnSight, Sight, Viewers};

/// A repository that a pass concludes nothing about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetAside {
    /// The credentials may not read it, and the health says so.
    Hidden,
    /// It is a repository of another instance, so that there is nothing to say about it.
    OfOthers,
}

impl Pass<'_> {
    /// Returns whether the pass notes the repositories that it sees.
    fn notes_seen(&self) -> bool {
        !self.viewers.are_none()
    }

    /// Remembers whether the whole pass notes every repository that it sees, in each of its
    /// invocations.
    pub(super) fn begin_notes(&mut self) {
        let is_begun_here = self.scan.began_at == milliseconds(self.poll.now);
        let notes_all =
            self.notes_all() && (is_begun_here || self.scan.notes == SeenNotes::Everything);
        self.scan.notes = if notes_all { SeenNotes::Everything } else { SeenNotes::Changes };
    }

    /// Returns whether the pass notes every repository that it sees, and not only those whose
    /// lists have changed.
    pub(super) fn notes_all(&self) -> bool {
        self.notes_seen() && !self.viewers.has_seen_all()
    }

    /// Notes that the registry shows repositories to this instance, before their charts get rows.
    /// So another instance that finds the rows also finds the note.
    pub(super) async fn note_seen(&self, seen: &[Repository]) -> Result<(), Halt> {
        if !self.notes_seen() {
            return Ok(());
        }
        let seen: Vec<&Repository> = seen.iter().collect();
        let (database, instance) = (self.poll.database, self.poll.instance);
        Ok(database.note_seen(&instance.name, &instance.registry, &seen).await?)
    }

    /// Removes those of the repositories that others conclude about. `vanished` are those that the
    /// catalog no longer lists. In a pass without a list they are all known ones, so that what the
    /// registry shows to this instance stays, and nothing is noted as lost.
    pub(super) async fn leave_to_others(
        &mut self,
        vanished: &mut Vec<Repository>,
    ) -> Result<(), Halt> {
        if vanished.is_empty() {
            return Ok(());
        }
        let (database, instance) = (self.poll.database, self.poll.instance);
        // Another instance may have begun since the pass did.
        self.viewers = Viewers::read(database, instance).await?;
        let names: Vec<&Repository> = vanished.iter().collect();
        let sights = self.viewers.sights(database, instance, &names).await?;
        let is_unlisted = self.scan.is_unlisted();
        let is_left = |name: &Repository| {
            let sight = sights.get(name).filter(|sight| sight.is_left_to_others);
            sight.is_some_and(|sight| !is_unlisted || sight.own != OwnSight::Shown)
        };
        let left: Vec<&Repository> = vanished.iter().filter(|name| is_left(name)).collect();
        if !is_unlisted {
            database.note_lost(&instance.name, &instance.registry, &left).await?;
        }
        for name in left.into_iter().cloned().collect::<Vec<_>>() {
            self.forget_fault(&name);
        }
        vanished.retain(|name| !is_left(name));
        self.store_faults().await
    }

    /// Decides which of the repositories the pass concludes nothing about: those with charts that
    /// the registry refuses to these credentials, and those that are left to others.
    pub(super) async fn set_aside(
        &self,
        lists: &[TagListing],
        how: How,
    ) -> Result<HashMap<Repository, SetAside>, Halt> {
        let (database, instance) = (self.poll.database, self.poll.instance);
        let registry = &instance.registry;
        let sights = self.sights_of(lists).await?;
        let is_refused = |list: &TagListing| match &list.1 {
            Err(error) => {
                error.is_denied() || error.is_repository_unknown() && sights.contains_key(&list.0)
            }
            Ok(_) => false,
        };
        let refused: Vec<&Repository> =
            lists.iter().filter(|list| is_refused(list)).map(|(name, _)| name).collect();
        let with_charts = database.with_charts(registry, &refused).await?;
        let decide = |(name, list): &TagListing| {
            let sight = sights.get(name);
            let is_hidden = with_charts.contains(name);
            let aside = match list {
                Ok(_) => {
                    sight
                        .filter(|sight| sight.is_left_to_others && sight.own == OwnSight::Never)?;
                    SetAside::OfOthers
                }
                Err(error) if error.is_denied() => match sight {
                    Some(sight) if sight.is_shown_to_others && sight.is_strange(how) => {
                        SetAside::OfOthers
                    }
                    _ if is_hidden => SetAside::Hidden,
                    _ => return None,
                },
                Err(_) => match sight.filter(|sight| sight.is_left_to_others)? {
                    sight if sight.is_strange(how) => SetAside::OfOthers,
                    _ if is_hidden => SetAside::Hidden,
                    _ => return None,
                },
            };
            Some((name.clone(), aside))
        };
        Ok(lists.iter().filter_map(decide).collect())
    }

    /// Returns what the instances have seen of repositories whose lists are refused or empty. Notes
    /// that the registry does not show the refused ones.
    async fn sights_of(&self, lists: &[TagListing]) -> Result<HashMap<Repository, Sight>, Halt> {
        if !self.notes_seen() {
            return Ok(HashMap::new());
        }
        let (database, instance) = (self.poll.database, self.poll.instance);
        let is_refused = |error: &ListError| error.is_denied() || error.is_repository_unknown();
        let refused = lists.iter().filter(|(_, list)| list.as_ref().is_err_and(is_refused));
        let refused: Vec<&Repository> = refused.map(|(name, _)| name).collect();
        // A hint has no cursor, so that the next pass would not note the repository as seen again.
        if self.poll.trigger != Trigger::Webhook {
            database.note_lost(&instance.name, &instance.registry, &refused).await?;
        }
        let empty =
            lists.iter().filter(|(_, list)| list.as_ref().is_ok_and(|page| page.names.is_empty()));
        let names: Vec<&Repository> =
            refused.into_iter().chain(empty.map(|(name, _)| name)).collect();
        Ok(self.viewers.sights(database, instance, &names).await?)
    }

    /// Returns the repositories whose charts a mass disappearance is compared with.
    pub(super) async fn own_selection(&mut self) -> Result<&Selection, Halt> {
        let poll = self.poll;
        if self.viewers.are_none() {
            return Ok(&poll.instance.selection);
        }
        let own = match self.own_selection.take() {
            Some(own) => own,
            None => self.viewers.own_selection(poll.database, poll.instance).await?,
        };
        Ok(self.own_selection.insert(own))
    }

    /// Notes at the end of a pass that every repository is noted, if that is so. Without other
    /// instances nothing is noted.
    pub(super) async fn end_notes(&self) -> Result<(), Halt> {
        let (database, instance) = (self.poll.database, self.poll.instance);
        if self.viewers.are_none() {
            if self.viewers.has_seen_all() {
                database.set_seen_all(&instance.name, false).await?;
            }
            return Ok(());
        }
        let has_failed = self.scan.has_failed || self.summary.pass_has_failed();
        let is_waiting = self.faults.values().any(|fault| fault.is_waiting && !fault.is_hidden);
        let is_listed = !self.scan.is_unlisted();
        if self.scan.notes == SeenNotes::Everything && is_listed && !has_failed && !is_waiting {
            database.set_seen_all(&instance.name, true).await?;
        }
        Ok(())
    }
}

impl Sight {
    /// Returns whether the repository never was one of this instance, which only the catalog lists.
    fn is_strange(self, how: How) -> bool {
        self.own == OwnSight::Never && how != How::Named
    }
}
