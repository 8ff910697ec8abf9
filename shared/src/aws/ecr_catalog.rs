//! Lists repositories and images through ECR's own service, with `DescribeRepositories` and
//! `DescribeImages`. Unlike the listings of the distribution specification, they contain media
//! types and the times of the pushes.

use std::cmp::Reverse;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::operation::describe_images::DescribeImagesError;
use aws_sdk_ecr::types::ImageDetail;
use time::OffsetDateTime;

use super::{Error, config};
use crate::domain::{Account, Digest, Region, RegistryUrl, Repository, Tag};

/// The size of a page: the largest that the service allows.
const PAGE_SIZE: i32 = 1000;

/// The ECR service of one region, for one account's registry.
#[derive(Debug)]
pub struct EcrCatalog {
    client: Client,
    region: Region,
    account: Option<Account>,
}

/// A tag as `DescribeImages` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTag {
    /// The tag.
    pub tag: Tag,
    /// The digest that the tag resolves to.
    pub digest: Option<Digest>,
    /// The time of the push.
    pub pushed_at: Option<OffsetDateTime>,
    /// The media type of the config. Some answers omit it.
    pub artifact_media_type: Option<String>,
    /// Whether the manifest is an index, such as the one of an image for several platforms.
    pub is_index: bool,
}

impl ListedTag {
    /// Returns whether the tag names an index, and the answer does not say of what.
    #[must_use]
    pub fn is_untyped_index(&self) -> bool {
        self.is_index && self.artifact_media_type.is_none()
    }
}

/// The images of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Images {
    /// The tags of a repository that exists, each once.
    Listed(Vec<ListedTag>),
    /// The repository does not exist.
    NoRepository,
}

impl EcrCatalog {
    /// Makes a client for the registry of an account, or of the caller's own account. It makes no
    /// call yet.
    pub async fn new(region: Region, account: Option<Account>) -> Self {
        Self { client: Client::new(&config(Some(&region)).await), region, account }
    }

    /// Returns the region.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Asks for the caller's own account, which a region without repositories does not show.
    ///
    /// # Errors
    /// Fails if the call fails or names no registry.
    pub async fn own_account(&self) -> Result<Account, Error> {
        let what = || format!("find the account of the ECR registry in {}", self.region);
        let answer = self.client.get_authorization_token().send().await;
        let answer = answer.map_err(|error| Error::of_call(what(), &error))?;
        let endpoint = answer.authorization_data().first().and_then(|data| data.proxy_endpoint());
        let registry: Option<RegistryUrl> = endpoint.and_then(|endpoint| endpoint.parse().ok());
        let account = registry.and_then(|registry| registry.ecr()).map(|(account, _)| account);
        account.ok_or_else(|| Error::new(what(), "GetAuthorizationToken names no registry"))
    }

    /// Lists all repositories with their accounts, sorted by name. Also counts the entries whose
    /// name is not valid for a repository.
    ///
    /// # Errors
    /// Fails if a page cannot be read.
    pub async fn list_repositories(&self) -> Result<(Vec<(Account, Repository)>, u64), Error> {
        let what = || format!("list the repositories of ECR in {}", self.region);
        let call = self.client.describe_repositories().max_results(PAGE_SIZE);
        let call = call.set_registry_id(self.account.as_ref().map(Account::to_string));
        let mut pages = call.into_paginator().send();
        let (mut listed, mut skipped): (Vec<(Account, Repository)>, _) = (Vec::new(), 0);
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::of_call(what(), &error))?;
            for repository in page.repositories() {
                let account = repository.registry_id().and_then(|id| id.parse().ok());
                let name: Option<Repository> =
                    repository.repository_name().and_then(|name| name.parse().ok());
                match (account, name) {
                    (Some(account), Some(name)) => listed.push((account, name)),
                    _ => skipped += 1,
                }
            }
        }
        listed.sort_by(|(_, a), (_, b)| a.cmp(b));
        Ok((listed, skipped))
    }

    /// Lists the tags of a repository, newest push first.
    ///
    /// # Errors
    /// Fails if a page cannot be read.
    pub async fn list_images(
        &self,
        account: &Account,
        repository: &Repository,
    ) -> Result<Images, Error> {
        let what = || format!("list the images of {repository} in ECR");
        let call =
            self.client.describe_images().max_results(PAGE_SIZE).registry_id(account.to_string());
        let mut pages = call.repository_name(repository.as_str()).into_paginator().send();
        let mut tags = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    let refusal = error.as_service_error();
                    if refusal.is_some_and(DescribeImagesError::is_repository_not_found_exception) {
                        return Ok(Images::NoRepository);
                    }
                    return Err(Error::of_call(what(), &error));
                }
            };
            tags.extend(page.image_details().iter().flat_map(tags_of));
        }
        tags.sort_by_key(|tag| Reverse(tag.pushed_at));
        Ok(Images::Listed(tags))
    }
}

/// Returns whether a manifest of this media type lists other manifests.
fn is_index(media_type: &str) -> bool {
    media_type.contains("image.index") || media_type.contains("manifest.list")
}

fn tags_of(image: &ImageDetail) -> impl Iterator<Item = ListedTag> {
    let digest = image.image_digest().and_then(|digest| digest.parse().ok());
    let pushed_at =
        image.image_pushed_at().and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok());
    let artifact_media_type = image.artifact_media_type().map(str::to_owned);
    let is_index = image.image_manifest_media_type().is_some_and(is_index);
    // A tag outside the grammar is left out, because the registry cannot be asked for it.
    image.image_tags().iter().filter_map(|tag| tag.parse().ok()).map(move |tag| ListedTag {
        tag,
        digest: digest.clone(),
        pushed_at,
        artifact_media_type: artifact_media_type.clone(),
        is_index,
    })
}
