//! One chart with all that is in it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use utoipa::ToSchema;
use uuid::Uuid;

use super::metadata::ChartMetadata;
use super::row::{HelmChart, select};
use crate::db::{Database, Error};
use crate::domain::LeftOut;

/// A chart with all that is in it. Lists leave the documents out, because they may be megabytes.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HelmChartDocuments {
    /// The chart row.
    #[serde(flatten)]
    pub chart: HelmChart,
    /// What people want to know of Chart.yaml.
    #[serde(flatten)]
    pub about: ChartMetadata,
    /// All of `Chart.yaml`. `null` if it is past a limit, or if the chart was not read yet.
    #[schema(required)]
    pub metadata: Option<Value>,
    /// The README.
    #[schema(required)]
    pub readme: Option<String>,
    /// `values.yaml`, with its comments.
    #[schema(required)]
    pub values_yaml: Option<String>,
    /// `values.schema.json`.
    #[schema(required)]
    pub values_schema: Option<String>,
    /// The files that are not kept, because they are past a limit or not UTF-8.
    pub left_out: Vec<LeftOut>,
    /// `platz/values-ui.yaml`.
    #[schema(required)]
    pub values_ui: Option<Value>,
    /// `platz/actions.yaml`.
    #[schema(required)]
    pub actions_schema: Option<Value>,
    /// `platz/features.yaml`.
    #[schema(required)]
    pub features: Option<Value>,
    /// `platz/resources.yaml`.
    #[schema(required)]
    pub resource_types: Option<Value>,
}

const GET: &str = concat!(
    select!(
        "contents.description",
        ", chart.values_ui, chart.actions_schema, chart.features, chart.resource_types,
    contents.metadata, contents.readme, contents.values_yaml, contents.values_schema,
    contents.left_out"
    ),
    "\
FROM helm_charts AS chart
LEFT JOIN helm_chart_contents AS contents ON contents.digest = chart.image_digest
WHERE chart.id = $1"
);

impl Database {
    /// Returns the chart with an id, available or not.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn get_chart(&self, id: Uuid) -> Result<Option<HelmChartDocuments>, Error> {
        self.get("read the chart", GET, &[(&id, Type::UUID)], HelmChartDocuments::read).await
    }
}

impl HelmChartDocuments {
    fn read(row: &Row) -> Result<Self, tokio_postgres::Error> {
        let metadata: Option<Value> = row.try_get("metadata")?;
        // The program wrote both, so that they have the expected form.
        let about =
            metadata.as_ref().and_then(|metadata| ChartMetadata::deserialize(metadata).ok());
        let left_out: Option<Value> = row.try_get("left_out")?;
        let left_out = left_out.and_then(|left_out| serde_json::from_value(left_out).ok());
        Ok(Self {
            chart: HelmChart::read(row)?,
            about: about.unwrap_or_default(),
            metadata,
            readme: row.try_get("readme")?,
            values_yaml: row.try_get("values_yaml")?,
            values_schema: row.try_get("values_schema")?,
            left_out: left_out.unwrap_or_default(),
            values_ui: row.try_get("values_ui")?,
            actions_schema: row.try_get("actions_schema")?,
            features: row.try_get("features")?,
            resource_types: row.try_get("resource_types")?,
        })
    }
}
