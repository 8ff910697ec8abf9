//! From a chart's layer, or its config blob, to the columns of its row.

use std::error::Error as _;

use super::archive::Layer;
use super::limits::ERROR_MAX;
use super::{Error, extensions, metadata};
use crate::domain::Contents;

/// What the config blob is called in errors.
const CONFIG: &str = "the config blob";

impl Layer {
    /// What the layer tells, once it has ended. What is wrong with the chart is in its `error`;
    /// what was there before or beside that is read all the same. Takes a while, and memory: see
    /// `limits`.
    #[must_use]
    pub fn into_contents(mut self) -> Contents {
        let mut archive = self.take_archive();
        drop(self);
        let mut contents = Contents::default();
        let mut defects = std::mem::take(&mut archive.defects);
        match archive.files.remove("Chart.yaml") {
            Some(bytes) => defects.extend(metadata::read("Chart.yaml", &bytes, &mut contents)),
            // An archive that is cut may have had one.
            None if defects.is_empty() => defects.push(Error::NoChartYaml),
            None => {}
        }
        defects.extend(extensions::read(archive, &mut contents));
        for defect in &defects {
            contents.add_defect(defect);
        }
        contents
    }
}

impl Contents {
    /// Notes one more thing that is wrong with the chart.
    pub fn add_defect(&mut self, defect: &Error) {
        let cause = defect.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        let before = self.error.take().map(|before| format!("{before}; ")).unwrap_or_default();
        let mut text = one_line(&format!("{before}{defect}{cause}"));
        if text.len() > ERROR_MAX {
            let ellipsis = "…";
            text.truncate(text.floor_char_boundary(ERROR_MAX - ellipsis.len()));
            text.push_str(ellipsis);
        }
        self.error = Some(text);
    }

    /// Whether nothing could be read of `Chart.yaml`, so that the config blob may tell more.
    #[must_use]
    pub fn is_nameless(&self) -> bool {
        self.chart_name.is_none() && self.chart_version.is_none()
    }

    /// Adds what the config blob says. What is wrong with it is not of interest: the chart is
    /// broken already.
    pub fn add_config(&mut self, config: &[u8]) {
        let mut told = Self::default();
        metadata::read(CONFIG, config, &mut told);
        let Self { values_ui, actions_schema, features, resource_types, error, .. } =
            std::mem::take(self);
        *self = Self { values_ui, actions_schema, features, resource_types, error, ..told };
    }
}

/// Quotes from strangers' files may hold anything: no line ends, no control characters, nothing
/// that reverses text.
fn one_line(text: &str) -> String {
    let reverses = |c: char| {
        matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' |
        '\u{2066}'..='\u{2069}')
    };
    let shown = text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c });
    shown.filter(|c| !c.is_control() && !reverses(*c)).collect()
}
