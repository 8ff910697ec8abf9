//! Proofs by a secret: HMAC headers, the secret in a header, and the secret in the path.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::address::Address;

/// A proof that a request offers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// The secret itself.
    Plain(String),
    /// The HMAC-SHA256 of the body.
    HmacSha256(Vec<u8>),
    /// Nexus's HMAC-SHA1 of the body. It may be that of the body without white space.
    HmacSha1(Vec<u8>),
}

/// Headers with an HMAC-SHA256 in hexadecimal digits, with or without `sha256=`: GitHub's and
/// Gitea's. `X-JFrog-Event-Auth` may also have the secret itself.
const HMAC_HEADERS: [&str; 5] = [
    "x-hub-signature-256",
    "x-gitea-signature",
    "x-forgejo-signature",
    "x-gogs-signature",
    "x-jfrog-event-auth",
];

/// Headers with the secret itself: GitLab's and Artifactory's.
const SECRET_HEADERS: [&str; 2] = ["x-gitlab-token", "x-jfrog-event-auth"];

/// Lists the proofs that a request offers.
pub(super) fn offered(address: &Address, headers: &HeaderMap) -> Vec<Offered> {
    let all = |name: &'static str| headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
    let mut offered: Vec<Offered> = Vec::new();
    for value in HMAC_HEADERS.into_iter().flat_map(all) {
        let digits = value.strip_prefix("sha256=").unwrap_or(value);
        offered.extend(bytes(digits).map(Offered::HmacSha256));
    }
    let nexus = all("x-nexus-webhook-signature").filter_map(bytes);
    offered.extend(nexus.map(Offered::HmacSha1));
    offered.extend(
        SECRET_HEADERS.into_iter().flat_map(all).map(|value| Offered::Plain(value.to_owned())),
    );
    for value in all("authorization") {
        offered.push(Offered::Plain(value.to_owned()));
        offered.extend(after_scheme(value).map(Offered::Plain));
    }
    offered.extend(address.secrets.iter().cloned().map(Offered::Plain));
    offered.retain(|proof| *proof != Offered::Plain(String::new()));
    offered
}

impl Offered {
    /// Returns whether the secret made this proof. The time does not tell how much of it is right.
    pub(super) fn proves(&self, secret: &str, body: &[u8]) -> bool {
        match self {
            // Hashed, so that the time does not tell the length either.
            Self::Plain(offered) => Sha256::digest(offered).ct_eq(&Sha256::digest(secret)).into(),
            Self::HmacSha256(signature) => Hmac::<Sha256>::new_from_slice(secret.as_bytes())
                .is_ok_and(|hmac| hmac.chain_update(body).verify_slice(signature).is_ok()),
            Self::HmacSha1(signature) => {
                let signs = |body: &[u8]| {
                    Hmac::<Sha1>::new_from_slice(secret.as_bytes())
                        .is_ok_and(|hmac| hmac.chain_update(body).verify_slice(signature).is_ok())
                };
                signs(body) || signs(&without_white_space(body))
            }
        }
    }
}

/// Returns the token after `Bearer`, or the password after `Basic`.
fn after_scheme(value: &str) -> Option<String> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let login = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    Some(login.split_once(':')?.1.to_owned())
}

/// Returns the bytes of hexadecimal digits.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| u8::try_from(char::from(digit).to_digit(16)?).ok();
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let pair = |&[high, low]: &[u8; 2]| Some(value(high)? * 16 + value(low)?);
    if rest.is_empty() && !pairs.is_empty() { pairs.iter().map(pair).collect() } else { None }
}

/// Removes the white space between the parts of a JSON text. That within strings stays.
fn without_white_space(json: &[u8]) -> Vec<u8> {
    let (mut is_string, mut is_escaped) = (false, false);
    let keep = |byte: &u8| {
        let keeps = is_string || !byte.is_ascii_whitespace();
        is_string ^= *byte == b'"' && !is_escaped;
        is_escaped = is_string && *byte == b'\\' && !is_escaped;
        keeps
    };
    json.iter().copied().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"{\"a\": [1, \"b \\\" c\"]}\n";

    /// Returns whether a request with this header and path is proved by the secret `s3cret`.
    fn is_proved(header: Option<(&'static str, &str)>, path: &str) -> bool {
        let header = header.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers: HeaderMap = header.into_iter().collect();
        let address = Address::read(path).unwrap();
        offered(&address, &headers).iter().any(|proof| proof.proves("s3cret", BODY))
    }

    fn sha256(secret: &str) -> String {
        let hmac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        format!("{:x}", hmac.chain_update(BODY).finalize().into_bytes())
    }

    fn sha1(secret: &str, body: &[u8]) -> String {
        let hmac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
        format!("{:x}", hmac.chain_update(body).finalize().into_bytes())
    }

    #[test]
    fn every_kind_of_proof_counts_with_the_right_secret_only() {
        let compact = b"{\"a\":[1,\"b \\\" c\"]}";
        let basic = |login: &str| format!("Basic {}", STANDARD.encode(login));
        let proofs = |secret: &str| {
            vec![
                ("x-hub-signature-256", format!("sha256={}", sha256(secret))),
                ("x-gitea-signature", sha256(secret)),
                ("x-forgejo-signature", sha256(secret)),
                ("x-jfrog-event-auth", sha256(secret)),
                ("x-jfrog-event-auth", secret.to_owned()),
                ("x-nexus-webhook-signature", sha1(secret, BODY)),
                ("x-nexus-webhook-signature", sha1(secret, compact)),
                ("x-gitlab-token", secret.to_owned()),
                ("authorization", secret.to_owned()),
                ("authorization", format!("Bearer {secret}")),
                ("authorization", format!("bearer {secret}")),
                ("authorization", basic(&format!("anyone:{secret}"))),
            ]
        };
        for (name, value) in proofs("s3cret") {
            assert!(is_proved(Some((name, &value)), "/a"), "{name}: {value}");
        }
        for wrong in ["", "s3cre", "s3crets", "S3cret"] {
            for (name, value) in proofs(wrong) {
                assert!(!is_proved(Some((name, &value)), "/a"), "{name}: {value}");
            }
        }
        for (name, value) in [
            ("x-hub-signature-256", "sha256="),
            ("x-hub-signature-256", "s3cret"),
            ("x-gitea-signature", ""),
            ("x-nexus-webhook-signature", &sha256("s3cret")),
            ("x-hub-signature-256", &sha1("s3cret", BODY)),
            ("authorization", &basic("s3cret")),
            ("authorization", &basic("s3cret:")),
            ("authorization", "Digest s3cret"),
            ("x-other", "s3cret"),
        ] {
            assert!(!is_proved(Some((name, value)), "/a"), "{name}: {value}");
        }
        assert!(is_proved(None, "/a/s3cret") && is_proved(None, "/a/s3%63ret"));
        assert!(!is_proved(None, "/a") && !is_proved(None, "/a/") && !is_proved(None, "/s3cret"));
    }
}
