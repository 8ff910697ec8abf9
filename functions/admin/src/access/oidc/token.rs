//! What a token of the provider says of somebody, and whether it is to be believed.
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

/// How far clocks may differ, in seconds; and the longest e-mail address (RFC 5321), in bytes.
const SKEW: i64 = 60;
const EMAIL_MAX: usize = 254;

/// Signatures that are believed: those that only the provider can make. `none` and the HMACs, whose
/// key is the client's secret, are not among them whatever the provider lists.
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

/// Who somebody is, by a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OidcIdentity {
    /// Verified by the provider.
    pub(crate) email: String,
    /// The groups that the provider names.
    pub(crate) groups: Vec<String>,
}

/// The claim `groups`, a list or a single one.
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
/// A token that was made for another client is not ours, and one for several must say that it was
/// made for us; nor is one from the future anything.
pub(super) fn made_for_us(claims: Claims, client_id: &ClientId) -> anyhow::Result<Claims> {
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

/// Of an address that the provider has not verified nobody knows whose it is; and of one with
/// letters that look like others, or become others in lower case, neither.
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
