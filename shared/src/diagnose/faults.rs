//! Explains a request that failed: which step the error belongs to, and its remedy.

use super::step::{Step, StepId};
use crate::domain::Provider;
use crate::oci::{Client, Error};

/// Returns the step that an error belongs to by its cause, whichever request met it. Returns `None`
/// if the error is about the request itself.
pub(super) fn step_of(error: &Error) -> Option<StepId> {
    match () {
        () if error.is_refused() => Some(StepId::Authorized),
        () if error.is_unreachable() => Some(StepId::Reachable),
        () => None,
    }
}

/// Makes a failed step of an error, with its remedy.
pub(super) fn failed(id: StepId, error: &Error, client: &Client, provider: Provider) -> Step {
    Step::failed(id, said(error), remedy(error, client, provider))
}

/// Returns the error with its causes, as one line.
pub(super) fn said(error: &Error) -> String {
    crate::telemetry::Causes(error).to_string()
}

fn remedy(error: &Error, client: &Client, provider: Provider) -> &'static str {
    let is_ecr = provider == Provider::Ecr;
    match error.at_fault() {
        Error::AddressRefused { .. }
        | Error::TooManyRedirects { .. }
        | Error::RealmRefused { .. } => {
            "If the registry rightly sends its clients there, add that host to the function's \
             setting ALLOWED_ADDRESSES."
        }
        Error::Login(_) => {
            "Allow the function's role to call ecr:GetAuthorizationToken, and let the function \
             reach ECR. A VPC without a route to the internet needs the endpoints ecr.api and \
             ecr.dkr."
        }
        error if error.is_refused() => match (is_ecr, client.is_anonymous()) {
            (true, _) => {
                "Allow the function's role to call ecr:BatchGetImage, ecr:GetDownloadUrlForLayer \
                 and ecr:ListImages on this repository. If the repository belongs to another \
                 account, its own policy must allow the role as well."
            }
            (false, true) => {
                "The registry refuses reads without credentials. Put username and password, or a \
                 token, into a secret, and its ARN into oci.credentialsSecretArn. Some registries \
                 answer the same for a repository that does not exist, so check for a mistype as \
                 well."
            }
            (false, false) => {
                "Renew the credentials in the secret that oci.credentialsSecretArn names, and \
                 allow them to pull from this repository. Some registries answer the same for a \
                 repository that does not exist, so check for a mistype as well."
            }
        },
        error if error.is_beyond_limits() => {
            "Discovery reads no artifact past its limits (docs/reference/limits.md), so that this \
             one gets no row. Push a smaller artifact."
        }
        error if error.is_throttled() && is_ecr => {
            "Nothing is lost. ECR limits how many requests it takes, and the function retries the \
             event or the repair by itself."
        }
        error if error.is_throttled() => {
            "Nothing is lost, because discovery continues when the registry allows it. To send \
             fewer requests, lengthen oci.pollInterval or lower oci.maxConcurrency. Credentials \
             (oci.credentialsSecretArn) often have a higher limit."
        }
        Error::Status { status, .. } if status.is_server_error() => {
            "Read the registry's own log. Nothing is lost, because discovery retries by itself."
        }
        error if error.is_unreachable() && is_ecr => {
            "Check that the function reaches ECR. A VPC without a route to the internet needs the \
             endpoints ecr.api, ecr.dkr and s3."
        }
        error if error.is_unreachable() => {
            "Check that oci.registryUrl is right, that the registry is up, and that the function \
             reaches it: DNS, the VPC's route out, the firewall. For a certificate of your own \
             authority, set oci.caFile."
        }
        _ => "Check what answers at this address, because it is not what a registry answers.",
    }
}
