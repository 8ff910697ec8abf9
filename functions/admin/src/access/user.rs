//! Who sends a request, and whether this user is a site admin. Only [`identify`] decides how users
//! are known.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use lambda_http::request::RequestContext;
use shared::config::AdminAuth;
use tracing::{error, warn};

use super::oidc::{OidcIdentity, session_user};
use super::settings::AccessSettings;
use crate::http::problem::Problem;

/// The user who sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// The name in the log and in `admin_changes`: an ARN, an e-mail address, or `local`.
    pub(crate) name: String,
    pub(crate) is_site_admin: bool,
    /// Whether the browser has a session, so that the user can sign out.
    pub(crate) is_signed_in: bool,
}

impl User {
    /// Stands for a visitor on pages that need no user.
    pub(crate) fn unknown() -> Self {
        Self { name: String::new(), is_site_admin: false, is_signed_in: false }
    }
}

/// A user who may see and change everything. Every change takes one as a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteAdmin(pub(crate) User);

/// Adds the user to the request, and refuses a request without a user.
pub(crate) async fn identify(
    State(settings): State<AccessSettings>,
    mut request: Request,
    next: Next,
) -> Response {
    let user = match &*settings.auth {
        AdminAuth::None => {
            User { name: "local".to_owned(), is_site_admin: true, is_signed_in: false }
        }
        AdminAuth::Iam { site_admins } => {
            let Some(name) = iam_identity(&request) else {
                let detail = "not signed in: the request carries no IAM identity. The Function \
                              URL's AuthType must be AWS_IAM, and the request must be signed with \
                              Signature Version 4";
                return unauthorized(detail).into_response();
            };
            let is_site_admin = site_admins.iter().any(|admin| is_meant(admin, &name));
            User { name, is_site_admin, is_signed_in: false }
        }
        AdminAuth::Oidc { site_admins, .. } => {
            match oidc_identity(&settings, request.headers()).await {
                Ok((identity, is_signed_in)) => {
                    let is_site_admin = site_admins.iter().any(|admin| names(admin, &identity));
                    User { name: identity.email, is_site_admin, is_signed_in }
                }
                Err(problem) => return problem.into_response(),
            }
        }
    };
    request.extensions_mut().insert(user.clone());
    let mut response = next.run(request).await;
    // The page of a problem shows the user, see `pages::problems`.
    response.extensions_mut().insert(user);
    response
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}

/// Returns the user of the bearer token, or of the browser's session, and whether it is a session.
async fn oidc_identity(
    settings: &AccessSettings,
    headers: &HeaderMap,
) -> Result<(OidcIdentity, bool), Problem> {
    let Some(provider) = &settings.provider else {
        return Err(unauthorized("no user can sign in"));
    };
    let authorization =
        headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let bearer = authorization
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if let Some((_, token)) = bearer {
        let token = token.trim();
        return provider.bearer(token).await.map(|identity| (identity, false)).map_err(|error| {
            warn!(error = %format!("{error:#}"), "a bearer token was refused");
            let detail = "the bearer token is not accepted: it must be a valid ID token of the \
                          identity provider, made for this client, with a verified e-mail address";
            unauthorized(detail)
        });
    }
    let key = provider.key().await.map_err(|error| {
        error!(error = %format!("{error:#}"), "sessions cannot be read");
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "sign-in does not work for now: the function's log has the cause",
        )
    })?;
    let identity = session_user(&key, settings.is_https, headers);
    identity.map(|identity| (identity, true)).ok_or_else(|| unauthorized("you are not signed in"))
}

/// Tells whether an entry of `SITE_ADMINS` names the user, by e-mail address or by group.
fn names(admin: &str, identity: &OidcIdentity) -> bool {
    match admin.strip_prefix("group:") {
        Some(group) => identity.groups.iter().any(|of| of == group),
        None => admin.eq_ignore_ascii_case(&identity.email),
    }
}

/// Removes the groups that `SITE_ADMINS` does not name, because a cookie holds only 4 KB.
pub(crate) fn with_needed_groups(
    settings: &AccessSettings,
    mut identity: OidcIdentity,
) -> OidcIdentity {
    if let AdminAuth::Oidc { site_admins, .. } = &*settings.auth {
        identity.groups.retain(|group| {
            site_admins.iter().any(|admin| admin.strip_prefix("group:") == Some(group))
        });
    }
    identity
}

/// Returns the ARN that the Function URL has verified.
fn iam_identity(request: &Request) -> Option<String> {
    let RequestContext::ApiGatewayV2(context) = request.extensions().get()? else { return None };
    let iam = context.authorizer.as_ref()?.iam.as_ref()?;
    iam.user_arn.clone().filter(|arn| !arn.is_empty())
}

/// Tells whether an entry of `SITE_ADMINS` means the user: the same ARN, or the role of the user's
/// session. A session's ARN has the role's name without its path. That is enough, because an
/// account has no two roles of one name.
fn is_meant(admin: &str, user: &str) -> bool {
    let session_of = |arn: &str| {
        let (partition, rest) = arn.strip_prefix("arn:")?.split_once(":sts::")?;
        let (account, session) = rest.split_once(":assumed-role/")?;
        let (role, _) = session.split_once('/')?;
        Some((partition.to_owned(), account.to_owned(), role.to_owned()))
    };
    let role = |arn: &str| {
        let (partition, rest) = arn.strip_prefix("arn:")?.split_once(":iam::")?;
        let (account, role) = rest.split_once(":role/")?;
        Some((partition.to_owned(), account.to_owned(), role.rsplit('/').next()?.to_owned()))
    };
    admin == user || session_of(user).is_some_and(|session| role(admin) == Some(session))
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(|| unauthorized("you are not signed in"))
    }
}

impl<S: Sync> FromRequestParts<S> for SiteAdmin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let user = User::from_request_parts(parts, state).await?;
        if user.is_site_admin {
            return Ok(Self(user));
        }
        let name = &user.name;
        Err(Problem::forbidden(format!(
            "you are signed in as {name} and are not a site admin. You can view kinds and their \
             charts; for anything else, ask to be added to SITE_ADMINS"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn site_admin_is_an_address_or_a_member_of_a_group() {
        let identity = OidcIdentity {
            email: "jane@example.com".to_owned(),
            groups: vec!["platform".to_owned()],
        };
        for (admin, is_one) in [
            ("Jane@Example.com", true),
            ("group:platform", true),
            ("group:Platform", false),
            ("platform", false),
            ("group:jane@example.com", false),
            ("jane@example.com.evil", false),
        ] {
            assert_eq!(names(admin, &identity), is_one, "{admin}");
        }
    }

    #[test]
    fn site_admin_is_a_user_a_role_or_a_session() {
        let role = "arn:aws:iam::123456789012:role/teams/platform/Admin";
        let session = "arn:aws:sts::123456789012:assumed-role/Admin/jane";
        for (admin, user, same) in [
            ("arn:aws:iam::123456789012:user/jane", "arn:aws:iam::123456789012:user/jane", true),
            (role, session, true),
            (session, session, true),
            (role, "arn:aws:sts::210987654321:assumed-role/Admin/jane", false),
            (role, "arn:aws-cn:sts::123456789012:assumed-role/Admin/jane", false),
            (role, "arn:aws:sts::123456789012:assumed-role/Admin2/jane", false),
            (role, "arn:aws:sts::123456789012:assumed-role/Admin", false),
            (role, "arn:aws:iam::123456789012:user/Admin", false),
            (session, "arn:aws:sts::123456789012:assumed-role/Admin/joe", false),
            ("arn:aws:iam::123456789012:role/", "arn:aws:sts::123456789012:assumed-role//x", true),
        ] {
            assert_eq!(is_meant(admin, user), same, "{admin} {user}");
        }
    }
}
