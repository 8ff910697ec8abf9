//! The order of the steps that ask the registry. They end at the first one that fails.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::chart::{check_contents, not_a_chart};
use super::diagnosis::Diagnosis;
use super::repository::{Followed, check_account, check_followed, list_tags};
use super::request::Target;
use super::step::{Step, StepId};
use super::tag::{absent, check_listed, count_tags, resolve};
use crate::oci::Client;
use crate::reconcile::LookAnswer;

/// The time limit for all steps together.
const TIME: Duration = Duration::from_secs(22);

/// What a function answers: the steps that asked the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The steps that were made, in order.
    pub steps: Vec<Step>,
    /// The digest that the reference resolves to now, if the registry gave one.
    pub digest: Option<String>,
    /// Whether the registry answered 404 without saying that the manifest is unknown.
    #[serde(default)]
    pub is_unconfirmed: bool,
}

impl Live {
    /// Makes the answer of a function that could not ask the registry.
    #[must_use]
    pub fn without_answer(steps: Vec<Step>) -> Self {
        Self { steps, digest: None, is_unconfirmed: false }
    }
}

/// Asks the registry what discovery would ask it. It writes nothing and is safe to repeat.
pub async fn diagnose(
    client: &Client,
    target: &Target,
    followed: Followed<'_>,
    deadline: Instant,
) -> Live {
    let deadline = deadline.min(Instant::now() + TIME);
    let client = &client.until(deadline);
    let mut diagnosis = Diagnosis {
        client,
        target,
        deadline,
        steps: Vec::new(),
        digest: None,
        is_unconfirmed: false,
    };
    if let Err(failed) = Box::pin(run(&mut diagnosis, followed)).await {
        // A later request may show that an earlier step did not pass after all.
        diagnosis.steps.retain(|step| step.id < failed.id);
        diagnosis.steps.push(failed);
    }
    let Diagnosis { steps, digest, is_unconfirmed, .. } = diagnosis;
    Live { steps, digest, is_unconfirmed }
}

async fn run(diagnosis: &mut Diagnosis<'_>, followed: Followed<'_>) -> Result<(), Step> {
    check_account(followed)?;
    let tags = list_tags(diagnosis, followed).await?;
    let tags = check_followed(diagnosis, followed, tags).await?;
    let Some(reference) = &diagnosis.target.reference else {
        return count_tags(diagnosis, tags.unwrap_or_default());
    };
    let chart = match resolve(diagnosis, reference, tags.as_deref()).await? {
        LookAnswer::Chart(chart) => chart,
        LookAnswer::NotAChart { media_type, .. } => return Err(not_a_chart(&media_type)),
        LookAnswer::Absent | LookAnswer::Unconfirmed(_) | LookAnswer::Denied(_) => {
            return Err(absent(diagnosis, reference, tags.as_deref()));
        }
    };
    check_listed(followed, reference, tags.as_deref())?;
    diagnosis.pass(StepId::Manifest, "The manifest is a Helm chart's.");
    check_contents(diagnosis, &chart.manifest).await
}
