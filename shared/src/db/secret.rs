//! The database's credentials in AWS Secrets Manager, in the JSON shape that RDS writes. A person
//! or the console may have written the fields as text, and RDS's own secret has only the
//! credentials.

use std::net::IpAddr;

use serde_json::{Map, Value};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::Error;
use crate::aws;
use crate::config::DatabaseUrl;

const SETTING: &str = "DATABASE_SECRET_ARN";

/// The fields, as an error lists them.
const FIELDS: &str = "username, password, host and, if need be, port and dbname";

/// The reason why a secret is not usable. It never quotes the secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum InvalidSecret {
    #[error("it is not JSON with {FIELDS}: it lacks {}{}", .0.join(" and "), remedy(.0))]
    Missing(Vec<&'static str>),
    #[error("its field {0} is neither a text nor a whole number")]
    Type(&'static str),
    #[error("its field port is no port")]
    Port,
}

/// Reads the secret, and turns it into the driver's settings. `url` says where the server is, if
/// `DATABASE_URL` is set too. TLS is required, except for a server on this machine.
pub(super) async fn read(arn: &str, url: Option<&DatabaseUrl>) -> Result<Config, Error> {
    let secret: Map<String, Value> = aws::read_secret(arn, FIELDS)
        .await
        .map_err(|source| Error::Login { setting: SETTING, source })?;
    driver_config(&secret, url).map_err(|invalid| Error::Login {
        setting: SETTING,
        source: aws::Error::new(format!("use the secret {arn}"), invalid.to_string()),
    })
}

fn driver_config(
    secret: &Map<String, Value>,
    url: Option<&DatabaseUrl>,
) -> Result<Config, InvalidSecret> {
    let [username, password, host, port, dbname] =
        ["username", "password", "host", "port", "dbname"].map(|field| text(secret, field));
    let (username, password, host) = (username?, password?, host?);
    let needed = [("username", &username), ("password", &password), ("host", &host)];
    let missing = needed
        .iter()
        .filter(|(field, value)| value.is_none() && (*field != "host" || url.is_none()));
    let missing: Vec<&'static str> = missing.map(|(field, _)| *field).collect();
    if !missing.is_empty() {
        return Err(InvalidSecret::Missing(missing));
    }

    let mut config = url.map_or_else(Config::new, |url| url.driver_config().clone());
    config.user(username.unwrap_or_default()).password(password.unwrap_or_default());
    if config.get_hosts().is_empty() {
        config.host(host.unwrap_or_default());
    }
    if config.get_ports().is_empty() {
        let port = port?.map(|port| port.trim().parse()).transpose();
        config.port(port.map_err(|_| InvalidSecret::Port)?.unwrap_or(5432));
    }
    if config.get_dbname().is_none() {
        config.dbname(dbname?.as_deref().unwrap_or("postgres"));
    }
    let is_disabled = config.get_ssl_mode() == SslMode::Disable;
    if !is_disabled && !config.get_hosts().iter().any(is_local) {
        config.ssl_mode(SslMode::Require);
    }
    Ok(config)
}

/// Returns a field as a text. A number is its text, because the console's editor makes texts of
/// numbers and a password may look like one. An empty field counts as missing.
fn text(secret: &Map<String, Value>, field: &'static str) -> Result<Option<String>, InvalidSecret> {
    match secret.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        // A longer number would lose digits.
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
            Ok(Some(number.to_string()))
        }
        Some(_) => Err(InvalidSecret::Type(field)),
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(host) => host.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        Host::Unix(_) => true,
    }
}

/// Returns what to do about a secret that RDS manages itself.
fn remedy(missing: &[&'static str]) -> &'static str {
    if missing == ["host"] {
        "; set DATABASE_URL to postgres://HOST:PORT/DBNAME beside it"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the settings of a secret as `user password host port dbname`, or the error.
    fn read(secret: &Value, url: Option<&str>) -> String {
        let url: Option<DatabaseUrl> = url.map(|url| url.parse().unwrap());
        match driver_config(secret.as_object().unwrap(), url.as_ref()) {
            Ok(config) => format!(
                "{} {} {:?} {:?} {} {:?}",
                config.get_user().unwrap(),
                String::from_utf8_lossy(config.get_password().unwrap()),
                config.get_hosts(),
                config.get_ports(),
                config.get_dbname().unwrap(),
                config.get_ssl_mode(),
            ),
            Err(error) => error.to_string(),
        }
    }

    /// Case from the field 30.
    #[test]
    fn fields_of_a_secret_may_be_numbers_or_texts() {
        let expected = r#"app 123 [Tcp("db.example")] [5433] charts Require"#;
        for (port, password) in [
            (json!(5433), json!("123")),
            (json!("5433"), json!(123)),
            (json!(" 5433 "), json!(123)),
        ] {
            let secret = json!({"username": "app", "password": password, "host": "db.example",
                "port": port, "dbname": "charts", "engine": "postgres"});
            assert_eq!(read(&secret, None), expected, "{secret}");
        }
        let complete = json!({"username": "app", "password": "p", "host": "127.0.0.1"});
        assert_eq!(read(&complete, None), r#"app p [Tcp("127.0.0.1")] [5432] postgres Prefer"#);
        for (field, value, named) in [
            ("port", json!("x"), "port is no port"),
            ("port", json!(70_000), "port is no port"),
            ("port", json!([1]), "field port"),
            ("password", json!(1.5), "field password"),
            ("host", json!({"a": "hunter2"}), "field host"),
            ("dbname", json!(true), "field dbname"),
        ] {
            let mut secret = complete.clone();
            secret[field] = value;
            let error = read(&secret, None);
            assert!(error.contains(named) && !error.contains("hunter2"), "{error}");
        }
    }

    /// Case from the field 31.
    #[test]
    fn secret_of_rds_itself_is_completed_by_the_url() {
        let secret = json!({"username": "app", "password": "p"});
        let url = "postgres://db.example:5433/charts?application_name=x";
        let expected = r#"app p [Tcp("db.example")] [5433] charts Require"#;
        assert_eq!(read(&secret, Some(url)), expected);
        let disabled = read(&secret, Some("postgres://db.example/charts?sslmode=disable"));
        assert!(disabled.ends_with("charts Disable"), "{disabled}");
        let more = json!({"username": "app", "password": "p", "host": "old", "dbname": "old"});
        assert_eq!(read(&more, Some(url)), expected, "the URL's host counts");

        let error = read(&secret, None);
        assert!(error.contains("lacks host; set DATABASE_URL"), "{error}");
        let error = read(&json!({"password": "p", "username": ""}), None);
        assert!(error.ends_with("it lacks username and host"), "{error}");
        let error = read(&json!({"username": "app"}), Some(url));
        assert!(error.ends_with("it lacks password"), "{error}");
    }
}
