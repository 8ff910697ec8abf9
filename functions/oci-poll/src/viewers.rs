//! The other live instances that watch the same registry. A registry may show other repositories to
//! other credentials, and answers 404 for those that it hides. So only an instance that has seen a
//! repository may conclude that it is gone, and none does while another one still sees it.

use std::collections::{HashMap, HashSet};

use shared::db::{self, Database, KnownInstance, RepositoryViewers};
use shared::domain::{Repository, Selection};

use crate::instance::Instance;

/// The live instances that watch the registry of an instance.
#[derive(Debug)]
pub(crate) struct Viewers {
    /// The name of the instance itself.
    own: String,
    /// Whether every repository that the registry shows to the instance is noted.
    has_seen_all: bool,
    others: Vec<KnownInstance>,
}

/// What the instances have seen of a repository that the registry does not show to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// What this instance has seen of it.
    pub(crate) own: OwnSight,
    /// Whether the registry shows it to another instance.
    pub(crate) is_shown_to_others: bool,
    /// Whether another instance concludes what became of it.
    pub(crate) is_left_to_others: bool,
}

/// What an instance has seen of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnSight {
    /// The registry showed it at the last list.
    Shown,
    /// The registry showed it before.
    ShownBefore,
    /// The registry never showed it.
    Never,
}

impl Viewers {
    /// Reads which other instances watch the registry now.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(crate) async fn read(database: &Database, instance: &Instance) -> Result<Self, db::Error> {
        let known = database.known_instances().await?;
        let own = instance.name.clone();
        let others = known.others_at(&instance.registry, &own).cloned().collect();
        let has_seen_all = known.all.iter().any(|known| known.name == own && known.has_seen_all);
        Ok(Self { own, has_seen_all, others })
    }

    /// Returns whether no other instance watches the registry.
    pub(crate) fn are_none(&self) -> bool {
        self.others.is_empty()
    }

    /// Returns whether every repository that the registry shows to the instance is noted.
    pub(crate) fn has_seen_all(&self) -> bool {
        self.has_seen_all
    }

    /// Returns what the instances have seen of repositories that the registry does not show to
    /// this one.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(crate) async fn sights(
        &self,
        database: &Database,
        instance: &Instance,
        repositories: &[&Repository],
    ) -> Result<HashMap<Repository, Sight>, db::Error> {
        if self.are_none() || repositories.is_empty() {
            return Ok(HashMap::new());
        }
        let mut seen = database.viewers(&instance.registry, repositories).await?;
        let sight = |repository: &&Repository| {
            let viewers = seen.remove(*repository).unwrap_or_default();
            ((*repository).clone(), self.sight(repository, &viewers))
        };
        Ok(repositories.iter().map(sight).collect())
    }

    fn sight(&self, repository: &Repository, seen: &RepositoryViewers) -> Sight {
        let mut others = self.others.iter().filter(|other| other.selects(repository)).peekable();
        let own = match &self.own {
            own if seen.now.contains(own) => OwnSight::Shown,
            own if seen.before.contains(own) => OwnSight::ShownBefore,
            _ => OwnSight::Never,
        };
        let (mut is_shown_to_others, mut were_others_shown) = (false, false);
        let (is_alone, mut have_seen_all) = (others.peek().is_none(), self.has_seen_all);
        for other in others {
            is_shown_to_others |= seen.now.contains(&other.name);
            were_others_shown |= seen.before.contains(&other.name);
            have_seen_all &= other.has_seen_all;
        }
        let is_left_to_others = match () {
            () if is_alone => false,
            () if is_shown_to_others => true,
            () if own != OwnSight::Never => false,
            // If no instance has ever seen it, each one that has listed everything may conclude.
            () => were_others_shown || !have_seen_all,
        };
        Sight { own, is_shown_to_others, is_left_to_others }
    }

    /// Returns the instance's selection without the repositories that the registry shows only to
    /// others.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(crate) async fn own_selection(
        &self,
        database: &Database,
        instance: &Instance,
    ) -> Result<Selection, db::Error> {
        let theirs = self.seen_by_others(database, instance).await?;
        Ok(instance.selection.clone().leaving_out(theirs))
    }

    /// Returns the instance that sees a repository, if the registry does not show it to this one.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(crate) async fn only_viewer(
        &self,
        database: &Database,
        instance: &Instance,
        repository: &Repository,
    ) -> Result<Option<&str>, db::Error> {
        if !self.seen_by_others(database, instance).await?.contains(repository) {
            return Ok(None);
        }
        let mut seen = database.viewers(&instance.registry, &[repository]).await?;
        let seen = seen.remove(repository).unwrap_or_default().now;
        let sees = |other: &&KnownInstance| other.selects(repository) && seen.contains(&other.name);
        Ok(self.others.iter().find(sees).map(|other| other.name.as_str()))
    }

    async fn seen_by_others(
        &self,
        database: &Database,
        instance: &Instance,
    ) -> Result<HashSet<Repository>, db::Error> {
        if self.are_none() {
            return Ok(HashSet::new());
        }
        let others: Vec<&str> = self.others.iter().map(|other| other.name.as_str()).collect();
        database.seen_by_others(&self.own, &instance.registry, &others).await
    }
}

#[cfg(test)]
mod tests {
    use shared::db::KnownInstance;

    use super::*;

    /// Fault 43.
    #[test]
    fn only_an_instance_that_has_seen_a_repository_concludes_and_only_if_no_other_sees_it() {
        let (excluding, all) = (r#"{"oci": {"exclude": ["r"]}}"#, "{}");
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        for (name, now, before, other, have_seen_all, expected) in [
            ("both see it", &["own", "other"][..], &[][..], all, true, true),
            ("the other sees it", &["other"], &[], all, true, true),
            ("the other sees it, and this one did", &["other"], &["own"], all, true, true),
            ("only this one saw it", &[], &["own"], all, true, false),
            ("only this one saw it", &["own"], &[], all, false, false),
            ("both saw it", &[], &["own", "other"], all, false, false),
            ("only the other saw it", &[], &["other"], all, true, true),
            ("no instance has seen it yet", &[], &[], all, false, true),
            ("no instance has ever seen it", &[], &[], all, true, false),
            ("the other excludes it", &["other"], &[], excluding, true, false),
            ("a removed instance saw it", &["removed"], &[], all, true, false),
        ] {
            let mut other = known("other", other);
            other.has_seen_all = have_seen_all;
            let viewers =
                Viewers { own: "own".to_owned(), has_seen_all: have_seen_all, others: vec![other] };
            let seen = RepositoryViewers { now: names(now), before: names(before) };
            let sight = viewers.sight(&"r".parse().unwrap(), &seen);
            assert_eq!(sight.is_left_to_others, expected, "{name}");
        }
    }

    fn known(name: &str, configuration: &str) -> KnownInstance {
        KnownInstance::polling(name, serde_json::from_str(configuration).unwrap())
    }
}
