//! Batches as arrays: what `unnest` turns back into rows, so that any number of subjects is one
//! statement.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::parsed_tags::ParsedTags;
use super::subjects::Subjects;
use crate::domain::{ChartContents, Contents, Observation, Reference, Resolution, TagFormats};

/// The columns of a batch of observations.
#[derive(Default)]
pub(super) struct Observations<'a> {
    pub(super) subjects: Subjects<'a>,
    pub(super) domain_names: Vec<&'a str>,
    pub(super) providers: Vec<&'a str>,
    pub(super) digests: Vec<Option<&'a str>>,
    pub(super) observed_at: Vec<OffsetDateTime>,
    pub(super) are_charts: Vec<bool>,
    pub(super) created_at: Vec<Option<OffsetDateTime>>,
    /// What was read, as JSON, by its digest: once, however many tags there are.
    pub(super) contents: BTreeMap<&'a str, String>,
    pub(super) are_requested: Vec<bool>,
    /// What the tags tell, by this version of the formats.
    pub(super) tags: ParsedTags<'a>,
    pub(super) parsed_with: Option<i64>,
    /// The digests whose every row gets what was read.
    pub(super) refreshed: BTreeSet<&'a str>,
}

impl<'a> Observations<'a> {
    /// The columns of these observations. `formats` take the tags of the charts among them apart.
    pub(super) fn of(observations: &'a [Observation], formats: Option<&'a TagFormats>) -> Self {
        let mut batch =
            Self { parsed_with: formats.map(|formats| formats.version), ..Self::default() };
        for observation in observations {
            let subject = &observation.subject;
            batch.subjects.push(subject);
            batch.domain_names.push(subject.registry.domain_name().as_str());
            batch.providers.push(subject.registry.provider().as_str());
            batch.digests.push(observation.resolution.digest().map(crate::domain::Digest::as_str));
            batch.observed_at.push(observation.observed_at);
            // Rows are of tags. A chart that was asked for by its digest is one, and makes no row.
            let (chart, created_at) = match (&subject.reference, &observation.resolution) {
                (Reference::Tag(_), Resolution::Chart { digest, created_at, contents }) => {
                    (Some((digest.as_str(), contents)), *created_at)
                }
                _ => (None, None),
            };
            batch.are_charts.push(chart.is_some());
            batch.created_at.push(created_at);
            batch.tags.push(subject.reference.as_str(), formats.filter(|_| chart.is_some()));
            batch.push_contents(chart);
        }
        batch
    }

    fn push_contents(&mut self, chart: Option<(&'a str, &ChartContents)>) {
        self.are_requested.push(matches!(chart, Some((_, ChartContents::Requested(_)))));
        let Some((digest, contents)) = chart else { return };
        if let Some(read) = contents.read() {
            self.contents.entry(digest).or_insert_with(|| columns_of(read));
        }
        if matches!(contents, ChartContents::Refreshed(_) | ChartContents::Requested(_)) {
            self.refreshed.insert(digest);
        }
    }
}

/// The columns of a chart row that are read from the chart, as one JSON object.
fn columns_of(contents: &Contents) -> String {
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
    };
    // Texts and texts of JSON: there is nothing in it that has no JSON.
    let mut text = Vec::with_capacity(contents.size() + contents.size() / 8 + 256);
    match serde_json::to_writer(&mut text, &columns) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(_) => String::new(),
    }
}
