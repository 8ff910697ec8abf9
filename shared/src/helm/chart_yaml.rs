//! The fields of `Chart.yaml` (Helm, "The Chart.yaml File"), as Helm reads them, and their JSON.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::Error;
use super::fields_in_any_case::{FieldName, fields_in_any_case};
use super::text::parse_first;

fields_in_any_case! {
    /// The fields that Helm knows. A scalar of any type is a text, as for Helm.
    ChartYaml {
        api_version: String = "apiVersion",
        name: String = "name",
        version: String = "version",
        app_version: String = "appVersion",
        description: String = "description",
        kind: String = "type",
        deprecated: Flag = "deprecated",
        kube_version: String = "kubeVersion",
        home: String = "home",
        icon: String = "icon",
        sources: Vec<Text> = "sources",
        keywords: Vec<Text> = "keywords",
        maintainers: Vec<Option<Maintainer>> = "maintainers",
        dependencies: Vec<Option<Dependency>> = "dependencies",
        annotations: BTreeMap<String, Text> = "annotations",
        condition: String = "condition",
        tags: String = "tags",
    }
}

fields_in_any_case! {
    /// A chart that this one needs.
    Dependency {
        name: String = "name",
        version: String = "version",
        repository: String = "repository",
        condition: String = "condition",
        alias: String = "alias",
        tags: Vec<Text> = "tags",
        enabled: Flag = "enabled",
        import_values: Vec<Value> = "import-values",
    }
}

fields_in_any_case! {
    /// A person who maintains the chart.
    Maintainer {
        name: String = "name",
        email: String = "email",
        url: String = "url",
    }
}

fields_in_any_case! {
    /// The file with the dependencies of a chart with `apiVersion: v1`.
    Requirements {
        dependencies: Vec<Option<Dependency>> = "dependencies",
    }
}

/// A text, which is empty if the file has null in its place, as in Go.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Text(pub(super) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<String>::deserialize(deserializer).map(|text| Self(text.unwrap_or_default()))
    }
}

/// True or false, in the words of YAML 1.1, which Helm's parser accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_any_of = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        if is_any_of(["true", "yes", "on", "y"]) {
            Ok(Self(true))
        } else if is_any_of(["false", "no", "off", "n"]) {
            Ok(Self(false))
        } else {
            Err(D::Error::custom("neither true nor false"))
        }
    }
}

impl ChartYaml {
    /// Returns all fields as JSON, also those that Helm does not know. `bytes` is the file. Returns
    /// the reason as well if those others cannot be written as JSON.
    pub(super) fn to_json(&self, file: &'static str, bytes: &[u8]) -> (Value, Option<Error>) {
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if !self.has_others {
            return (json, None);
        }
        match (parse_first::<Map<String, Value>>(file, bytes), &mut json) {
            (Ok(mut all), Value::Object(fields)) => {
                all.retain(|key, _| {
                    !Self::FIELDS.iter().any(|known| known.eq_ignore_ascii_case(key))
                });
                fields.append(&mut all);
                (json, None)
            }
            (Err(error), _) => (json, Some(error)),
            (Ok(_), _) => (json, None),
        }
    }
}
