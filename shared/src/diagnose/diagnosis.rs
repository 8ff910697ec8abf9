//! The state of a diagnosis, and what every step does with it.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::faults::{failed, step_of};
use super::request::Target;
use super::step::{Step, StepId};
use crate::oci::{Client, Error};

/// The time limit for one request. A user waits for the answer, and a healthy registry needs only
/// a part of it.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// A diagnosis that is running.
pub(super) struct Diagnosis<'a> {
    pub(super) client: &'a Client,
    pub(super) target: &'a Target,
    pub(super) deadline: Instant,
    pub(super) steps: Vec<Step>,
    pub(super) digest: Option<String>,
    pub(super) is_unconfirmed: bool,
}

impl Diagnosis<'_> {
    /// Adds a step that passed.
    pub(super) fn pass(&mut self, id: StepId, detail: impl Into<String>) {
        self.steps.push(Step::passed(id, detail));
    }

    /// Adds a step that was not made.
    pub(super) fn skip(&mut self, id: StepId, detail: impl Into<String>) {
        self.steps.push(Step::skipped(id, detail));
    }

    /// Passes the steps that any answer proves, unless the registry refused the credentials.
    pub(super) fn pass_connection(&mut self) {
        if self.steps.iter().any(|step| step.id == StepId::Reachable) {
            return;
        }
        self.pass(StepId::Reachable, format!("The registry at {} answers.", self.client.base()));
        let credentials = if self.client.is_anonymous() {
            "The registry asks for no credentials."
        } else {
            "The registry accepts the credentials."
        };
        self.pass(StepId::Authorized, credentials);
    }

    /// Turns the error of a request into a failed step: the step that the error belongs to, or
    /// else `id`.
    pub(super) fn fault(&self, id: StepId, error: &Error) -> Step {
        failed(step_of(error).unwrap_or(id), error, self.client, self.target.registry.provider())
    }

    /// Waits for a request until its time limit.
    ///
    /// # Errors
    /// Returns a failed step if the registry does not answer in time.
    pub(super) async fn in_time<T>(&self, request: impl Future<Output = T>) -> Result<T, Step> {
        let began = Instant::now();
        let until = self.deadline.min(began + REQUEST_TIME);
        timeout_at(until, request).await.map_err(|_| {
            let seconds = until.saturating_duration_since(began).as_secs();
            let detail =
                format!("{} gave no complete answer within {seconds} s.", self.client.base());
            let remedy = "Check whether the registry is overloaded, and whether the function \
                          reaches it: the VPC's route out, or for ECR the endpoints ecr.api, \
                          ecr.dkr and s3. A firewall or a proxy may also let connections hang. \
                          Discovery waits longer, and retries by itself.";
            Step::failed(StepId::Reachable, detail, remedy)
        })
    }
}
