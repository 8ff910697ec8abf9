//! Changes that concern Platz's deployments, which a person must confirm.

use shared::db::AffectedDeployments;

use crate::http::problem::Problem;

/// Whether the person who asks for a change has confirmed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmation {
    Missing,
    Given,
}

impl Confirmation {
    /// Reads the field `confirm` of a form.
    pub(crate) fn of_form(field: &str) -> Self {
        Self::from(field == "true")
    }
}

impl From<bool> for Confirmation {
    fn from(is_given: bool) -> Self {
        if is_given { Self::Given } else { Self::Missing }
    }
}

/// Refuses a change that concerns deployments and is not confirmed. `because` says what the change
/// means for them.
///
/// # Errors
/// 409, with the deployments.
pub(crate) fn require(
    confirmation: Confirmation,
    deployments: AffectedDeployments,
    because: &str,
) -> Result<(), Problem> {
    let AffectedDeployments { total, names } = &deployments;
    if confirmation == Confirmation::Given || *total == 0 {
        return Ok(());
    }
    let noun = if *total == 1 { "deployment of Platz's" } else { "deployments of Platz's" };
    let named = i64::try_from(names.len()).unwrap_or(i64::MAX);
    let more = match total - named {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let detail = format!(
        "this concerns {total} {noun}: {}{more}. {because}. Confirm the change to make it",
        names.join(", ")
    );
    Err(Problem::unconfirmed(detail, deployments))
}
