//! What `migrate` is asked to do.

use anyhow::bail;
use serde_json::Value;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MigrateRequest {
    /// `{}`: apply the migrations.
    Migrate,
    /// `{"grant":ROLE}`: apply the migrations, and give the functions' role its rights.
    Grant {
        /// The role's name.
        role: String,
    },
    /// `{"adopt":"check"}`: say what stands in the way of an adoption.
    CheckAdoption,
    /// `{"adopt":true}`: take over a database of Platz's.
    Adopt,
    /// `{"unadopt":true}`: give it back.
    Unadopt,
}

impl MigrateRequest {
    /// Reads a payload.
    ///
    /// # Errors
    /// When it is none of the five.
    pub(crate) fn read(payload: &Value) -> anyhow::Result<Self> {
        let Some(fields) = payload.as_object() else { bail!(unknown(payload)) };
        let mut fields = fields.iter();
        match (fields.next(), fields.next()) {
            (None, _) => Ok(Self::Migrate),
            (Some((name, Value::Bool(true))), None) if name == "adopt" => Ok(Self::Adopt),
            (Some((name, Value::Bool(true))), None) if name == "unadopt" => Ok(Self::Unadopt),
            (Some((name, Value::String(value))), None) if name == "adopt" && value == "check" => {
                Ok(Self::CheckAdoption)
            }
            (Some((name, Value::String(role))), None) if name == "grant" && !role.is_empty() => {
                Ok(Self::Grant { role: role.clone() })
            }
            _ => bail!(unknown(payload)),
        }
    }
}

fn unknown(payload: &Value) -> String {
    let shown: String = payload.to_string().chars().take(200).collect();
    format!(
        "migrate does not know the payload {shown}. It takes {{}}, {{\"grant\":ROLE}}, \
         {{\"adopt\":\"check\"}}, {{\"adopt\":true}} or {{\"unadopt\":true}}"
    )
}
