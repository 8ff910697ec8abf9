//! Reads `Chart.yaml`, a chart's own metadata (Helm, "The Chart.yaml File"). A chart's config blob
//! has the same fields as JSON.

use std::collections::HashSet;

use serde_json::Value;

use super::Error;
use super::chart_version::is_chart_version;
use super::chart_yaml::{ChartYaml, Dependency, Maintainer, Requirements};
use super::kept_file::{FoundDocument, too_large};
use super::limits::{DESCRIPTION_MAX, DOCUMENT_LIMIT, TEXT_MAX};
use super::storable::strip_nul;
use super::text::parse_first;
use crate::domain::{Contents, LeftOut};

/// Puts the fields of a `Chart.yaml` into `contents`. Returns its defects, which name the file
/// `file`. The dependencies may be in a file of their own.
pub(super) fn read(
    file: &'static str,
    bytes: &[u8],
    requirements: Option<FoundDocument>,
    contents: &mut Contents,
) -> Vec<Error> {
    let mut chart: ChartYaml = match parse_first(file, bytes) {
        Ok(chart) => chart,
        Err(defect) => return vec![defect],
    };
    let dependencies = requirements.and_then(|found| read_requirements(found, contents));
    let json = if dependencies.is_none() && !chart.has_others {
        serde_json::to_string(&chart).unwrap_or_default()
    } else {
        let (mut json, unreadable) = chart.to_json(file, bytes);
        if let Some(error) = unreadable {
            let reason =
                format!("has fields that Helm does not know and that are no JSON: {error}");
            contents.left_out.push(LeftOut::new(file, &reason));
        }
        if let (Some(dependencies), Some(fields)) = (dependencies, json.as_object_mut()) {
            fields.insert("dependencies".to_owned(), dependencies);
        }
        json.to_string()
    };
    add_metadata(file, json, contents);
    let mut fields = MetadataFields { file, defects: Vec::new() };
    // Helm 2 accepted charts without an apiVersion, so Helm takes them for v1.
    let api_version = fields.text("apiVersion", TEXT_MAX, chart.api_version);
    if let Some(other) = api_version.filter(|version| !matches!(version.as_str(), "v1" | "v2")) {
        fields.refuse("apiVersion", &other, "is unknown; known are v1 and v2".to_owned());
    }
    let name = fields.required("name", chart.name);
    contents.chart_name = name.filter(|name| fields.is_name(name));
    contents.chart_version = fields.required("version", chart.version);
    if let Some(version) = contents.chart_version.as_ref().filter(|text| !is_chart_version(text)) {
        fields.refuse("version", version, "is not a semantic version".to_owned());
    }
    contents.app_version = fields.text("appVersion", TEXT_MAX, chart.app_version);
    contents.description = fields.text("description", DESCRIPTION_MAX, chart.description);
    let mut annotation = |name| {
        let value = chart.annotations.as_mut()?.remove(name)?;
        fields.text(name, TEXT_MAX, Some(value.0))
    };
    contents.git_commit = annotation("platz.io/git/commit");
    contents.git_branch = annotation("platz.io/git/branch");
    contents.git_repo = annotation("platz.io/git/repo");
    fields.check_kind(chart.kind);
    fields.check_maintainers(&chart.maintainers.unwrap_or_default());
    fields.check_dependencies(&chart.dependencies.unwrap_or_default());
    fields.defects
}

/// Returns the dependencies in `requirements.yaml`. Leaves the file out if it cannot be read.
fn read_requirements(found: FoundDocument, contents: &mut Contents) -> Option<Value> {
    let file = found.name;
    let read = found.bytes.and_then(|bytes| {
        parse_first::<Requirements>(file, &bytes).map_err(|error| error.to_string())
    });
    match read {
        Ok(requirements) => serde_json::to_value(requirements.dependencies?).ok(),
        Err(reason) => {
            contents.left_out.push(LeftOut::new(file, &reason));
            None
        }
    }
}

/// Puts the whole `Chart.yaml` into `contents` as JSON, if it is not too large. A file without any
/// field, such as the config blob of some clients, tells nothing.
fn add_metadata(file: &'static str, mut json: String, contents: &mut Contents) {
    if matches!(json.as_str(), "" | "{}") {
        return;
    }
    if json.contains("\\u0000")
        && let Ok(mut value) = serde_json::from_str(&json)
    {
        strip_nul(&mut value);
        json = value.to_string();
    }
    let size = json.len() as u64;
    if size > DOCUMENT_LIMIT {
        let reason = format!("as JSON {}", too_large(size));
        contents.left_out.push(LeftOut::new(file, &reason));
    } else {
        contents.metadata = Some(json);
    }
}

struct MetadataFields {
    file: &'static str,
    defects: Vec<Error>,
}

impl MetadataFields {
    fn required(&mut self, field: &'static str, value: Option<String>) -> Option<String> {
        let Some(value) =
            value.map(|value| value.replace('\0', "")).filter(|value| !value.is_empty())
        else {
            self.defects.push(Error::Missing { file: self.file, field });
            return None;
        };
        self.text(field, TEXT_MAX, Some(value))
    }

    /// Removes NUL, the one character that Postgres does not store. An empty text counts as none.
    fn text(&mut self, field: &'static str, max: usize, value: Option<String>) -> Option<String> {
        let value = value?.replace('\0', "");
        if value.len() > max {
            let size = value.len();
            self.refuse(field, &value, format!("has {size} bytes; the limit is {max}"));
            return None;
        }
        Some(value).filter(|value| !value.is_empty())
    }

    /// Refuses a name that cannot name a folder, because Helm uses it for a folder and in URLs.
    fn is_name(&mut self, name: &str) -> bool {
        let is_name = !matches!(name, "." | "..") && !name.contains('/');
        if !is_name {
            self.refuse("name", name, "cannot be the name of a folder".to_owned());
        }
        is_name
    }

    fn check_kind(&mut self, kind: Option<String>) {
        let kind = kind.unwrap_or_default();
        if !matches!(kind.as_str(), "" | "application" | "library") {
            self.refuse("type", &kind, "is neither application nor library".to_owned());
        }
    }

    fn check_maintainers(&mut self, maintainers: &[Option<Maintainer>]) {
        if maintainers.iter().any(Option::is_none) {
            self.refuse("maintainers", "null", "is not a maintainer".to_owned());
        }
    }

    /// Refuses dependencies that Helm cannot tell apart.
    fn check_dependencies(&mut self, dependencies: &[Option<Dependency>]) {
        let mut names = HashSet::new();
        for dependency in dependencies {
            let Some(Dependency { name, alias, .. }) = dependency else {
                self.refuse("dependencies", "null", "is not a dependency".to_owned());
                continue;
            };
            let alias = alias.as_deref().filter(|alias| !alias.is_empty());
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if let Some(alias) = alias.filter(|alias| !alias.chars().all(is_plain)) {
                let reason = "may have only letters, digits, '_' and '-'".to_owned();
                self.refuse("dependencies.alias", alias, reason);
            }
            let name = alias.or(name.as_deref()).unwrap_or_default();
            if !names.insert(name) {
                self.refuse("dependencies", name, "is there more than once".to_owned());
            }
        }
    }

    fn refuse(&mut self, field: &'static str, value: &str, reason: String) {
        let shown: String = value.chars().take(40).collect();
        let value = if shown.len() < value.len() { format!("{shown}…") } else { shown };
        self.defects.push(Error::Wrong { file: self.file, field, value, reason });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_yaml(text: &str) -> (Contents, String) {
        let mut contents = Contents::default();
        let defects = read("Chart.yaml", text.as_bytes(), None, &mut contents);
        (contents, defects.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn both_api_versions_are_read_and_the_version_keeps_its_plus() {
        for api_version in ["v1", "v2"] {
            let (mut contents, defects) = read_yaml(&format!(
                "apiVersion: {api_version}\nname: api\nversion: 1.2.3+b.1\nappVersion: \
                 1.10\ndescription: An API\n\
                 keywords: [a]\nannotations:\n  platz.io/git/commit: abc1234\n  \
                 platz.io/git/branch: main\n  \
                 platz.io/git/repo: https://github.com/my-org/api\n  other: x\n"
            ));
            let text = |text: &str| Some(text.to_owned());
            let expected = Contents {
                chart_name: text("api"),
                chart_version: text("1.2.3+b.1"),
                app_version: text("1.10"),
                description: text("An API"),
                git_commit: text("abc1234"),
                git_branch: text("main"),
                git_repo: text("https://github.com/my-org/api"),
                ..Contents::default()
            };
            let metadata = contents.metadata.take().unwrap_or_default();
            assert!(metadata.contains(r#""keywords":["a"]"#), "{metadata}");
            assert_eq!((contents, defects.as_str()), (expected, ""));
        }
    }

    /// Hostile input 8.
    #[test]
    fn invalid_chart_name_is_named_in_the_error() {
        let chart = |name: &str| format!("apiVersion: v2\nname: '{name}'\nversion: 1.0.0\n");
        for (name, expected) in [
            (".", "name \".\" cannot be the name of a folder"),
            ("..", "name \"..\" cannot be"),
            ("a/b", "name \"a/b\" cannot be"),
            ("", "name is missing"),
            (&"n".repeat(1_000_000), "has 1000000 bytes; the limit is 512"),
        ] {
            let (contents, defects) = read_yaml(&chart(name));
            assert!(defects.contains(expected) && defects.len() < 200, "{defects}");
            assert_eq!(
                (contents.chart_name, contents.chart_version.as_deref()),
                (None, Some("1.0.0"))
            );
        }
    }

    /// Hostile input 12.
    #[test]
    fn nul_is_removed_from_metadata() {
        let (contents, defects) = read_yaml(
            "apiVersion: v2\nname: \"a\\0pi\"\nversion: 1.0.0\ndescription: \"x\\u0000y\"\n",
        );
        assert_eq!(
            (contents.chart_name.as_deref(), contents.description.as_deref()),
            (Some("api"), Some("xy"))
        );
        assert_eq!(defects, "");
        let (_, defects) = read_yaml("apiVersion: v2\nname: \"\\0\"\nversion: 1.0.0\n");
        assert_eq!(defects, "Chart.yaml: name is missing", "nothing is left of it");
    }

    /// Hostile input 13.
    #[test]
    fn overlong_text_is_refused_and_the_rest_is_read() {
        let long = "b".repeat(513);
        let (contents, defects) = read_yaml(&format!(
            "apiVersion: v2\nname: api\nversion: 1.0.0\nannotations: {{platz.io/git/branch: \
             {long}, platz.io/git/commit: c}}\n"
        ));
        assert!(
            defects.contains("Chart.yaml: platz.io/git/branch")
                && defects.contains("the limit is 512"),
            "{defects}"
        );
        assert_eq!((contents.git_branch, contents.git_commit.as_deref()), (None, Some("c")));
    }

    #[test]
    fn missing_or_unknown_field_is_named_in_the_error() {
        for (text, expected) in [
            ("apiVersion: v2\nname: a\n", "Chart.yaml: version is missing"),
            ("apiVersion: v2\nversion: '1'\n", "Chart.yaml: name is missing"),
            (
                "apiVersion: v9\nname: a\nversion: '1'\n",
                "apiVersion \"v9\" is unknown; known are v1 and v2",
            ),
            ("apiVersion: v2\nname: [a]\nversion: '1'\n", "line 2"),
            ("- a\n", "Chart.yaml: "),
        ] {
            let (_, defects) = read_yaml(text);
            assert!(defects.contains(expected) && !defects.contains('\n'), "{defects} for {text}");
        }
    }

    #[test]
    fn metadata_has_every_field_under_the_name_that_helm_gives_it() {
        let (contents, defects) = read_yaml(
            "APIVersion: v2\nName: api\nversion: 1.0.0\nkubeversion: '>=1.20'\nDeprecated: yes\n\
             appVersion: 1.10\nmaintainers: [{Name: Ann, other: x}]\nkeywords: [1, ~]\n\
             dependencies: [{name: db, Version: 1.x, repository: 'oci://host', import-values: \
             [data, {child: a, parent: b}], enabled: true}]\nannotations: {a: 1, B: ~}\n\
             custom: {deep: [1, two, ~]}\nhome: ~\n",
        );
        assert_eq!((defects.as_str(), contents.left_out.as_slice()), ("", &[][..]));
        let metadata: Value = serde_json::from_str(&contents.metadata.unwrap()).unwrap();
        assert_eq!(
            metadata,
            serde_json::json!({
                "apiVersion": "v2", "name": "api", "version": "1.0.0", "kubeVersion": ">=1.20",
                "deprecated": true, "appVersion": "1.10", "maintainers": [{"name": "Ann"}],
                "keywords": ["1", ""], "annotations": {"a": "1", "B": ""},
                "dependencies": [{"name": "db", "version": "1.x", "repository": "oci://host",
                    "import-values": ["data", {"child": "a", "parent": "b"}], "enabled": true}],
                "custom": {"deep": [1, "two", null]},
            })
        );
    }

    #[test]
    fn metadata_that_cannot_be_stored_is_named_and_the_chart_is_good() {
        let chart = "apiVersion: v2\nname: api\nversion: 1.0.0\n";
        let long = format!("{chart}annotations: {{a: {}}}\n", "x".repeat(300_000));
        let (contents, defects) = read_yaml(&long);
        assert_eq!((defects.as_str(), contents.metadata.as_deref()), ("", None));
        assert!(contents.left_out[0].reason().contains("the limit is 262144"), "{contents:?}");
        assert_eq!(contents.chart_name.as_deref(), Some("api"));

        let (contents, defects) = read_yaml(&format!("{chart}\"a\\0b\": \"c\\0d\"\n"));
        assert_eq!((defects.as_str(), contents.left_out.len()), ("", 0));
        assert!(contents.metadata.unwrap().contains(r#""ab":"cd""#));
    }

    /// Errors of YAML quote the file.
    #[test]
    fn reason_for_a_file_that_is_left_out_is_short_and_counts_as_size() {
        let yaml = format!("dependencies: [{{name: a, import-values: [{}]}}]", "9".repeat(200_000));
        let found = FoundDocument { name: "requirements.yaml", bytes: Ok(yaml.into_bytes()) };
        let mut contents = Contents::default();
        read("Chart.yaml", b"name: api\nversion: 1.0.0\n", Some(found), &mut contents);
        let size = contents.size();
        let reason = contents.left_out[0].reason();
        assert!(reason.contains("999") && reason.len() <= 2048, "{} bytes", reason.len());
        assert!(size > reason.len());
    }

    #[test]
    fn dependencies_of_a_first_version_chart_come_from_requirements_yaml() {
        let read_both = |requirements: &str| {
            let found = FoundDocument {
                name: "requirements.yaml",
                bytes: Ok(requirements.as_bytes().to_vec()),
            };
            let mut contents = Contents::default();
            let chart = b"apiVersion: v1\nname: api\nversion: 1.0.0\n";
            let defects = read("Chart.yaml", chart, Some(found), &mut contents);
            assert!(defects.is_empty(), "{defects:?}");
            let metadata: Value = serde_json::from_str(&contents.metadata.unwrap()).unwrap();
            (metadata["dependencies"].clone(), contents.left_out.len())
        };
        let db = serde_json::json!([{"name": "db", "version": "1"}]);
        assert_eq!(read_both("dependencies:\n- {name: db, version: 1}\n"), (db, 0));
        assert_eq!(read_both("other: 1\n"), (Value::Null, 0));
        assert_eq!(read_both("dependencies: [\n"), (Value::Null, 1));
    }
}
