//! An OpenID Connect provider that issues the token that a test chooses, valid or not. A real
//! provider does not do that.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreHmacKey, CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use serde_json::{Value, json};

pub(crate) const CLIENT: &str = "chart-discovery";
pub(crate) const SECRET: &str = "hunter2 and twenty more characters";

/// The way a token is signed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signed {
    Rightly,
    ByAnotherKey,
    /// With the client's secret, which a careless client accepts as the provider's key.
    WithTheSecret,
    Not,
}

/// A provider, and the token that it issues. It stops when it is dropped.
pub(crate) struct HostileOidcProvider {
    issuer: String,
    token: Arc<Mutex<String>>,
    server: tokio::task::JoinHandle<()>,
}

impl HostileOidcProvider {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let token = Arc::new(Mutex::new(String::new()));
        let metadata = json!({
            "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        });
        let keys = public_keys();
        let answer = async |State(token): State<Arc<Mutex<String>>>, asked: String| {
            let token = token.lock().unwrap().clone();
            if token.is_empty() {
                // Repeats the request and the secret, so that a test can look for them in the log.
                let body = json!({"error": "invalid_grant", "error_description": format!("{asked} \
                    {SECRET}")});
                return (StatusCode::BAD_REQUEST, Json(body));
            }
            (
                StatusCode::OK,
                Json(json!({"access_token": "x", "token_type": "Bearer", "expires_in": 60,
                        "id_token": token})),
            )
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(async || Json(metadata)))
            .route("/jwks", get(async || Json(keys)))
            .route("/token", post(answer))
            .with_state(Arc::clone(&token));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { issuer, token, server }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the claims of a valid token.
    pub(crate) fn claims(&self, nonce: &str) -> Value {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        json!({
            "iss": self.issuer, "aud": [CLIENT], "sub": "1", "iat": now, "exp": now + 60, "nonce":
                nonce,
            "email": "jane@example.com", "email_verified": true, "groups": ["platform", "others"],
        })
    }

    /// Refuses codes from now on. The refusal repeats the request and the secret.
    pub(crate) fn refuse(&self) {
        self.answer(String::new());
    }

    /// Issues this token from now on.
    pub(crate) fn answer(&self, token: String) {
        *self.token.lock().unwrap() = token;
    }
}

impl Drop for HostileOidcProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Returns the public keys of the provider.
pub(crate) fn public_keys() -> Value {
    json!({"keys": [key(include_str!("oidc_key.pem")).as_verification_key()]})
}

fn key(pem: &str) -> CoreRsaPrivateSigningKey {
    CoreRsaPrivateSigningKey::from_pem(pem, Some(JsonWebKeyId::new("key".to_owned()))).unwrap()
}

/// Makes a token with these claims.
pub(crate) fn token(claims: &Value, signed: Signed) -> String {
    let algorithm = match signed {
        Signed::Rightly | Signed::ByAnotherKey => "RS256",
        Signed::WithTheSecret => "HS256",
        Signed::Not => "none",
    };
    let header = json!({"alg": algorithm, "typ": "JWT", "kid": "key"});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(claims));
    let rsa = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    let signature = match signed {
        Signed::Rightly => {
            key(include_str!("oidc_key.pem")).sign(&rsa, message.as_bytes()).unwrap()
        }
        Signed::ByAnotherKey => {
            key(include_str!("oidc_other_key.pem")).sign(&rsa, message.as_bytes()).unwrap()
        }
        Signed::WithTheSecret => CoreHmacKey::new(SECRET)
            .sign(&CoreJwsSigningAlgorithm::HmacSha256, message.as_bytes())
            .unwrap(),
        Signed::Not => Vec::new(),
    };
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}
