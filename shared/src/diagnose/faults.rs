//! What a request that brought no usable answer says about the way to the registry, and what to do
//! about it.

use super::step::{Step, StepId};
use crate::domain::Provider;
use crate::oci::{Client, Error};

/// The step that a fault belongs to, whatever was asked for: the cause, not the moment. `None`: it
/// is about what was asked for.
pub(super) fn step_of(error: &Error) -> Option<StepId> {
    match () {
        () if error.is_refused() => Some(StepId::Authorized),
        () if error.is_unreachable() => Some(StepId::Reachable),
        () => None,
    }
}

/// A step that failed for a fault, with what to do about it.
pub(super) fn failed(id: StepId, error: &Error, client: &Client, provider: Provider) -> Step {
    Step::failed(id, said(error), remedy(error, client, provider))
}

/// The error with its cause.
pub(super) fn said(error: &Error) -> String {
    crate::telemetry::Causes(error).to_string()
}

fn remedy(error: &Error, client: &Client, provider: Provider) -> &'static str {
    let is_ecr = provider == Provider::Ecr;
    match error {
        Error::AddressRefused { .. }
        | Error::TooManyRedirects { .. }
        | Error::ForeignRealm { .. } => {
            "If the registry is right to send its clients there, add that host to \
             ALLOWED_ADDRESSES of the function."
        }
        Error::Login(_) => {
            "Let the function's role call ecr:GetAuthorizationToken, and reach ECR's service (a \
             VPC without a way out \
             needs the endpoints ecr.api and ecr.dkr)."
        }
        error if error.is_refused() => match (is_ecr, client.is_anonymous()) {
            (true, _) => {
                "Let the function's role call ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and \
                 ecr:ListImages on this \
                 repository; of another account the repository's own policy must let it as well."
            }
            (false, true) => {
                "The registry is asked anonymously and wants a login: put username and password, \
                 or a token, into a secret, and \
                 its ARN into oci.credentialsSecretArn. Some registries say the same of a \
                 repository that does not exist: look for a mistype as well."
            }
            (false, false) => {
                "Renew what is in the secret of oci.credentialsSecretArn, and let that account \
                 pull from this repository. Some registries \
                 say the same of a repository that does not exist: look for a mistype as well."
            }
        },
        error if error.is_throttled() && is_ecr => {
            "Nothing is lost: ECR limits how often it is asked, and the event or the repair comes \
             again by itself."
        }
        error if error.is_throttled() => {
            "Nothing is lost: discovery goes on when the registry lets it. To ask less, lengthen \
             oci.pollInterval or lower \
             oci.maxConcurrency; a login (oci.credentialsSecretArn) often has a higher limit."
        }
        Error::Status { status, .. } if status.is_server_error() => {
            "Look at the registry's own log. Nothing is lost: discovery tries again by itself."
        }
        error if error.is_unreachable() && is_ecr => {
            "See that the function reaches ECR: a VPC without a way out needs the endpoints \
             ecr.api, ecr.dkr and s3."
        }
        error if error.is_unreachable() => {
            "See that oci.registryUrl is right and the registry is up, and that the function \
             reaches it: DNS, the VPC's route \
             out, the firewall. For a certificate of your own authority set oci.caFile."
        }
        _ => "Look at what answers at this address: it is not what a registry answers.",
    }
}
