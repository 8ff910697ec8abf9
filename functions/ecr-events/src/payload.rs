//! The payloads that the function accepts.

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::diagnose::{Request, Target};
use shared::domain::{
    Account, DomainName, Provider, Reference, Region, Registry, Selection, Subject,
};

use std::sync::Arc;
use std::time::Duration;

/// Holds one payload.
#[derive(Debug)]
pub(crate) enum EcrRequest {
    /// Holds SQS messages whose bodies are EventBridge events.
    Batch(Vec<Value>),
    /// Holds one EventBridge event.
    Event(Value),
    /// Asks for a comparison of everything that ECR lists.
    Backfill(Box<BackfillRequest>),
    /// Asks for a lookup of one tag.
    Rescan(Subject),
    /// Asks why a chart is or is not in the database.
    Diagnose(Target),
}

/// Describes a backfill: the first import or a repair.
#[derive(Debug)]
pub(crate) struct BackfillRequest {
    /// The region.
    pub(crate) region: Region,
    /// The account of the registry. The default is the function's own account.
    pub(crate) account: Option<Account>,
    /// The repositories.
    pub(crate) selection: Selection,
    /// The same as the payload has it: `repositories` and `exclude`.
    pub(crate) lists: SelectionLists,
    /// Adds new charts to a database of Platz's too, from now on.
    pub(crate) import: bool,
    /// Identifies the selection, because each selection has a progress of its own.
    pub(crate) scope: String,
    /// Skips the run if a complete run started within this time, or if a run failed within the last
    /// hour.
    pub(crate) unless_within: Option<Duration>,
}

/// The names and globs of a selection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SelectionLists {
    pub(crate) repositories: Option<Vec<String>>,
    pub(crate) exclude: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BackfillFields {
    region: String,
    repositories: Option<Vec<String>>,
    #[serde(default)]
    exclude: Vec<String>,
    registry_id: Option<String>,
    unless_within: Option<String>,
    #[serde(default)]
    import: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EcrRescanFields {
    registry: String,
    repository: String,
    tag: String,
}

/// An instance as configured, with the fields that this function uses. Other fields are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InstanceFields {
    provider: String,
    ecr_events: EcrEventsFields,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EcrEventsFields {
    region_name: String,
}

/// The shapes, as an error lists them.
const ACCEPTED: &str = "ecr-events takes an SQS batch ({\"Records\":[…]}), \
                        one EventBridge event of ECR, \
                        {\"backfill\":{\"region\":\"us-east-1\"}}, \
                        {\"rescan\":{\"registry\":…,\"repository\":…,\"tag\":…}} or \
                        {\"instance\":…,\"diagnose\":{\"registry\":…,\"repository\":…,\"tag\":…}}";

impl EcrRequest {
    /// Reads a payload.
    ///
    /// # Errors
    /// Names the field that is missing, unknown or unusable. For another shape, it names the shapes
    /// that the function accepts.
    pub(crate) fn read(payload: Value) -> anyhow::Result<Self> {
        if let Some(records) = payload.get("Records") {
            let records = records.as_array().context("Records is not a list of SQS messages")?;
            return Ok(Self::Batch(records.clone()));
        }
        if payload.get("detail-type").is_some() {
            return Ok(Self::Event(payload));
        }
        let Value::Object(mut fields) = payload else { bail!("unknown payload: {ACCEPTED}") };
        let asked = ["backfill", "rescan", "diagnose"].map(|what| fields.remove(what));
        let request = match asked {
            [Some(backfill), None, None] => {
                Self::Backfill(Box::new(BackfillRequest::read(backfill)?))
            }
            [None, Some(rescan), None] => Self::Rescan(read_rescan(rescan)?),
            [None, None, Some(diagnose)] => {
                let instance = fields.remove("instance");
                let instance =
                    instance.context("diagnose needs the instance beside it, as \"instance\"")?;
                Self::Diagnose(read_diagnose(instance, diagnose)?)
            }
            _ => bail!("unknown payload: {ACCEPTED}"),
        };
        if let Some(unknown) = fields.keys().next() {
            bail!("unknown field {unknown:?}: {ACCEPTED}");
        }
        Ok(request)
    }
}

impl SelectionLists {
    /// Reads the lists. `field` names the object that has them.
    ///
    /// # Errors
    /// Names the entry that cannot be used.
    pub(crate) fn selection(&self, field: &str) -> anyhow::Result<Selection> {
        Selection::read(field, self.repositories.as_deref(), &self.exclude)
    }
}

impl BackfillRequest {
    fn read(fields: Value) -> anyhow::Result<Self> {
        let fields: BackfillFields =
            serde_json::from_value(fields).context("backfill cannot be read")?;
        let region = fields.region.parse().context("backfill.region cannot be used")?;
        let account = fields.registry_id.as_deref().map(str::parse).transpose();
        let unless_within = fields.unless_within.as_deref().map(|text| {
            humantime::parse_duration(text).with_context(|| {
                format!("backfill.unlessWithin {text:?} is no duration such as \"24h\"")
            })
        });
        let BackfillFields { repositories, exclude, import, .. } = fields;
        let lists = SelectionLists { repositories, exclude };
        let scope = (&fields.region, &fields.registry_id, &lists.repositories, &lists.exclude);
        let mut scope = serde_json::json!(scope);
        // An import has a progress of its own, because it adds what an unfinished run passed over.
        if let Some(scope) = scope.as_array_mut().filter(|_| import) {
            scope.push("import".into());
        }
        Ok(Self {
            region,
            account: account.context("backfill.registryId cannot be used")?,
            selection: lists.selection("backfill")?,
            lists,
            import,
            scope: scope.to_string(),
            unless_within: unless_within.transpose()?,
        })
    }
}

fn read_rescan(fields: Value) -> anyhow::Result<Subject> {
    let fields: EcrRescanFields =
        serde_json::from_value(fields).context("rescan cannot be read")?;
    let domain_name: DomainName =
        fields.registry.parse().context("rescan.registry cannot be used")?;
    let registry = Registry::named(domain_name);
    if registry.provider() != Provider::Ecr {
        bail!(
            "rescan.registry {:?} is not an ECR registry: its own instance of oci-poll rescans it",
            registry.host()
        );
    }
    let repository = fields.repository.parse().context("rescan.repository cannot be used")?;
    let tag = fields.tag.parse().context("rescan.tag cannot be used")?;
    Ok(Subject { registry: Arc::new(registry), repository, reference: Reference::Tag(tag) })
}

fn read_diagnose(instance: Value, asked: Value) -> anyhow::Result<Target> {
    let instance: InstanceFields =
        serde_json::from_value(instance).context("instance cannot be used")?;
    if instance.provider != "ecr" {
        bail!("instance.provider is {:?}: oci-poll diagnoses polled registries", instance.provider);
    }
    let region: Region = instance
        .ecr_events
        .region_name
        .parse()
        .context("instance.ecrEvents.regionName cannot be used")?;
    let request = Request::read(asked)?;
    let domain_name = request.registry.as_deref().context("diagnose.registry is missing")?;
    let domain_name: DomainName =
        domain_name.parse().context("diagnose.registry cannot be used")?;
    match domain_name.address().ecr() {
        None => bail!("diagnose.registry {domain_name} is not an ECR registry"),
        Some((_, other)) if other != region => {
            bail!("diagnose.registry {domain_name} is not in the instance's region {region}")
        }
        Some(_) => request.target(Arc::new(Registry::named(domain_name))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unusable_field_is_named_and_unknown_shape_gets_the_accepted_ones() {
        let registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
        for (payload, named) in [
            (json!({}), "unknown payload: ecr-events takes an SQS batch"),
            (json!([]), "unknown payload"),
            (json!("x"), "unknown payload"),
            (json!({"Records": 3}), "Records"),
            (json!({"backfil": {}}), "unknown payload"),
            (json!({"backfill": {"region": "us-east-1"}, "more": 1}), "unknown field \"more\""),
            (json!({"backfill": {}}), "region"),
            (json!({"backfill": {"region": "nowhere"}}), "backfill.region"),
            (
                json!({"backfill": {"region": "us-east-1", "registryId": "12"}}),
                "backfill.registryId",
            ),
            (
                json!({"backfill": {"region": "us-east-1", "repositories": []}}),
                "backfill.repositories",
            ),
            (
                json!({"backfill": {"region": "us-east-1", "repositories": ["[a"]}}),
                "backfill.repositories",
            ),
            (
                json!({"backfill": {"region": "us-east-1", "unlessWithin": "soon"}}),
                "backfill.unlessWithin",
            ),
            (json!({"backfill": {"region": "us-east-1", "regions": 1}}), "regions"),
            (json!({"rescan": {"registry": registry, "repository": "a"}}), "tag"),
            (
                json!({"rescan": {"registry": "ghcr.io", "repository": "a", "tag": "1"}}),
                "rescan.registry",
            ),
            (
                json!({"rescan": {"registry": registry, "repository": "A", "tag": "1"}}),
                "rescan.repository",
            ),
            (
                json!({"rescan": {"registry": registry, "repository": "a", "tag": "-"}}),
                "rescan.tag",
            ),
        ] {
            let error = EcrRequest::read(payload)
                .map_or_else(|error| format!("{error:#}"), |_| String::new());
            assert!(
                error.contains(named) && !error.contains('\n'),
                "{error:?} does not name {named}"
            );
        }
    }

    #[test]
    fn unusable_diagnose_request_is_named() {
        let instance = |provider: &str, region: &str| {
            let ecr_events = json!({"queueName": "q", "regionName": region});
            json!({"name": "x", "provider": provider, "ecrEvents": ecr_events})
        };
        let (domain, usual) =
            ("123456789012.dkr.ecr.us-east-1.amazonaws.com", instance("ecr", "us-east-1"));
        for (instance, diagnose, named) in [
            (json!({}), json!({"registry": domain, "repository": "a"}), "instance cannot be used"),
            (
                instance("oci", "us-east-1"),
                json!({"registry": domain, "repository": "a"}),
                "instance.provider",
            ),
            (instance("ecr", "x"), json!({"registry": domain, "repository": "a"}), "regionName"),
            (
                instance("ecr", "eu-west-1"),
                json!({"registry": domain, "repository": "a"}),
                "region eu-west-1",
            ),
            (usual.clone(), json!({"repository": "a"}), "diagnose.registry is missing"),
            (
                usual.clone(),
                json!({"registry": "ghcr.io", "repository": "a"}),
                "is not an ECR registry",
            ),
            (usual.clone(), json!({"registry": domain, "repository": "A"}), "diagnose.repository"),
            (
                usual.clone(),
                json!({"registry": domain, "repository": "a", "tag": "-"}),
                "diagnose.tag",
            ),
        ] {
            let payload = json!({"instance": instance, "diagnose": diagnose});
            let error = EcrRequest::read(payload)
                .map_or_else(|error| format!("{error:#}"), |_| String::new());
            assert!(
                error.contains(named) && !error.contains('\n'),
                "{error:?} does not name {named}"
            );
        }
        let alone = json!({"diagnose": {"registry": domain, "repository": "a"}});
        assert!(
            EcrRequest::read(alone).is_err_and(|error| error.to_string().contains("\"instance\""))
        );
    }

    #[test]
    fn the_samples_in_events_are_payloads() {
        for sample in [
            include_str!("../../../events/ecr-backfill.json"),
            include_str!("../../../events/ecr-repair.json"),
            include_str!("../../../events/ecr-import.json"),
            include_str!("../../../events/ecr-rescan.json"),
            include_str!("../../../events/ecr-diagnose.json"),
        ] {
            assert!(EcrRequest::read(serde_json::from_str(sample).unwrap()).is_ok(), "{sample}");
        }
    }
}
