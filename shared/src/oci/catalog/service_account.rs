//! Keys of Google's service accounts: signs the assertion that Google exchanges for an access token
//! ("Using OAuth 2.0 for server to server applications").

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::domain::RegistryUrl;
use crate::oci::transport::is_safe_for_passwords;

/// The right to read everything that the account may read.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform.read-only";

/// The validity of an assertion, in seconds.
const VALIDITY: i64 = 600;

/// The key of a service account, as Google's console writes it.
#[derive(Deserialize)]
pub(super) struct ServiceAccountKey {
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: String,
    token_uri: String,
}

impl ServiceAccountKey {
    /// Reads a key. The error quotes nothing of it.
    ///
    /// # Errors
    /// Says what is wrong with the key.
    pub(super) fn read(json: &str) -> Result<Self, &'static str> {
        let key: Self = serde_json::from_str(json).map_err(
            |_| "the password is no key of a service account: it must be the whole JSON file",
        )?;
        let url: Url = key.token_uri.parse().map_err(|_| "the key's token_uri is no address")?;
        let host = url.host_str().unwrap_or_default();
        let is_loopback = url.scheme() == "http" && is_safe_for_passwords(&url);
        let is_google = url.scheme() == "https"
            && (host == "googleapis.com" || host.ends_with(".googleapis.com"));
        if !is_google && !is_loopback {
            return Err("the key's token_uri is not below https://googleapis.com");
        }
        Ok(key)
    }

    /// Returns the address that issues access tokens, and the path there.
    pub(super) fn token_address(&self) -> Option<(RegistryUrl, String)> {
        let url: Url = self.token_uri.parse().ok()?;
        let base = url.origin().ascii_serialization().parse().ok()?;
        Some((base, url.path().to_owned()))
    }

    /// Signs an assertion that is valid from `now`, in seconds since 1970.
    ///
    /// # Errors
    /// Says what is wrong with the key.
    pub(super) fn assertion(&self, now: i64) -> Result<String, &'static str> {
        let unusable = "the key's private_key cannot be used";
        let pem = PrivatePkcs8KeyDer::from_pem_slice(self.private_key.as_bytes());
        let key = RsaKeyPair::from_pkcs8(pem.map_err(|_| unusable)?.secret_pkcs8_der());
        let key = key.map_err(|_| unusable)?;
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.private_key_id});
        let claims = json!({
            "iss": self.client_email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": now,
            "exp": now + VALIDITY,
        });
        let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| unusable)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
