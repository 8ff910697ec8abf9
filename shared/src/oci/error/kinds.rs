//! The faults of a request to a registry.

use std::fmt;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use time::OffsetDateTime;

use super::reason::{NotAList, RealmRule, Reason, Transport};
use crate::telemetry::Utc;

/// The reason why a request brought no usable answer. URLs are kept without their query.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HTTP client could not be built.
    #[error("cannot make an HTTP client")]
    Client(#[source] Transport),
    /// No complete answer arrived. The name was not resolved, the connection failed, or the
    /// deadline passed.
    #[error("{method} {url} gave no answer")]
    NoAnswer {
        /// The request's method.
        method: Method,
        /// The request's address.
        url: String,
        /// The reason for the failure.
        source: Transport,
    },
    /// No complete answer arrived within a request's time limit. Not transient, because a retry
    /// would take as long.
    #[error("{method} {url} gave no complete answer within {} s", limit.as_secs())]
    TimedOut {
        /// The request's method.
        method: Method,
        /// The request's address.
        url: String,
        /// The time limit.
        limit: Duration,
    },
    /// The registry redirects to an address that the client refuses.
    #[error("{url} is not followed: {reason}")]
    AddressRefused {
        /// The address to which the registry redirects.
        url: String,
        /// The reason, and the remedy.
        reason: String,
    },
    /// The registry redirected the request more often than any registry needs.
    #[error("{url} is not followed: too many redirects")]
    TooManyRedirects {
        /// The address of the last redirect.
        url: String,
    },
    /// The http registry answers on https. The client sends no credentials to the address that the
    /// registry redirects to.
    #[error("{url} leads to https: the registry answers there, so change registryUrl to {https}")]
    AnswersOnHttps {
        /// The request's address.
        url: String,
        /// The registry's address on https.
        https: String,
    },
    /// The client does not send the password to the realm.
    #[error("the registry wants the password sent to {url}{rule}")]
    RealmRefused {
        /// The realm.
        url: String,
        /// The rule that forbids it.
        rule: RealmRule,
    },
    /// The realm issues no token.
    #[error("the realm {url} issues no token")]
    Realm {
        /// The realm.
        url: String,
        /// The reason.
        source: Box<Error>,
    },
    /// The registry or its realm refuses the configured credentials, whatever they are used for.
    #[error(
        "{url} refuses the credentials of oci.credentialsSecretArn: it answered {status}{}",
        Codes(codes)
    )]
    CredentialsRefused {
        /// The address that refuses them.
        url: String,
        /// The answer's status.
        status: StatusCode,
        /// The error codes in the body.
        codes: Vec<String>,
    },
    /// The realm's answer contains no token.
    #[error("{url} answered without a token")]
    NoToken {
        /// The realm.
        url: String,
    },
    /// The lookup panicked, which is a bug in this program.
    #[error("looking it up panicked: please report this with the log")]
    Panicked,
    /// ECR did not provide a login.
    #[error(transparent)]
    Login(#[from] crate::aws::Error),
    /// `Retry-After` is later than the deadline of this invocation.
    #[error("{host} asks to be left alone (Retry-After): registry closed until {}", Utc(*until))]
    AskedToWait {
        /// The registry.
        host: String,
        /// The time before which it accepts no request.
        until: OffsetDateTime,
    },
    /// Two requests to the repository got no answer in time, so that it gets no more for now.
    #[error("{repository} gave no answer in time twice, and gets no more requests for now")]
    Stalled {
        /// The repository.
        repository: String,
    },
    /// The answer has a status that means failure.
    #[error("{method} {url} answered {status}{}{}", Codes(codes), Because(reason.as_ref()))]
    Status {
        /// The request's method.
        method: Method,
        /// The request's address.
        url: String,
        /// The answer's status.
        status: StatusCode,
        /// The error codes in the body, such as `MANIFEST_UNKNOWN` (distribution specification,
        /// section "Error Codes").
        codes: Vec<String>,
        /// The reason, if the client knows more than the registry says.
        reason: Option<Reason>,
    },
    /// The body is longer than the limit.
    #[error("{url} answered with more than {limit} bytes")]
    TooLarge {
        /// The request's address.
        url: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The answer is a success, but its body is not the expected JSON.
    #[error("{url} did not answer with the JSON of the distribution specification")]
    Malformed {
        /// The request's address.
        url: String,
        /// The reason, with the place in the body.
        source: serde_json::Error,
    },
    /// The answer is a success, but its body is not a list of names.
    #[error("{url} did not answer with a list of the distribution specification")]
    NotAList {
        /// The address of the listing.
        url: String,
        /// The reason.
        source: NotAList,
    },
    /// The digest does not match the bytes.
    #[error("{url} answered with bytes of digest {computed} and called them {claimed}")]
    DigestMismatch {
        /// The request's address.
        url: String,
        /// The requested digest, or the one in `Docker-Content-Digest`.
        claimed: String,
        /// The sha256 digest of the body.
        computed: String,
    },
    /// The client does not support the algorithm of the digest.
    #[error("{url} answered with a digest that cannot be verified")]
    UnverifiableDigest {
        /// The request's address.
        url: String,
        /// The reason.
        source: crate::domain::Invalid,
    },
    /// The listing's link to its next page cannot be read.
    #[error("{url} names a next page that cannot be read")]
    UnreadableLink {
        /// The address of the listing.
        url: String,
    },
    /// The listing has more names than the limit.
    #[error("{url} lists more than {limit} names")]
    TooManyNames {
        /// The address of the listing.
        url: String,
        /// The limit, in names.
        limit: usize,
    },
    /// The pages of the listing lead back to an earlier page, or do not end.
    #[error("{url} lists its pages in a circle or without end")]
    EndlessListing {
        /// The address of the listing.
        url: String,
    },
}

struct Codes<'a>(&'a [String]);

struct Because<'a>(Option<&'a Reason>);

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |reason| write!(f, ": {reason}"))
    }
}

impl fmt::Display for Codes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " ({})", self.0.join(", ")) }
    }
}
