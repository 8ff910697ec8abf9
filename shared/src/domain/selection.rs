//! Selects the repositories that an instance follows.

use std::collections::HashSet;

use anyhow::{Context as _, bail};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::Repository;

/// The repositories to follow: some by name, others because the catalog lists them.
#[derive(Debug, Clone)]
pub struct Selection {
    named: Vec<Repository>,
    /// The globs for the catalog. `None` if the catalog is not needed.
    listed: Option<GlobSet>,
    exclude: GlobSet,
    /// Repositories that [`Selection::has`] leaves out.
    left_out: HashSet<Repository>,
}

/// Says whether a repository is followed, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// Followed by name.
    Named,
    /// Followed if the catalog lists it.
    IfListed,
    /// Not followed, because it is excluded.
    Excluded,
    /// Not followed, because neither a name nor a glob matches it.
    Unmentioned,
}

impl Selection {
    /// Reads the lists `repositories` and `exclude`, which have names and globs. Without
    /// `repositories`, it selects the whole catalog. Messages use `field` as the name of the object
    /// that has the lists.
    ///
    /// # Errors
    ///
    /// Names the entry that is neither a repository's name nor a glob.
    pub fn read(
        field: &str,
        repositories: Option<&[String]>,
        exclude: &[String],
    ) -> anyhow::Result<Self> {
        let unusable = |list: &str| format!("{field}.{list} cannot be used");
        let exclude = globs(exclude.iter()).with_context(|| unusable("exclude"))?;
        let everything = [String::from("**")];
        let entries = repositories.unwrap_or(&everything);
        if entries.is_empty() {
            bail!("{field}.repositories is empty: leave it out to follow the whole catalog");
        }
        let (patterns, names): (Vec<&String>, Vec<&String>) =
            entries.iter().partition(|entry| is_glob(entry));
        let named = names.into_iter().map(|name| name.parse::<Repository>());
        let mut named =
            named.collect::<Result<Vec<_>, _>>().with_context(|| unusable("repositories"))?;
        named.retain(|repository| !exclude.is_match(repository.as_str()));
        named.sort();
        named.dedup();
        let listed = match patterns.as_slice() {
            [] => None,
            _ => Some(globs(patterns.into_iter()).with_context(|| unusable("repositories"))?),
        };
        Ok(Self { named, listed, exclude, left_out: HashSet::new() })
    }

    /// Returns the selection without some repositories: [`Selection::has`] is false for them. They
    /// are polled all the same if the registry lists them.
    #[must_use]
    pub fn leaving_out(self, left_out: HashSet<Repository>) -> Self {
        Self { left_out, ..self }
    }

    /// Lists the repositories that are polled even if the catalog does not list them.
    #[must_use]
    pub fn named(&self) -> &[Repository] {
        &self.named
    }

    /// Returns whether the catalog must be read.
    #[must_use]
    pub fn needs_catalog(&self) -> bool {
        self.listed.is_some()
    }

    /// Returns whether to poll a repository because the catalog lists it. False for a repository
    /// that is followed by name, so that it is not polled twice.
    #[must_use]
    pub fn takes(&self, repository: &Repository) -> bool {
        let name = repository.as_str();
        self.listed.as_ref().is_some_and(|listed| listed.is_match(name))
            && !self.exclude.is_match(name)
            && self.named.binary_search(repository).is_err()
    }

    /// Returns whether a repository is followed, by name or as the catalog lists it.
    #[must_use]
    pub fn has(&self, repository: &Repository) -> bool {
        matches!(self.follows(repository), Follows::Named | Follows::IfListed)
            && !self.left_out.contains(repository)
    }

    /// Returns whether a repository is followed, and why.
    #[must_use]
    pub fn follows(&self, repository: &Repository) -> Follows {
        match () {
            () if self.exclude.is_match(repository.as_str()) => Follows::Excluded,
            () if self.named.binary_search(repository).is_ok() => Follows::Named,
            () if self.takes(repository) => Follows::IfListed,
            () => Follows::Unmentioned,
        }
    }
}

fn is_glob(entry: &str) -> bool {
    entry.contains(['*', '?', '[', '{'])
}

/// Compiles globs. As in a shell, `*` matches within one path segment, and `**` across segments.
fn globs<'a>(patterns: impl Iterator<Item = &'a String>) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    set.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(repositories: Option<&[&str]>, exclude: &[&str]) -> anyhow::Result<Selection> {
        let owned =
            |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<String>>();
        Selection::read("oci", repositories.map(owned).as_deref(), &owned(exclude))
    }

    fn takes(selection: &Selection, name: &str) -> bool {
        selection.takes(&name.parse().unwrap())
    }

    #[test]
    fn without_a_list_the_catalog_is_selected_except_excluded_names() {
        let selection = selection(None, &["team-b/**", "tmp"]).unwrap();
        assert!(selection.needs_catalog() && selection.named().is_empty());
        for (name, taken) in
            [("api", true), ("team-a/x/api", true), ("tmp", false), ("team-b/x/api", false)]
        {
            assert_eq!(takes(&selection, name), taken, "{name}");
        }
    }

    #[test]
    fn names_need_no_catalog_and_globs_do() {
        let names =
            selection(Some(&["team-b/api", "team-a/api", "team-b/api", "team-a/old"]), &["*/old"])
                .unwrap();
        let named: Vec<&str> = names.named().iter().map(Repository::as_str).collect();
        assert_eq!(named, ["team-a/api", "team-b/api"]);
        assert!(!names.needs_catalog() && !takes(&names, "team-a/api"));

        let both = selection(Some(&["team-a/api", "team-a/*"]), &[]).unwrap();
        assert!(both.needs_catalog());
        for (name, taken) in [
            ("team-a/web", true),
            ("team-a/api", false),
            ("team-a/x/y", false),
            ("team-b/api", false),
        ] {
            assert_eq!(takes(&both, name), taken, "{name}");
        }
    }

    #[test]
    fn unusable_entry_is_named_in_the_error() {
        for (repositories, exclude, named) in [
            (Some(&[][..]), &[][..], "oci.repositories is empty"),
            (Some(&["Team/api"]), &[], "oci.repositories"),
            (Some(&["team/[a"]), &[], "oci.repositories"),
            (None, &["{a"], "oci.exclude"),
        ] {
            let message = selection(repositories, exclude)
                .map_or_else(|error| format!("{error:#}"), |_| String::new());
            assert!(message.starts_with(named), "{message:?} does not name {named}");
        }
    }
}
