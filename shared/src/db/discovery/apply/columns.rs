//! A batch of observations as arrays. `unnest` turns them back into rows, so that one statement
//! serves any number of observations.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use tokio_postgres::types::Type;

use super::contents_json::contents_json;
use crate::db::connection::Parameter;
use crate::db::discovery::parsed_tags::ParsedTags;
use crate::db::discovery::subjects::Subjects;
use crate::domain::{
    ChartContents, Contents, Digest, Observation, PastTime, Reference, Resolution, TagFormats,
};

/// Stands in `observations` for the unknown digest of a manifest past a limit. No digest equals it,
/// so that the tag is looked at again when its turn to be verified comes.
const BEYOND_LIMITS: &str = "beyond limits";

/// Stands for the digest of an incomplete image index, for the same reason.
const INCOMPLETE_INDEX: &str = "incomplete index";

/// The batch as a table named `seen`. Its first six columns are the same in every statement, and
/// take the parameters `$1` to `$6`: [`ObservationColumns::parameters`]. A statement that needs
/// more columns numbers them itself.
macro_rules! seen {
    () => {
        seen!("", "")
    };
    ($more:literal, $columns:literal) => {
        concat!(
            "unnest(\
             $1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[]",
            $more,
            ") AS seen (registry_host, repo_name, reference, digest, observed_at, is_chart",
            $columns,
            ")"
        )
    };
}
pub(super) use seen;

/// The columns of a batch of observations. Every array has one entry per observation.
#[derive(Default)]
pub(super) struct ObservationColumns<'a> {
    pub(super) subjects: Subjects<'a>,
    pub(super) domain_names: Vec<&'a str>,
    pub(super) providers: Vec<&'a str>,
    digests: Vec<Option<&'a str>>,
    observed_at: Vec<OffsetDateTime>,
    are_charts: Vec<bool>,
    pub(super) created_at: Vec<Option<OffsetDateTime>>,
    pub(super) are_requested: Vec<bool>,
    pub(super) tags: ParsedTags<'a>,
    /// The version of the tag formats that parsed the tags.
    pub(super) parsed_with: Option<i64>,
    pub(super) contents: ContentsByDigest<'a>,
}

/// The contents that this batch brings, once per digest, because many tags may share a digest.
#[derive(Default)]
pub(super) struct ContentsByDigest<'a> {
    read: BTreeMap<&'a str, ReadContents<'a>>,
    /// The digests whose existing rows must take the new contents as well.
    refreshed: BTreeSet<&'a str>,
    /// Those of them that a rescan asked for.
    requested: BTreeSet<&'a str>,
}

/// Contents as they were read, with all but the long texts as JSON.
struct ReadContents<'a> {
    contents: &'a Contents,
    json: String,
}

/// Digests and their contents as arrays of the same length.
#[derive(Default)]
pub(super) struct ContentsColumns<'a> {
    pub(super) digests: Vec<&'a str>,
    pub(super) json: Vec<&'a str>,
    pub(super) readmes: Vec<Option<&'a str>>,
    pub(super) values: Vec<Option<&'a str>>,
    pub(super) values_schemas: Vec<Option<&'a str>>,
}

impl<'a> ObservationColumns<'a> {
    /// Turns observations into columns. `formats` parse the tags of the charts among them.
    pub(super) fn of(observations: &'a [Observation], formats: Option<&'a TagFormats>) -> Self {
        let mut batch =
            Self { parsed_with: formats.map(|formats| formats.version), ..Self::default() };
        for observation in observations {
            let subject = &observation.subject;
            batch.subjects.push(subject);
            batch.domain_names.push(subject.registry.domain_name().as_str());
            batch.providers.push(subject.registry.provider().as_str());
            batch.digests.push(stored_digest(&observation.resolution));
            batch.observed_at.push(observation.observed_at);
            let chart = chart_of(observation);
            batch.are_charts.push(chart.is_some());
            batch.created_at.push(chart.and_then(|chart| chart.created_at).map(PastTime::utc));
            batch.tags.push(subject.reference.as_str(), formats.filter(|_| chart.is_some()));
            batch.are_requested.push(observation.is_requested);
            if let Some(chart) = chart {
                batch.contents.add(chart);
            }
        }
        batch
    }

    /// Returns the parameters `$1` to `$6`: the columns of [`seen!`].
    pub(super) fn parameters(&self) -> [Parameter<'_>; 6] {
        [
            (&self.subjects.registry_hosts, Type::TEXT_ARRAY),
            (&self.subjects.repo_names, Type::TEXT_ARRAY),
            (&self.subjects.references, Type::TEXT_ARRAY),
            (&self.digests, Type::TEXT_ARRAY),
            (&self.observed_at, Type::TIMESTAMPTZ_ARRAY),
            (&self.are_charts, Type::BOOL_ARRAY),
        ]
    }
}

/// A chart that makes a row.
#[derive(Clone, Copy)]
struct ObservedChart<'a> {
    digest: &'a str,
    created_at: Option<PastTime>,
    contents: &'a ChartContents,
}

/// Returns what `observations` keeps of a resolution; `None` if nothing was found.
fn stored_digest(resolution: &Resolution) -> Option<&str> {
    match resolution {
        Resolution::BeyondLimits => Some(BEYOND_LIMITS),
        Resolution::IncompleteIndex => Some(INCOMPLETE_INDEX),
        other => other.digest().map(Digest::as_str),
    }
}

/// Returns the chart that an observation found. A chart that was looked at by its digest makes no
/// row, because each row belongs to a tag.
fn chart_of(observation: &Observation) -> Option<ObservedChart<'_>> {
    match (&observation.subject.reference, &observation.resolution) {
        (Reference::Tag(_), Resolution::Chart { digest, created_at, contents }) => {
            Some(ObservedChart { digest: digest.as_str(), created_at: *created_at, contents })
        }
        _ => None,
    }
}

impl<'a> ContentsByDigest<'a> {
    fn add(&mut self, chart: ObservedChart<'a>) {
        if let Some(contents) = chart.contents.contents() {
            let read = || ReadContents { contents, json: contents_json(contents) };
            self.read.entry(chart.digest).or_insert_with(read);
        }
        if matches!(chart.contents, ChartContents::Refreshed(_) | ChartContents::Requested(_)) {
            self.refreshed.insert(chart.digest);
        }
        if matches!(chart.contents, ChartContents::Requested(_)) {
            self.requested.insert(chart.digest);
        }
    }

    /// Returns all contents of the batch.
    pub(super) fn all(&self) -> ContentsColumns<'_> {
        let mut columns = ContentsColumns::default();
        for (digest, ReadContents { contents, json }) in &self.read {
            columns.digests.push(digest);
            columns.json.push(json);
            columns.readmes.push(contents.readme.as_deref());
            columns.values.push(contents.values_yaml.as_deref());
            columns.values_schemas.push(contents.values_schema.as_deref());
        }
        columns
    }

    /// Returns the digests whose existing rows must take the new contents as well.
    pub(super) fn refreshed(&self) -> Vec<&'a str> {
        self.refreshed.iter().copied().collect()
    }

    /// Returns the digests that a rescan asked for.
    pub(super) fn requested(&self) -> Vec<&'a str> {
        self.requested.iter().copied().collect()
    }
}
