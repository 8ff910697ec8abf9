//! What `migrate` is asked to do.

use anyhow::bail;
use serde_json::{Map, Value};

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MigrateRequest {
    /// `{}`: apply the migrations.
    Migrate,
    /// `{"grant":ROLE}`: apply the migrations, and give the functions' role its rights.
    Grant(GrantRequest),
    /// `{"adopt":"check"}`: say what stands in the way of an adoption.
    CheckAdoption,
    /// `{"adopt":true}`: take over a database of Platz's.
    Adopt,
    /// `{"unadopt":true}`: give it back.
    Unadopt,
}

/// The role that gets the rights of the functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GrantRequest {
    /// The role's name.
    pub(crate) role: String,
    /// `"login":"iam"`: makes the role if there is none. It logs in to RDS with IAM tokens.
    pub(crate) makes_iam_login: bool,
}

impl MigrateRequest {
    /// Reads a payload.
    ///
    /// # Errors
    /// When it is none of these.
    pub(crate) fn read(payload: &Value) -> anyhow::Result<Self> {
        let Some(fields) = payload.as_object() else { bail!(unknown(payload)) };
        if let Some(grant) = GrantRequest::read(fields) {
            return Ok(Self::Grant(grant));
        }
        let mut fields = fields.iter();
        match (fields.next(), fields.next()) {
            (None, _) => Ok(Self::Migrate),
            (Some((name, Value::Bool(true))), None) if name == "adopt" => Ok(Self::Adopt),
            (Some((name, Value::Bool(true))), None) if name == "unadopt" => Ok(Self::Unadopt),
            (Some((name, Value::String(value))), None) if name == "adopt" && value == "check" => {
                Ok(Self::CheckAdoption)
            }
            _ => bail!(unknown(payload)),
        }
    }
}

impl GrantRequest {
    /// Reads `{"grant":ROLE}`, with or without `"login":"iam"`. Returns `None` for anything else.
    fn read(fields: &Map<String, Value>) -> Option<Self> {
        let role = fields.get("grant")?.as_str().filter(|role| !role.is_empty())?;
        let makes_iam_login = match fields.get("login") {
            None => false,
            Some(login) if login == "iam" => true,
            Some(_) => return None,
        };
        let is_all = fields.len() == 1 + usize::from(makes_iam_login);
        is_all.then(|| Self { role: role.to_owned(), makes_iam_login })
    }
}

fn unknown(payload: &Value) -> String {
    let shown: String = payload.to_string().chars().take(200).collect();
    format!(
        "migrate does not know the payload {shown}. It takes {{}}, {{\"grant\":ROLE}}, \
         {{\"grant\":ROLE,\"login\":\"iam\"}}, \
         {{\"adopt\":\"check\"}}, {{\"adopt\":true}} or {{\"unadopt\":true}}"
    )
}
