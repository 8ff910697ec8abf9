//! Reads the extension files, in which a chart describes its inputs, actions, features and resource
//! types to Platz. The types come from the `platz-chart-ext` crate. The columns hold their JSON, as
//! the predecessor stores it.

use platz_chart_ext::resource_types::{ChartExtResourceTypeV1Beta1, ChartExtResourceTypes};
use platz_chart_ext::{
    ChartExtActionsV0, ChartExtActionsV1Beta1, ChartExtFeaturesV0, ChartExtFeaturesV1Beta1,
    ChartExtFeaturesV1Beta2, UiSchemaV0, UiSchemaV1Beta1,
};
use serde::de::DeserializeOwned;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::Error;
use super::archive::Archive;
use super::limits::COLUMNS_LIMIT;
use super::storable::strip_nul;
use super::text::parse;
use crate::domain::Contents;

/// The names of a chart's four extension files. The legacy format has no file for resource types.
struct Names {
    values_ui: &'static str,
    actions: &'static str,
    features: &'static str,
    resource_types: Option<&'static str>,
}

const IN_PLATZ_FOLDER: Names = Names {
    values_ui: "platz/values-ui.yaml",
    actions: "platz/actions.yaml",
    features: "platz/features.yaml",
    resource_types: Some("platz/resources.yaml"),
};

const LEGACY: Names = Names {
    values_ui: "values.ui.json",
    actions: "actions.schema.json",
    features: "features.json",
    resource_types: None,
};

const V1BETA1: &str = "platz.io/v1beta1";
const V1BETA2: &str = "platz.io/v1beta2";

/// Puts the extension files of a chart into `contents`. Returns their defects.
pub(super) fn read(mut archive: Archive, contents: &mut Contents) -> Vec<Error> {
    let names = if archive.has_platz_folder { IN_PLATZ_FOLDER } else { LEGACY };
    let (mut defects, mut total) = (Vec::new(), 0);
    // Reads one file after the other, so that each file is dropped before the next one is parsed.
    let mut column =
        |file: Option<&'static str>, read: fn(&'static str, Vec<u8>) -> Result<String, Error>| {
            let (file, bytes) = file.and_then(|file| archive.files.remove_entry(file))?;
            let text = read(file, bytes).and_then(|text| {
                total += text.len();
                if total > COLUMNS_LIMIT { Err(Error::JsonTooLarge { file }) } else { Ok(text) }
            });
            text.map_err(|defect| defects.push(defect)).ok()
        };
    contents.values_ui = column(Some(names.values_ui), values_ui);
    contents.actions_schema = column(Some(names.actions), actions);
    contents.features = column(Some(names.features), features);
    contents.resource_types = column(names.resource_types, resource_types);
    defects
}

// The functions below check the version first, for two reasons. The crate's own enums try each
// version in turn, so their error only says that no version fits. They also read features of an
// unknown version as empty features of the oldest version.

fn values_ui(file: &'static str, bytes: Vec<u8>) -> Result<String, Error> {
    match api_version(file, &bytes)?.as_deref() {
        None => column::<UiSchemaV0>(file, bytes),
        Some(V1BETA1) => column::<UiSchemaV1Beta1>(file, bytes),
        Some(other) => Err(unknown_version(file, other, V1BETA1)),
    }
}

fn actions(file: &'static str, bytes: Vec<u8>) -> Result<String, Error> {
    if parse::<Vec<IgnoredAny>>(file, &bytes).is_ok() {
        column::<ChartExtActionsV1Beta1>(file, bytes)
    } else {
        column::<ChartExtActionsV0>(file, bytes)
    }
}

fn features(file: &'static str, bytes: Vec<u8>) -> Result<String, Error> {
    match api_version(file, &bytes)?.as_deref() {
        None => column::<ChartExtFeaturesV0>(file, bytes),
        Some(V1BETA1) => column::<ChartExtFeaturesV1Beta1>(file, bytes),
        Some(V1BETA2) => column::<ChartExtFeaturesV1Beta2>(file, bytes),
        Some(other) => Err(unknown_version(file, other, "platz.io/v1beta1 and platz.io/v1beta2")),
    }
}

fn resource_types(file: &'static str, bytes: Vec<u8>) -> Result<String, Error> {
    // Parses the elements first, because the error of the whole list does not name the defect.
    parse::<Vec<ChartExtResourceTypeV1Beta1>>(file, &bytes)?;
    column::<ChartExtResourceTypes>(file, bytes)
}

fn api_version(file: &'static str, bytes: &[u8]) -> Result<Option<String>, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        api_version: Option<String>,
    }
    Ok(parse::<Version>(file, bytes)?.api_version)
}

fn unknown_version(file: &'static str, version: &str, known: &str) -> Error {
    let shown: String = version.chars().take(40).collect();
    Error::Wrong {
        file,
        field: "apiVersion",
        value: shown,
        reason: format!("is unknown; known are {known}"),
    }
}

/// Returns a file as the JSON text for its column.
fn column<T: DeserializeOwned + Serialize>(
    file: &'static str,
    bytes: Vec<u8>,
) -> Result<String, Error> {
    let typed: T = parse(file, &bytes)?;
    // Reuses the file's memory, because the text is about as long as the file.
    let mut text = bytes;
    text.clear();
    let malformed = |error: serde_json::Error| Error::Malformed { file, reason: error.to_string() };
    serde_json::to_writer(&mut text, &typed).map_err(malformed)?;
    let mut text = String::from_utf8(text).map_err(|_| Error::NotUtf8 { file })?;
    if text.contains("\\u0000") {
        let mut value = serde_json::from_str(&text).map_err(malformed)?;
        strip_nul(&mut value);
        text = value.to_string();
    }
    Ok(text)
}
