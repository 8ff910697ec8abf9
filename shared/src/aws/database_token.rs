//! The token that RDS accepts instead of a password if it authenticates by IAM. The token is a
//! presigned request that is never sent, so making one needs no call. It is valid for 15 minutes,
//! and only for opening a connection.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use url::Url;

use super::{Error, config};

/// How long a token is valid: the longest time that RDS accepts.
const VALIDITY: Duration = Duration::from_mins(15);

/// Makes a token for a user of the database at an address.
///
/// # Errors
/// Fails if the environment has no credentials or no region.
pub async fn database_token(host: &str, port: u16, user: &str) -> Result<String, Error> {
    let what = || format!("make an IAM token for {user} at {host}:{port}");
    let failed = |error: &dyn std::error::Error| Error::new(what(), error.to_string());
    let aws = config(None).await;
    let region = aws.region().ok_or_else(|| Error::new(what(), "AWS_REGION is not set"))?;
    let provider =
        aws.credentials_provider().ok_or_else(|| Error::new(what(), "there are no credentials"))?;
    let identity = provider.provide_credentials().await.map_err(|error| failed(&error))?.into();

    let mut url = Url::parse(&format!("https://{host}:{port}/")).map_err(|error| failed(&error))?;
    url.query_pairs_mut().append_pair("Action", "connect").append_pair("DBUser", user);
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(VALIDITY);
    settings.signature_location = SignatureLocation::QueryParams;
    let parameters =
        SigningParams::builder().identity(&identity).region(region.as_ref()).name("rds-db");
    let parameters = parameters
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .map_err(|error| failed(&error))?;
    let request =
        SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(&[]));
    let request = request.map_err(|error| failed(&error))?;
    let (signed, _) =
        sign(request, &parameters.into()).map_err(|error| failed(&error))?.into_parts();
    for (name, value) in signed.params() {
        url.query_pairs_mut().append_pair(name, value);
    }
    // RDS expects the host and the query without the scheme.
    Ok(url.as_str().trim_start_matches("https://").to_owned())
}
