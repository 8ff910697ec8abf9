//! Turns a chart's layer, or its config blob, into the columns of its row.

use std::error::Error as _;

use super::archive::Layer;
use super::kept_file::KeptDocument;
use super::{Error, extensions, metadata};
use crate::domain::{Contents, error_text};

/// The name of the config blob in errors.
const CONFIG: &str = "the config blob";

/// Returns the contents of a chart from its layer, after the layer has ended. The chart's defects
/// are in `error`. Whatever can be read in spite of them is there too. `limits` bounds its time and
/// memory.
#[must_use]
pub fn contents_of_layer(mut layer: Layer) -> Contents {
    let mut archive = layer.take_archive();
    drop(layer);
    let mut contents = Contents::default();
    let mut defects = std::mem::take(&mut archive.defects);
    let requirements = archive.documents.remove(&KeptDocument::Requirements);
    match archive.files.remove("Chart.yaml") {
        Some(bytes) => {
            defects.extend(metadata::read("Chart.yaml", &bytes, requirements, &mut contents));
        }
        // With a defect, the archive may have had one after the point where the walk ended.
        None if defects.is_empty() => defects.push(Error::NoChartYaml),
        None => {}
    }
    for (document, found) in std::mem::take(&mut archive.documents) {
        let text = found.into_text().map_err(|left_out| contents.left_out.push(left_out)).ok();
        match document {
            KeptDocument::Readme => contents.readme = text,
            KeptDocument::Values => contents.values_yaml = text,
            KeptDocument::Schema => contents.values_schema = text,
            KeptDocument::Requirements => {}
        }
    }
    defects.extend(extensions::read(archive, &mut contents));
    for defect in &defects {
        add_defect(&mut contents, defect);
    }
    contents
}

/// Adds a defect of the chart to its contents.
pub fn add_defect(contents: &mut Contents, defect: &Error) {
    let cause = defect.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    let before = contents.error.take().map(|before| format!("{before}; ")).unwrap_or_default();
    contents.error = Some(error_text(&format!("{before}{defect}{cause}")));
}

/// Adds the fields of the config blob. Its own defects are ignored, because the chart has one
/// already.
pub fn add_config(contents: &mut Contents, config: &[u8]) {
    let mut fields = Contents::default();
    metadata::read(CONFIG, config, None, &mut fields);
    contents.left_out.append(&mut fields.left_out);
    *contents = Contents {
        values_ui: contents.values_ui.take(),
        actions_schema: contents.actions_schema.take(),
        features: contents.features.take(),
        resource_types: contents.resource_types.take(),
        error: contents.error.take(),
        readme: contents.readme.take(),
        values_yaml: contents.values_yaml.take(),
        values_schema: contents.values_schema.take(),
        left_out: std::mem::take(&mut contents.left_out),
        has_provenance: contents.has_provenance,
        ..fields
    };
}
