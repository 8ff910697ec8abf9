//! Decides where a backfill may add new charts. In a database of Platz's it adds them only to
//! repositories that a person asked to import, because Platz's pickers would fill with old
//! versions.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use shared::aws::ListedTag;
use shared::db::StoredState;
use shared::domain::{Account, Region, Registry, Repository, Selection, Subject};
use shared::reconcile::{Hint, Push};
use tokio::time::Instant;

use crate::context::Context;
use crate::payload::{BackfillRequest, SelectionLists};
use crate::retry::retry;

/// The repositories to which a backfill may add new charts.
pub(super) enum Additions {
    /// All: the database is our own.
    Everywhere,
    /// Those of the imports that were asked for.
    Imported(Vec<Import>),
}

/// An import that was asked for.
pub(super) struct Import {
    account: Account,
    region: Region,
    selection: Selection,
}

/// An import as the database remembers it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RememberedImport {
    region: String,
    registry_id: String,
    #[serde(flatten)]
    lists: SelectionLists,
}

/// A listed tag that is worth a look.
pub(super) struct Candidate<'a> {
    pub(super) listed: &'a ListedTag,
    pub(super) subject: Subject,
    /// Whether outdated contents are read again.
    pub(super) renews_contents: bool,
}

impl Candidate<'_> {
    /// Returns the hint, with the push that ECR lists.
    pub(super) fn hint(self) -> Hint {
        let push = self.listed.digest.clone().zip(self.listed.pushed_at);
        let push = push.map(|(digest, pushed_at)| Push { digest, pushed_at });
        Hint { push, renews_contents: self.renews_contents, ..Hint::at(self.subject) }
    }
}

impl Additions {
    /// Returns whether a new chart may have to wait for an import.
    pub(super) fn are_limited(&self) -> bool {
        matches!(self, Self::Imported(_))
    }

    /// Loads the imports that were asked for.
    ///
    /// # Errors
    /// Fails if the database cannot be used, or an import cannot be read.
    pub(super) async fn load(context: &Context, deadline: Instant) -> anyhow::Result<Self> {
        let imports = retry(deadline, || context.database.ecr_imports()).await?;
        let Some(imports) = imports else { return Ok(Self::Everywhere) };
        let imports = imports.iter().map(|import| {
            let import: RememberedImport = serde_json::from_str(import)?;
            import.read()
        });
        let imports: anyhow::Result<Vec<Import>> = imports.collect();
        Ok(Self::Imported(imports.context("cannot use discovery_layout.ecr_imports")?))
    }

    /// Remembers an import that a request asks for, and loads the imports again.
    ///
    /// # Errors
    /// As [`Additions::load`].
    pub(super) async fn import(
        &mut self,
        context: &Context,
        request: &BackfillRequest,
        accounts: impl Iterator<Item = &Account>,
        deadline: Instant,
    ) -> anyhow::Result<()> {
        for account in accounts {
            let import = RememberedImport {
                region: request.region.to_string(),
                registry_id: account.to_string(),
                lists: request.lists.clone(),
            };
            let import = serde_json::to_string(&import)?;
            retry(deadline, || context.database.remember_ecr_import(&import)).await?;
        }
        *self = Self::load(context, deadline).await?;
        Ok(())
    }

    /// Removes the tags of a repository that may not be added: those without a row and without an
    /// observation. Returns how many of them may be charts.
    ///
    /// # Errors
    /// Fails if the database cannot be used.
    pub(super) async fn withhold(
        &self,
        context: &Context,
        candidates: &mut Vec<Candidate<'_>>,
        stored: &StoredState,
        deadline: Instant,
    ) -> anyhow::Result<u64> {
        let Some(Candidate { subject, .. }) = candidates.first() else { return Ok(0) };
        if self.allow(&subject.registry, &subject.repository) {
            return Ok(0);
        }
        let unobserved = |subject: &Subject| !stored.observations.contains_key(subject);
        let subjects = candidates.iter().map(|candidate| &candidate.subject);
        let unobserved_tags: Vec<Subject> =
            subjects.filter(|subject| unobserved(subject)).cloned().collect();
        let database = &context.database;
        let with_rows = retry(deadline, || database.tags_with_rows(&unobserved_tags)).await?;
        let mut withheld = 0;
        candidates.retain(|Candidate { listed, subject, .. }| {
            let is_new = unobserved(subject) && !with_rows.contains(subject);
            // An index of which ECR tells no more is nearly always a container image.
            withheld += u64::from(is_new && !listed.is_untyped_index());
            !is_new
        });
        Ok(withheld)
    }

    /// Returns whether a backfill may add new charts to a repository.
    fn allow(&self, registry: &Registry, repository: &Repository) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Imported(imports) => {
                let Some(place) = registry.domain_name().address().ecr() else { return false };
                imports.iter().any(|import| {
                    (&import.account, &import.region) == (&place.0, &place.1)
                        && import.selection.has(repository)
                })
            }
        }
    }
}

/// Removes the tags that have no row, because nothing is added to a repository that is not
/// selected.
///
/// # Errors
/// Fails if the database cannot be used.
pub(super) async fn keep_tags_with_rows(
    context: &Context,
    candidates: &mut Vec<Candidate<'_>>,
    deadline: Instant,
) -> anyhow::Result<()> {
    let tags: Vec<Subject> = candidates.iter().map(|candidate| candidate.subject.clone()).collect();
    let with_rows = retry(deadline, || context.database.tags_with_rows(&tags)).await?;
    candidates.retain(|candidate| with_rows.contains(&candidate.subject));
    Ok(())
}

impl RememberedImport {
    fn read(self) -> anyhow::Result<Import> {
        Ok(Import {
            account: self.registry_id.parse().context("registryId cannot be used")?,
            region: self.region.parse().context("region cannot be used")?,
            selection: self.lists.selection("import")?,
        })
    }
}
