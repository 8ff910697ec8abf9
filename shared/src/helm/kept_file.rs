//! Decides which files of a chart are kept, and under which name.

use super::limits::DOCUMENT_LIMIT;
use crate::domain::LeftOut;

/// The files that are read into columns. A chart whose file is past a limit is BROKEN.
const READ: [&str; 8] = [
    "Chart.yaml",
    "platz/values-ui.yaml",
    "platz/actions.yaml",
    "platz/features.yaml",
    "platz/resources.yaml",
    "values.ui.json",
    "actions.schema.json",
    "features.json",
];

/// The names that `helm show readme` accepts, in any case.
const READMES: [&str; 3] = ["README.md", "README.txt", "README"];

/// A file of a chart that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeptFile {
    /// Its path in the chart's folder. A README has the usual case.
    pub(super) name: &'static str,
    /// `None` if it is read into columns.
    pub(super) document: Option<KeptDocument>,
}

/// A file that is shown to people. If it cannot be kept, it is left out, and the chart stays
/// usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeptDocument {
    /// The dependencies of a chart with `apiVersion: v1`.
    Requirements,
    /// The README.
    Readme,
    /// The default values.
    Values,
    /// The JSON schema of the values.
    Schema,
}

/// A document that the archive has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FoundDocument {
    /// The name of its file.
    pub(super) name: &'static str,
    /// Its bytes, or the reason why they are not kept.
    pub(super) bytes: Result<Vec<u8>, String>,
}

/// Returns the file to keep at a path in the chart's folder.
pub(super) fn kept_file(path: &str) -> Option<KeptFile> {
    if let Some(name) = READ.into_iter().find(|name| *name == path) {
        return Some(KeptFile { name, document: None });
    }
    let (name, document) = match path {
        "requirements.yaml" => ("requirements.yaml", KeptDocument::Requirements),
        "values.yaml" => ("values.yaml", KeptDocument::Values),
        "values.schema.json" => ("values.schema.json", KeptDocument::Schema),
        _ => {
            let name = READMES.into_iter().find(|name| name.eq_ignore_ascii_case(path))?;
            (name, KeptDocument::Readme)
        }
    };
    Some(KeptFile { name, document: Some(document) })
}

impl FoundDocument {
    /// Returns the text for its column. Helm ignores the mark of the byte order. NUL is removed,
    /// because Postgres does not store it.
    pub(super) fn into_text(self) -> Result<String, LeftOut> {
        let text = self.bytes.and_then(|bytes| {
            let mut text = String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())?;
            text.retain(|character| character != '\0');
            Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
        });
        text.map_err(|reason| LeftOut::new(self.name, &reason))
    }
}

/// Says that something has too many bytes.
pub(super) fn too_large(size: u64) -> String {
    format!("has {size} bytes; the limit is {DOCUMENT_LIMIT}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_is_found_in_any_case_and_other_files_only_in_theirs() {
        for (path, expected) in [
            ("README.md", Some(("README.md", Some(KeptDocument::Readme)))),
            ("readme.TXT", Some(("README.txt", Some(KeptDocument::Readme)))),
            ("ReadMe", Some(("README", Some(KeptDocument::Readme)))),
            ("README.rst", None),
            ("docs/README.md", None),
            ("values.yaml", Some(("values.yaml", Some(KeptDocument::Values)))),
            ("Values.yaml", None),
            ("values.schema.json", Some(("values.schema.json", Some(KeptDocument::Schema)))),
            ("requirements.yaml", Some(("requirements.yaml", Some(KeptDocument::Requirements)))),
            ("Chart.yaml", Some(("Chart.yaml", None))),
            ("chart.yaml", None),
            ("charts/sub/values.yaml", None),
        ] {
            let found = kept_file(path).map(|file| (file.name, file.document));
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn document_becomes_a_text_that_postgres_stores() {
        let text = |bytes: &[u8]| {
            let found = FoundDocument { name: "values.yaml", bytes: Ok(bytes.to_vec()) };
            found.into_text().map_err(|left_out| left_out.reason().to_owned())
        };
        assert_eq!(text("\u{feff}a: ü\0\n".as_bytes()), Ok("a: ü\n".to_owned()));
        assert_eq!(text(b"a: \xff"), Err("is not UTF-8".to_owned()));
    }
}
