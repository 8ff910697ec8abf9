//! Says whose tables a page shows.

use maud::{Markup, html};

use crate::app::App;
use crate::http::problem::Problem;

/// Shows whose tables these are, if they are Platz's.
pub(super) async fn note(app: &App) -> Result<Markup, Problem> {
    let schema = app.database.schema_of_platz().await?;
    Ok(html! {
        @if let Some(schema) = schema {
            p.notice.owner {
                "These tables belong to the Platz backend in schema " code { (schema) } ". The \
                 names of kinds begin the namespaces of its deployments."
            }
        }
    })
}
