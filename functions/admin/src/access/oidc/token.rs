//! The claims of an ID token, and whether the program trusts them.
//!
//! OpenID Connect Core 1.0, section 3.1.3.7.

use anyhow::{Context as _, bail};
use openidconnect::core::{
    CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AdditionalClaims, ClientId, EmptyExtraTokenFields, IdTokenClaims, IdTokenFields,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How far the provider's clock may be ahead of ours, in seconds.
const SKEW: i64 = 60;

/// Longest e-mail address (RFC 5321), in bytes.
const EMAIL_MAX: usize = 254;

/// Signature algorithms that are accepted: those with a private key that only the provider has.
/// `none` and the HMACs are never accepted, even if the provider lists them, because the key of an
/// HMAC is the client's secret.
pub(super) const ALGORITHMS: [CoreJwsSigningAlgorithm; 8] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
];

/// The user that a token names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OidcIdentity {
    /// The e-mail address, which the provider has verified.
    pub(crate) email: String,
    /// The groups that the provider names.
    pub(crate) groups: Vec<String>,
}

/// The claim `groups`: a list, or a single group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Groups {
    #[serde(default)]
    groups: OneOrMany,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<serde_json::Value>),
    One(String),
    Odd(serde_json::Value),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl AdditionalClaims for Groups {}

pub(super) type IdToken = openidconnect::IdToken<
    Groups,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;
pub(super) type Claims = IdTokenClaims<Groups, CoreGenderClaim>;
pub(super) type ClaimFields = IdTokenFields<
    Groups,
    EmptyExtraTokenFields,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

/// Refuses a token that was made for another client or that comes from the future. A token for
/// several clients must name this client as its authorized party.
pub(super) fn check_recipient(claims: Claims, client_id: &ClientId) -> anyhow::Result<Claims> {
    let party = claims.authorized_party();
    if party.is_some_and(|party| party != client_id)
        || (claims.audiences().len() > 1 && party.is_none())
    {
        bail!("the token was made for another client");
    }
    if claims.issue_time().timestamp() > OffsetDateTime::now_utc().unix_timestamp() + SKEW {
        bail!("the token is from the future");
    }
    Ok(claims)
}

/// Returns the user that the claims name.
///
/// Refuses an address that the provider has not verified, because it may belong to another person.
/// Refuses an address that is not plain ASCII, because some letters look like others, or become
/// others in lower case.
pub(super) fn identity(claims: &Claims) -> anyhow::Result<OidcIdentity> {
    let email = claims
        .email()
        .context("the token has no e-mail address: the provider must give the scope email")?;
    if claims.email_verified() != Some(true) {
        bail!("the provider has not verified the e-mail address {}", email.as_str());
    }
    if email.len() > EMAIL_MAX
        || !email.contains('@')
        || !email.bytes().all(|byte| byte.is_ascii_graphic())
    {
        bail!("the e-mail address is not plain ASCII, or longer than {EMAIL_MAX} bytes");
    }
    let groups = match &claims.additional_claims().groups {
        OneOrMany::Many(groups) => {
            groups.iter().filter_map(|group| group.as_str()).map(str::to_owned).collect()
        }
        OneOrMany::One(group) => vec![group.clone()],
        OneOrMany::Odd(_) => Vec::new(),
    };
    Ok(OidcIdentity { email: email.to_ascii_lowercase(), groups })
}
