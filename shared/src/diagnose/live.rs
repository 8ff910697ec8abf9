//! The steps that ask the registry. They end at the first one that fails.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::faults::{failed, said, step_of};
use super::request::Target;
use super::similar::similar;
use super::step::{Step, StepId};
use crate::domain::{Follows, Reference, Selection, Subject, Tag, newest_first};
use crate::helm::CONFIG_MEDIA_TYPE;
use crate::oci::{Client, Error};
use crate::reconcile::{LargeChartPermits, LookAnswer, observe, read_contents};

/// Time for one step: somebody waits for it, and a registry that is well answers in a part of it.
const STEP_TIME: Duration = Duration::from_secs(10);

/// Time for the catalog, which may be long.
const CATALOG_TIME: Duration = Duration::from_secs(6);

/// Time for all of them.
const TIME: Duration = Duration::from_secs(22);

/// How an instance comes to know of a repository.
#[derive(Debug, Clone, Copy)]
pub enum Followed<'a> {
    /// It polls those that are named, or that the catalog lists.
    Polled(&'a Selection),
    /// It is told by events, of accounts that are accepted or not.
    Told {
        /// Whether the registry's account is accepted.
        is_accepted: bool,
    },
}

/// What came of the steps that ask the registry: what a function answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The steps that were made, in order.
    pub steps: Vec<Step>,
    /// The digest that the reference resolves to now, as far as it was asked.
    pub digest: Option<String>,
}

/// A diagnosis under way.
struct Diagnosis<'a> {
    client: &'a Client,
    target: &'a Target,
    deadline: Instant,
    steps: Vec<Step>,
    digest: Option<String>,
}

/// Asks the registry what discovery would ask it. Safe to repeat: nothing is written.
pub async fn diagnose(
    client: &Client,
    target: &Target,
    followed: Followed<'_>,
    deadline: Instant,
) -> Live {
    let deadline = deadline.min(Instant::now() + TIME);
    let client = &client.until(deadline);
    let mut diagnosis = Diagnosis { client, target, deadline, steps: Vec::new(), digest: None };
    if let Err(failed) = Box::pin(diagnosis.run(followed)).await {
        // A later request may show what an earlier step did not.
        diagnosis.steps.retain(|step| step.id < failed.id);
        diagnosis.steps.push(failed);
    }
    Live { steps: diagnosis.steps, digest: diagnosis.digest }
}

impl Diagnosis<'_> {
    async fn run(&mut self, followed: Followed<'_>) -> Result<(), Step> {
        if let Followed::Told { is_accepted: false } = followed {
            let detail =
                "The registry's account is not in ECR_ACCOUNTS, so that its events are left out.";
            return Err(Step::failed(
                StepId::Listed,
                detail,
                "Add the account to ECR_ACCOUNTS of the function.",
            ));
        }
        let tags = self.list_tags(followed).await?;
        let must_be_listed = self.follow(followed)?;
        let tags = tags.map_err(|error| self.no_repository(&error))?;
        match (must_be_listed, &tags) {
            (true, Some(_)) => self.find_in_catalog().await?,
            (true, None) => {
                self.steps.push(Step::skipped(
                    StepId::Listed,
                    "The registry takes too long to list what it has.",
                ));
            }
            (false, _) => {}
        }
        let Some(reference) = self.target.reference.clone() else {
            return self.count(tags.unwrap_or_default());
        };
        let chart = match self.resolve(&reference, tags.as_deref()).await? {
            LookAnswer::Chart(chart) => chart,
            LookAnswer::NotAChart { media_type, .. } => return Err(not_a_chart(&media_type)),
            LookAnswer::Absent => return Err(self.absent(&reference, tags.as_deref())),
        };
        if let (Followed::Polled(_), Reference::Tag(tag), Some(tags)) =
            (followed, &reference, &tags)
            && tags.binary_search(tag).is_err()
        {
            let detail =
                format!("{reference} resolves, and the registry's list of tags does not name it.");
            return Err(Step::failed(
                StepId::Tag,
                detail,
                "A poller finds tags in that list: see why the registry leaves it out.",
            ));
        }
        self.pass(StepId::Manifest, "The manifest is a Helm chart's.");
        let permits = LargeChartPermits::default();
        let read = read_contents(self.client, &self.target.repository, &chart.manifest, &permits);
        let contents = match self.in_time(read).await? {
            Ok((contents, _)) => contents,
            Err(error) if step_of(&error).is_some() => {
                return Err(self.fault(StepId::Contents, &error));
            }
            Err(error) => {
                let remedy = "The registry has the manifest, and does not give what the manifest \
                              names: push the chart again.";
                return Err(Step::failed(StepId::Contents, said(&error), remedy));
            }
        };
        if let Some(error) = contents.error {
            let remedy = "The chart itself is bad, and is shown as BROKEN. Mend what is named, try \
                          it with helm lint, and push the \
                          chart again, best under a new version.";
            return Err(Step::failed(StepId::Contents, error, remedy));
        }
        let name = contents.chart_name.unwrap_or_default();
        let version = contents.chart_version.unwrap_or_default();
        self.pass(StepId::Contents, format!("The chart {name} {version} can be read."));
        Ok(())
    }

    /// Lists the tags, which shows whether there is a way to the registry. `None` where the
    /// manifest is to decide: who is told by events need not be allowed to list, and a very long
    /// list takes its time. An error is about the repository.
    async fn list_tags(
        &mut self,
        followed: Followed<'_>,
    ) -> Result<Result<Option<Vec<Tag>>, Error>, Step> {
        let may_do_without = self.target.reference.is_some();
        let is_told = matches!(followed, Followed::Told { .. });
        match self.in_time(self.client.list_tags(&self.target.repository)).await {
            Ok(Ok(page)) => {
                self.let_in();
                Ok(Ok(Some(page.names)))
            }
            Err(_) | Ok(Err(Error::TooManyNames { .. })) if may_do_without => Ok(Ok(None)),
            Ok(Err(error)) if step_of(&error).is_some() && may_do_without && is_told => {
                Ok(Ok(None))
            }
            Ok(Err(error)) if step_of(&error).is_some() => {
                Err(self.fault(StepId::Reachable, &error))
            }
            Ok(Err(error)) => {
                self.let_in();
                Ok(Err(error))
            }
            Err(late) => Err(late),
        }
    }

    /// The registry has answered, and not by refusing.
    fn let_in(&mut self) {
        if self.steps.iter().any(|step| step.id == StepId::Reachable) {
            return;
        }
        self.pass(StepId::Reachable, format!("{} answers.", self.client.base()));
        let login = if self.client.is_anonymous() {
            "Reading needs no login."
        } else {
            "The login is accepted."
        };
        self.pass(StepId::Authorized, login);
    }

    /// Whether the instance follows the repository at all. Gives whether the catalog has to list it
    /// as well.
    fn follow(&mut self, followed: Followed<'_>) -> Result<bool, Step> {
        let repository = &self.target.repository;
        let selection = match followed {
            Followed::Told { .. } => {
                let detail = "Events of this account are followed, as far as the EventBridge rule \
                              lets them through.";
                self.pass(StepId::Listed, detail);
                return Ok(false);
            }
            Followed::Polled(selection) => selection,
        };
        match selection.follows(repository) {
            Follows::Named => {
                self.pass(StepId::Listed, "oci.repositories names the repository.");
                Ok(false)
            }
            Follows::IfListed => Ok(true),
            Follows::Excluded => {
                let detail = format!("oci.exclude leaves {repository} out.");
                Err(Step::failed(
                    StepId::Listed,
                    detail,
                    "Take out of the instance's oci.exclude what matches it.",
                ))
            }
            Follows::Unmentioned => {
                let detail = format!(
                    "oci.repositories has neither {repository} nor a glob that matches it."
                );
                Err(Step::failed(
                    StepId::Listed,
                    detail,
                    format!("Add \"{repository}\" to the instance's oci.repositories."),
                ))
            }
        }
    }

    async fn find_in_catalog(&mut self) -> Result<(), Step> {
        let repository = &self.target.repository;
        let remedy = format!(
            "Name \"{repository}\" in the instance's oci.repositories: what is named needs no \
             catalog."
        );
        let until = self.deadline.min(Instant::now() + CATALOG_TIME);
        let mut pages = self.client.list_repositories(None);
        let mut count = 0;
        loop {
            let page = match timeout_at(until, pages.next()).await {
                Ok(Ok(Some(page))) => page,
                Ok(Ok(None)) => {
                    let detail = format!(
                        "The registry's catalog lists {count} repositories, and not {repository}."
                    );
                    return Err(Step::failed(StepId::Listed, detail, remedy));
                }
                Ok(Err(error)) if error.is_catalog_refused() => {
                    let detail =
                        format!("The registry has no catalog for this instance: {}.", said(&error));
                    return Err(Step::failed(StepId::Listed, detail, remedy));
                }
                Ok(Err(error)) => return Err(self.fault(StepId::Listed, &error)),
                // A long catalog is not the registry's fault, and discovery has more time for it.
                Err(_) => {
                    let detail = format!(
                        "It is not among the first {count} repositories of the catalog, which is \
                         too long to be read to its end now."
                    );
                    self.steps.push(Step::skipped(StepId::Listed, detail));
                    return Ok(());
                }
            };
            count += page.names.len();
            if page.names.contains(repository) {
                self.pass(StepId::Listed, "The registry's catalog lists the repository.");
                return Ok(());
            }
        }
    }

    /// What a reference resolves to.
    async fn resolve(
        &mut self,
        reference: &Reference,
        tags: Option<&[Tag]>,
    ) -> Result<LookAnswer, Step> {
        let Target { registry, repository, .. } = self.target;
        let subject = Subject {
            registry: Arc::clone(registry),
            repository: repository.clone(),
            reference: reference.clone(),
        };
        let seen = match self.in_time(observe(self.client, &subject)).await? {
            Ok(seen) => seen,
            Err(error) if error.is_name_unknown() => return Err(self.no_repository(&error)),
            Err(error) if error.is_not_found() => {
                let detail = format!(
                    "{}: without MANIFEST_UNKNOWN this is not believed to mean that the tag is \
                     gone.",
                    said(&error)
                );
                return Err(Step::failed(StepId::Tag, detail, self.similar(reference, tags)));
            }
            Err(error) => return Err(self.fault(StepId::Manifest, &error)),
        };
        self.let_in();
        self.digest = seen.digest().map(ToString::to_string);
        if let Some(digest) = &self.digest {
            let detail = match reference {
                Reference::Tag(tag) => format!("The tag {tag} resolves to {digest}."),
                Reference::Digest(_) => "The registry has this digest.".to_owned(),
            };
            self.pass(StepId::Tag, detail);
        }
        Ok(seen)
    }

    /// For a reference without a tag.
    fn count(&mut self, mut tags: Vec<Tag>) -> Result<(), Step> {
        let repository = &self.target.repository;
        newest_first(&mut tags);
        let Some(newest) = tags.first() else {
            let detail = format!("{repository} has no tags.");
            return Err(Step::failed(StepId::Tag, detail, "Push a chart to it, with helm push."));
        };
        let detail = format!(
            "Tags in the repository: {}, the newest {newest}. Add :TAG to look at one of them.",
            tags.len()
        );
        self.steps.push(Step::passed(StepId::Tag, detail));
        Ok(())
    }

    fn absent(&self, reference: &Reference, tags: Option<&[Tag]>) -> Step {
        let what = match reference {
            Reference::Tag(tag) => format!("tag {tag}"),
            Reference::Digest(digest) => format!("digest {digest}"),
        };
        let detail = format!("The registry has no {what} in {}.", self.target.repository);
        Step::failed(StepId::Tag, detail, self.similar(reference, tags))
    }

    fn similar(&self, reference: &Reference, tags: Option<&[Tag]>) -> String {
        let repository = &self.target.repository;
        let push = "push the chart, with helm push";
        if matches!(reference, Reference::Digest(_)) {
            return "Look at the tag instead: it may have another digest now.".to_owned();
        }
        match tags.map(|tags| similar(reference.as_str(), tags)).as_deref() {
            None => format!("Look for a mistype. Or {push}."),
            Some([]) => format!("{repository} has no tags at all: {push}."),
            Some(similar) => {
                format!("Look for a mistype: there is {}. Or {push}.", similar.join(", "))
            }
        }
    }

    /// The registry answers and does not show the repository.
    fn no_repository(&self, error: &Error) -> Step {
        if !error.is_not_found() {
            return self.fault(StepId::Listed, error);
        }
        let detail = format!(
            "The registry shows no repository {}: {}.",
            self.target.repository,
            said(error)
        );
        let remedy = "Look for a mistype in the repository's name, and whether something was \
                      pushed there. A registry that hides what \
                      the login may not read says the same.";
        Step::failed(StepId::Listed, detail, remedy)
    }

    /// A request that failed while `id` was to be found out.
    fn fault(&self, id: StepId, error: &Error) -> Step {
        failed(step_of(error).unwrap_or(id), error, self.client, self.target.registry.provider())
    }

    async fn in_time<T>(&self, asked: impl Future<Output = T>) -> Result<T, Step> {
        let began = Instant::now();
        let until = self.deadline.min(began + STEP_TIME);
        timeout_at(until, asked).await.map_err(|_| {
            let seconds = until.saturating_duration_since(began).as_secs();
            let detail = format!(
                "{} gave no complete answer within {seconds} \
                                  s.",
                self.client.base()
            );
            let remedy = "See whether the registry is overloaded, whether the function reaches it \
                          at all (the VPC's route out; for ECR the \
                          endpoints ecr.api, ecr.dkr and s3), and whether something on the way (a \
                          firewall, a proxy) lets \
                          connections hang. Discovery waits longer, and tries again by itself.";
            Step::failed(StepId::Reachable, detail, remedy)
        })
    }

    fn pass(&mut self, id: StepId, detail: impl Into<String>) {
        self.steps.push(Step::passed(id, detail));
    }
}

fn not_a_chart(media_type: &str) -> Step {
    let lower = media_type.to_ascii_lowercase();
    let is_image = ["image.config", "container.image", "image.index", "manifest.list"]
        .iter()
        .any(|part| lower.contains(part));
    let (detail, remedy) = if is_image {
        let detail =
            format!("This is a container image, not a Helm chart: its media type is {media_type}.");
        (detail, "Push the chart with helm push, to a repository or a tag of its own.".to_owned())
    } else {
        let detail = format!("This is no Helm chart: its config has the media type {media_type}.");
        (
            detail,
            format!(
                "Push it with helm push. Another client must give the config the media type \
                 {CONFIG_MEDIA_TYPE}."
            ),
        )
    };
    Step::failed(StepId::Manifest, detail, remedy)
}
