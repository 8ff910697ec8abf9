//! The contents of a chart on their way into their row: one JSON object.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::{Contents, LeftOut};

/// Writes the columns of `helm_chart_contents` as one JSON object, without the long texts.
pub(super) fn contents_json(contents: &Contents) -> String {
    #[derive(Serialize)]
    struct Columns<'a> {
        chart_name: Option<&'a str>,
        chart_version: Option<&'a str>,
        app_version: Option<&'a str>,
        description: Option<&'a str>,
        git_commit: Option<&'a str>,
        git_branch: Option<&'a str>,
        git_repo: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        values_ui: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        actions_schema: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        features: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        resource_types: Option<&'a RawValue>,
        error: Option<&'a str>,
        is_incomplete: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        metadata: Option<&'a RawValue>,
        left_out: &'a [LeftOut],
        has_provenance: bool,
    }
    fn json(text: Option<&String>) -> Option<&RawValue> {
        serde_json::from_str(text?).ok()
    }
    let columns = Columns {
        chart_name: contents.chart_name.as_deref(),
        chart_version: contents.chart_version.as_deref(),
        app_version: contents.app_version.as_deref(),
        description: contents.description.as_deref(),
        git_commit: contents.git_commit.as_deref(),
        git_branch: contents.git_branch.as_deref(),
        git_repo: contents.git_repo.as_deref(),
        values_ui: json(contents.values_ui.as_ref()),
        actions_schema: json(contents.actions_schema.as_ref()),
        features: json(contents.features.as_ref()),
        resource_types: json(contents.resource_types.as_ref()),
        error: contents.error.as_deref(),
        is_incomplete: contents.is_incomplete,
        metadata: json(contents.metadata.as_ref()),
        left_out: &contents.left_out,
        has_provenance: contents.has_provenance,
    };
    // This cannot fail, because texts and JSON texts always have a JSON form.
    let size = contents.size() - contents.documents_size();
    let mut text = Vec::with_capacity(size + size / 8 + 256);
    match serde_json::to_writer(&mut text, &columns) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(_) => String::new(),
    }
}
