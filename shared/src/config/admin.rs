//! The settings of `admin`, and the rules between them.

use std::net::{Ipv4Addr, SocketAddr};

use super::database::DatabaseSettings;
use super::environment::{Environment, Error};

/// The address of `admin` outside Lambda, unless `ADMIN_ADDR` names another one.
const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Settings of `admin`.
#[derive(Debug, Clone)]
pub struct Admin {
    /// The database.
    pub database: DatabaseSettings,
    /// The way to authenticate users.
    pub auth: AdminAuth,
    /// The address to listen on; `None` in Lambda.
    pub address: Option<SocketAddr>,
    /// Says whether tags are parsed.
    pub parse_tags: bool,
    /// The function to invoke after the tag formats changed.
    pub tag_parser_function: Option<String>,
}

/// The ways to authenticate users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdminAuth {
    /// No authentication: every user may change everything. Allowed on a loopback address only.
    None,
    /// The Function URL verifies the IAM identity.
    Iam {
        /// The ARNs of users, roles or role sessions that may change rows.
        site_admins: Vec<String>,
    },
    /// Users sign in at an OpenID Connect provider.
    Oidc {
        /// The ARN of the secret with issuer, client and cookie key.
        secret_arn: String,
        /// The e-mail addresses, or `group:NAME`, of users who may change rows.
        site_admins: Vec<String>,
    },
}

impl Admin {
    /// Reads the settings.
    ///
    /// # Errors
    /// The first variable that is missing, is unusable, or contradicts another one.
    pub fn read(environment: &Environment) -> Result<Self, Error> {
        let is_lambda = environment.is_lambda();
        let auth = AdminAuth::read(environment)?;
        let address = environment.parse("ADMIN_ADDR")?.unwrap_or(DEFAULT_ADDRESS);
        if !is_lambda && !address.ip().is_loopback() {
            let reason = format!(
                "others can reach {address}, and the pages use plain http: give 127.0.0.1:8080"
            );
            return Err(Error::Wrong { variable: "ADMIN_ADDR", reason });
        }
        Ok(Self {
            database: DatabaseSettings::read(environment)?,
            auth,
            address: (!is_lambda).then_some(address),
            parse_tags: environment.parses_tags()?,
            tag_parser_function: environment.get("TAG_PARSER_FUNCTION").map(str::to_owned),
        })
    }
}

impl AdminAuth {
    fn read(environment: &Environment) -> Result<Self, Error> {
        let wrong =
            |reason: &str| Err(Error::Wrong { variable: "ADMIN_AUTH", reason: reason.to_owned() });
        match (environment.get("ADMIN_AUTH").unwrap_or("none"), environment.is_lambda()) {
            ("none", false) => Ok(Self::None),
            ("none", true) => wrong(
                "none lets everyone change everything, so it is for a laptop: give oidc or iam",
            ),
            ("iam", true) => {
                let what = "an ARN, which ADMIN_AUTH=iam requires";
                Ok(Self::Iam {
                    site_admins: site_admins(environment, what, |admin| admin.starts_with("arn:"))?,
                })
            }
            ("iam", false) => {
                wrong("iam works behind a Function URL only: give oidc or none outside Lambda")
            }
            ("oidc", _) => {
                let missing = Error::Missing {
                    variable: "OIDC_SECRET_ARN",
                    remedy: "give a secret with issuer, client_id, client_secret and cookie_key",
                };
                let secret_arn = environment.get("OIDC_SECRET_ARN").ok_or(missing)?.to_owned();
                let what = "an e-mail address or group:NAME, which ADMIN_AUTH=oidc requires";
                let is_one = |admin: &str| admin.contains('@') || admin.starts_with("group:");
                Ok(Self::Oidc { secret_arn, site_admins: site_admins(environment, what, is_one)? })
            }
            _ => wrong("it must be oidc or iam, or none on a laptop"),
        }
    }
}

fn site_admins(
    environment: &Environment,
    what: &str,
    is_one: fn(&str) -> bool,
) -> Result<Vec<String>, Error> {
    let listed = environment.get("SITE_ADMINS").unwrap_or_default();
    let admins: Vec<String> = listed
        .split(',')
        .map(str::trim)
        .filter(|admin| !admin.is_empty())
        .map(str::to_owned)
        .collect();
    match admins.iter().find(|admin| !is_one(admin)) {
        Some(other) => {
            let reason = format!("{other:?} is not {what}; commas separate the site admins");
            Err(Error::Wrong { variable: "SITE_ADMINS", reason })
        }
        None => Ok(admins),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Admin, String> {
        let usual = [("DATABASE_URL", "postgres://u:hunter2@db/x")];
        let variables = usual.iter().chain(variables);
        let environment =
            variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Admin::read(&environment).map_err(|error| error.to_string())
    }

    #[test]
    fn admin_without_authentication_accepts_only_a_loopback_address() {
        let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1");
        assert_eq!(read(&[]).unwrap().address, Some(DEFAULT_ADDRESS));
        assert_eq!(read(&[("ADMIN_ADDR", "[::1]:0")]).unwrap().auth, AdminAuth::None);
        let iam = read(&[lambda, ("ADMIN_AUTH", "iam"), ("SITE_ADMINS", "arn:a, arn:b,")]).unwrap();
        let site_admins = vec!["arn:a".to_owned(), "arn:b".to_owned()];
        assert_eq!((iam.auth, iam.address), (AdminAuth::Iam { site_admins }, None));
        for (variables, named) in [
            (&[("ADMIN_ADDR", "0.0.0.0:8080")][..], "ADMIN_ADDR"),
            (&[("ADMIN_ADDR", "localhost")], "ADMIN_ADDR"),
            (&[lambda], "ADMIN_AUTH"),
            (&[lambda, ("ADMIN_AUTH", "none")], "ADMIN_AUTH"),
            (&[("ADMIN_AUTH", "iam")], "ADMIN_AUTH"),
            (&[("ADMIN_AUTH", "everybody")], "ADMIN_AUTH"),
            (&[lambda, ("ADMIN_AUTH", "iam"), ("SITE_ADMINS", "me@example.com")], "SITE_ADMINS"),
            (&[("ADMIN_AUTH", "oidc")], "OIDC_SECRET_ARN"),
            (
                &[
                    ("ADMIN_AUTH", "oidc"),
                    ("OIDC_SECRET_ARN", "x"),
                    ("SITE_ADMINS", "arn:aws:iam::1:user/x"),
                ],
                "SITE_ADMINS",
            ),
        ] {
            let error = read(variables).unwrap_err();
            assert!(error.starts_with(named) && !error.contains("hunter2"), "{error}");
        }
    }
}
