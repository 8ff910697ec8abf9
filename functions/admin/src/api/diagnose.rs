//! `/diagnose`: for site admins only, because it shows what is in registries that users may not
//! read.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::user::SiteAdmin;
use crate::app::App;
use crate::diagnose::{self, ChartDiagnosis};
use crate::http::extract::Query;
use crate::http::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DiagnoseQuery {
    /// `registry/repository:tag`, `oci://registry/repository`, or either with `@` and a digest.
    #[param(max_length = 1024)]
    reference: String,
}

/// Why a chart is or is not there
///
/// Asks the registry through the function that has its credentials. That takes some seconds if the
/// registry is slow. Writes nothing.
#[utoipa::path(get, path = "/diagnose", tag = "Diagnosis", operation_id = "diagnoseHelmChart",
    params(DiagnoseQuery), responses((status = OK, body = ChartDiagnosis)))]
async fn get(
    State(app): State<App>,
    admin: SiteAdmin,
    Query(query): Query<DiagnoseQuery>,
) -> Result<Json<ChartDiagnosis>, Problem> {
    diagnose::diagnose(&app, &admin, &query.reference).await.map(Json)
}
