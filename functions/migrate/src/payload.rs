//! What `migrate` is asked to do.

use anyhow::bail;
use serde_json::Value;

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MigrateRequest {
    /// `{}`: apply the migrations.
    Migrate,
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
    /// When it is none of the four.
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
            _ => bail!(unknown(payload)),
        }
    }
}

fn unknown(payload: &Value) -> String {
    let shown: String = payload.to_string().chars().take(200).collect();
    format!(
        "migrate does not know the payload {shown}. It takes {{}}, {{\"adopt\":\"check\"}}, \
         {{\"adopt\":true}} or {{\"unadopt\":true}}"
    )
}
