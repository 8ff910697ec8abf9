//! The steps about the repository: whether the registry shows it, and whether the instance follows
//! it.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::diagnosis::Diagnosis;
use super::faults::{said, step_of};
use super::step::{Step, StepId};
use crate::domain::{Follows, Selection, Tag};
use crate::oci::{CatalogError, Error, RepositoryCatalog};
use crate::telemetry::Causes;

/// The time limit for the catalog, which may be long.
const CATALOG_TIME: Duration = Duration::from_secs(6);

/// How an instance learns of a repository.
#[derive(Debug, Clone, Copy)]
pub enum Followed<'a> {
    /// It polls the repositories that it names, or that a list has.
    Polled {
        /// The repositories.
        selection: &'a Selection,
        /// What lists them.
        catalog: &'a RepositoryCatalog,
    },
    /// It receives the events of the accounts that it accepts, for the repositories that it
    /// selects.
    ByEvents {
        /// Whether the instance accepts the registry's account.
        is_accepted: bool,
        /// The repositories.
        selection: &'a Selection,
    },
}

/// The answer to a listing of the repository's tags.
pub(super) enum RepositoryTags {
    Listed(Vec<Tag>),
    /// The tags cannot be listed now. The manifest decides instead.
    Unavailable,
    /// The registry answered with an error about the repository.
    Refused(Error),
}

/// Whether the catalog decides if the instance follows a repository.
enum CatalogPart<'a> {
    Decides(&'a RepositoryCatalog),
    IsNotAsked,
}

/// Checks that the instance accepts the events of the registry's account.
pub(super) fn check_account(followed: Followed<'_>) -> Result<(), Step> {
    if let Followed::ByEvents { is_accepted: false, .. } = followed {
        return Err(Step::failed(
            StepId::Listed,
            "The registry's account is not in ECR_ACCOUNTS, so the function ignores its events.",
            "Add the account to the function's setting ECR_ACCOUNTS.",
        ));
    }
    Ok(())
}

/// Lists the tags, which shows whether the function reaches the registry.
///
/// A diagnosis of one reference can do without the list: a very long list takes too long, and
/// ECR's events need no right to list.
pub(super) async fn list_tags(
    diagnosis: &mut Diagnosis<'_>,
    followed: Followed<'_>,
) -> Result<RepositoryTags, Step> {
    let may_do_without = diagnosis.target.reference.is_some();
    let needs_no_list = may_do_without && matches!(followed, Followed::ByEvents { .. });
    match diagnosis.in_time(diagnosis.client.list_tags(&diagnosis.target.repository)).await {
        Ok(Ok(page)) => {
            diagnosis.pass_connection();
            Ok(RepositoryTags::Listed(page.names))
        }
        Err(_) | Ok(Err(Error::TooManyNames { .. })) if may_do_without => {
            Ok(RepositoryTags::Unavailable)
        }
        Ok(Err(error)) if step_of(&error).is_some() && needs_no_list => {
            Ok(RepositoryTags::Unavailable)
        }
        Ok(Err(error)) if step_of(&error).is_some() => {
            Err(diagnosis.fault(StepId::Reachable, &error))
        }
        Ok(Err(error)) => {
            diagnosis.pass_connection();
            Ok(RepositoryTags::Refused(error))
        }
        Err(late) => Err(late),
    }
}

/// Checks that the instance follows the repository and that the registry shows it. Returns the
/// tags, unless they cannot be listed now.
pub(super) async fn check_followed(
    diagnosis: &mut Diagnosis<'_>,
    followed: Followed<'_>,
    tags: RepositoryTags,
) -> Result<Option<Vec<Tag>>, Step> {
    let catalog = check_selection(diagnosis, followed)?;
    let tags = match tags {
        RepositoryTags::Listed(tags) => Some(tags),
        RepositoryTags::Unavailable => None,
        RepositoryTags::Refused(error) => return Err(not_shown(diagnosis, &error)),
    };
    match catalog {
        CatalogPart::IsNotAsked => {}
        CatalogPart::Decides(catalog) if tags.is_some() => {
            find_in_catalog(diagnosis, catalog).await?;
        }
        CatalogPart::Decides(_) => diagnosis.skip(
            StepId::Listed,
            "The registry takes too long to list the tags, so its catalog was not read.",
        ),
    }
    Ok(tags)
}

fn check_selection<'a>(
    diagnosis: &mut Diagnosis<'_>,
    followed: Followed<'a>,
) -> Result<CatalogPart<'a>, Step> {
    let repository = &diagnosis.target.repository;
    let (selection, fields) = match followed {
        Followed::Polled { selection, .. } => (selection, "oci"),
        Followed::ByEvents { selection, .. } => (selection, "ecrEvents"),
    };
    match selection.follows(repository) {
        Follows::Named | Follows::IfListed if matches!(followed, Followed::ByEvents { .. }) => {
            let detail = "The function accepts the events of this account that the EventBridge \
                          rule forwards.";
            diagnosis.pass(StepId::Listed, detail);
            Ok(CatalogPart::IsNotAsked)
        }
        Follows::Named => {
            diagnosis.pass(StepId::Listed, "oci.repositories names the repository.");
            Ok(CatalogPart::IsNotAsked)
        }
        Follows::IfListed => match followed {
            Followed::Polled { catalog, .. } => Ok(CatalogPart::Decides(catalog)),
            Followed::ByEvents { .. } => Ok(CatalogPart::IsNotAsked),
        },
        Follows::Excluded => Err(Step::failed(
            StepId::Listed,
            format!("{fields}.exclude leaves {repository} out."),
            format!(
                "Remove the pattern that matches the repository from the instance's \
                 {fields}.exclude."
            ),
        )),
        Follows::Unmentioned => Err(Step::failed(
            StepId::Listed,
            format!("{fields}.repositories has neither {repository} nor a glob that matches it."),
            format!("Add \"{repository}\" to the instance's {fields}.repositories."),
        )),
    }
}

/// Looks for the repository in the list that the instance uses, and names that list.
async fn find_in_catalog(
    diagnosis: &mut Diagnosis<'_>,
    catalog: &RepositoryCatalog,
) -> Result<(), Step> {
    let repository = &diagnosis.target.repository;
    let remedy = format!(
        "Name \"{repository}\" in the instance's oci.repositories, because a named repository \
         needs no catalog."
    );
    let until = diagnosis.deadline.min(Instant::now() + CATALOG_TIME);
    let catalog = &catalog.until(until);
    let list = || {
        let vendor = catalog.vendor().map(|vendor| format!("{vendor}, by its own call,"));
        vendor.unwrap_or_else(|| "The registry's catalog".to_owned())
    };
    let mut pages = catalog.open(None);
    let mut count = 0;
    loop {
        let page = match timeout_at(until, pages.next()).await {
            Ok(Ok(Some(page))) => page,
            Ok(Ok(None)) => {
                let detail =
                    format!("{} lists {count} repositories, but not {repository}.", list());
                return Err(Step::failed(StepId::Listed, detail, remedy));
            }
            Ok(Err(CatalogError::Registry(error))) if error.is_catalog_refused() => {
                let detail =
                    format!("The registry has no catalog for this instance: {}.", said(&error));
                return Err(Step::failed(StepId::Listed, detail, remedy));
            }
            Ok(Err(CatalogError::Registry(error))) => {
                return Err(diagnosis.fault(StepId::Listed, &error));
            }
            Ok(Err(CatalogError::Vendor(error))) => {
                let detail = format!("There is no list of repositories: {}.", Causes(&error));
                return Err(Step::failed(StepId::Listed, detail, remedy));
            }
            // Not a failure, because discovery has more time for a long catalog.
            Err(_) => {
                let detail = format!(
                    "The first {count} repositories of the catalog do not include {repository}. \
                     It is too long to read to its end here."
                );
                diagnosis.skip(StepId::Listed, detail);
                return Ok(());
            }
        };
        count += page.repositories.len();
        if page.repositories.iter().any(|listed| listed.name == *repository) {
            diagnosis.pass(StepId::Listed, format!("{} lists the repository.", list()));
            return Ok(());
        }
    }
}

/// Describes a registry that answers but does not show the repository.
pub(super) fn not_shown(diagnosis: &Diagnosis<'_>, error: &Error) -> Step {
    if !error.is_not_found() {
        return diagnosis.fault(StepId::Listed, error);
    }
    let detail = format!(
        "The registry shows no repository {}: {}.",
        diagnosis.target.repository,
        said(error)
    );
    let remedy = "Check for a mistype in the repository's name, and that a chart was pushed there. \
                  Some registries answer the same if the credentials may not read the repository.";
    Step::failed(StepId::Listed, detail, remedy)
}
