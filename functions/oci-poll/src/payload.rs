//! The payloads that the function accepts.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::diagnose::{self, Target};
use shared::domain::{DomainName, Reference, Registry, Repository, Subject};

use crate::instance::Instance;
use crate::release::Release;
use crate::schedule::Due;

/// A payload.
#[derive(Debug)]
pub(crate) enum OciPayload {
    /// A request about an instance.
    OfInstance {
        /// The instance.
        instance: Box<Instance>,
        /// The request.
        request: OciRequest,
    },
    /// Looks at what webhooks named. Each value is a record of SQS.
    Hints(Vec<Value>),
    /// Ends the rows of a registry that no instance watches.
    Orphans(Registry),
}

/// The work that the function is invoked for.
#[derive(Debug)]
pub(crate) enum OciRequest {
    /// Polls the registry.
    Poll(Due),
    /// Reads one chart of the registry again.
    Rescan(Subject),
    /// Reads every chart of the instance again.
    RescanAll,
    /// Decides about the tags that are held back.
    Release(Release),
    /// Ends the charts of a repository that the registry does not show.
    ReleaseHidden(Repository),
    /// Answers why a chart is or is not there.
    Diagnose(Target),
}

/// The fields beside `instance` that ask for something else than a poll by the schedule.
const REQUESTS: [&str; 4] = ["rescan", "diagnose", "now", "release"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseFields {
    repository: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RescanFields {
    /// Optional, because the instance has its registry. `ecr-events` accepts the same payload.
    registry: Option<String>,
    repository: String,
    tag: String,
}

impl OciPayload {
    /// Reads a payload: an instance, an instance with a request beside it, `{"orphans":…}`, or a
    /// batch of SQS.
    ///
    /// # Errors
    /// Names the field that is missing, unknown or unusable.
    pub(crate) fn read(payload: Value) -> anyhow::Result<Self> {
        let Value::Object(mut fields) = payload else { return Self::poll(payload) };
        if let Some(records) = fields.remove("Records") {
            let Value::Array(records) = records else {
                bail!("Records is not a list of SQS messages")
            };
            return Ok(Self::Hints(records));
        }
        if let Some(domain) = fields.remove("orphans") {
            return Self::orphans(domain, &fields);
        }
        let mut asked = REQUESTS.iter().filter_map(|what| Some((*what, fields.remove(*what)?)));
        match (asked.next(), asked.next()) {
            (None, _) => Self::poll(fields.into()),
            (Some((first, _)), Some((second, _))) => {
                bail!("{first} and {second} exclude each other")
            }
            (Some((what, value)), None) => {
                let instance = read_instance_beside(what, fields)?;
                let request = OciRequest::read(what, value, &instance)?;
                Ok(Self::OfInstance { instance: Box::new(instance), request })
            }
        }
    }

    fn poll(instance: Value) -> anyhow::Result<Self> {
        let instance = Box::new(Instance::read(instance)?);
        Ok(Self::OfInstance { instance, request: OciRequest::Poll(Due::BySchedule) })
    }

    fn orphans(domain: Value, others: &Map<String, Value>) -> anyhow::Result<Self> {
        if let Some(unknown) = others.keys().next() {
            bail!("unknown field {unknown:?} beside orphans");
        }
        let domain: String = serde_json::from_value(domain).context("orphans is no text")?;
        let domain: DomainName = domain.parse().context("orphans cannot be used")?;
        Ok(Self::Orphans(Registry::named(domain)))
    }
}

impl OciRequest {
    /// Reads the value of one of [`REQUESTS`].
    fn read(what: &str, value: Value, instance: &Instance) -> anyhow::Result<Self> {
        match what {
            "rescan" if value.as_object().is_some_and(Map::is_empty) => Ok(Self::RescanAll),
            "rescan" => read_rescan(instance, value).map(Self::Rescan),
            "diagnose" => read_diagnose(instance, value).map(Self::Diagnose),
            "now" if value == Value::Bool(true) => Ok(Self::Poll(Due::Now)),
            "now" => bail!("now must be true"),
            _ => match value.as_bool() {
                Some(true) => Ok(Self::Release(Release::Apply)),
                Some(false) => Ok(Self::Release(Release::HoldAgain)),
                None => read_released(value).map(Self::ReleaseHidden),
            },
        }
    }
}

fn read_instance_beside(what: &str, mut fields: Map<String, Value>) -> anyhow::Result<Instance> {
    let instance = fields.remove("instance");
    let instance = instance
        .with_context(|| format!("{what} needs the instance beside it, as \"instance\""))?;
    if let Some(unknown) = fields.keys().next() {
        bail!("unknown field {unknown:?} beside instance and {what}");
    }
    Instance::read(instance).context("instance cannot be used")
}

fn read_rescan(instance: &Instance, rescan: Value) -> anyhow::Result<Subject> {
    let fields: RescanFields = serde_json::from_value(rescan).context("rescan cannot be read")?;
    instance.check_registry("rescan", fields.registry.as_deref())?;
    let repository = fields.repository.parse().context("rescan.repository cannot be used")?;
    // No pass would correct the row that it adds.
    if !instance.selection.has(&repository) {
        bail!(
            "rescan.repository {repository} is not among the repositories that {} polls",
            instance.name
        );
    }
    let tag = fields.tag.parse().context("rescan.tag cannot be used")?;
    let registry = Arc::clone(&instance.registry);
    Ok(Subject { registry, repository, reference: Reference::Tag(tag) })
}

fn read_released(release: Value) -> anyhow::Result<Repository> {
    let shapes = "release must be true, false or {\"repository\":…}";
    let ReleaseFields { repository } = serde_json::from_value(release).context(shapes)?;
    repository.parse().context("release.repository cannot be used")
}

fn read_diagnose(instance: &Instance, diagnose: Value) -> anyhow::Result<Target> {
    let request = diagnose::Request::read(diagnose)?;
    instance.check_registry("diagnose", request.registry.as_deref())?;
    request.target(Arc::clone(&instance.registry))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(payload: Value) -> String {
        OciPayload::read(payload)
            .map_or_else(|error| format!("{error:#}"), |payload| format!("{payload:?}"))
    }

    fn request(payload: Value) -> OciRequest {
        match OciPayload::read(payload).unwrap() {
            OciPayload::OfInstance { request, .. } => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn batch_of_sqs_is_a_batch_of_hints() {
        let batch = include_str!("../../../events/oci-poll-hints.json");
        let payload = OciPayload::read(serde_json::from_str(batch).unwrap()).unwrap();
        assert!(matches!(payload, OciPayload::Hints(records) if records.len() == 2));
        assert!(error(json!({"Records": {}})).contains("list of SQS messages"));
    }

    #[test]
    fn orphans_take_a_registry_alone() {
        for (orphans, host) in
            [("ghcr.io", "ghcr.io"), ("https://ghcr.io", "ghcr.io"), ("http://x:80", "x")]
        {
            let payload = OciPayload::read(json!({"orphans": orphans})).unwrap();
            let OciPayload::Orphans(registry) = payload else { panic!("{payload:?}") };
            assert_eq!(registry.host(), host);
        }
        let sample = include_str!("../../../events/oci-poll-orphans.json");
        let payload = OciPayload::read(serde_json::from_str(sample).unwrap()).unwrap();
        assert!(matches!(payload, OciPayload::Orphans(_)));
        assert!(error(json!({"orphans": "a b"})).contains("orphans cannot be used"));
        assert!(error(json!({"orphans": true})).contains("orphans is no text"));
        assert!(error(json!({"orphans": "x", "instance": {}})).contains("\"instance\""));
    }

    #[test]
    fn shape_of_the_payload_decides_the_request() {
        let instance =
            json!({"name": "x", "provider": "oci", "oci": {"registryUrl": "https://ghcr.io"}});
        let refused = json!({"instance": instance, "release": false});
        assert_eq!(format!("{:?}", request(refused)), "Release(HoldAgain)");
        let hidden = json!({"instance": instance, "release": {"repository": "a/b"}});
        assert!(matches!(request(hidden), OciRequest::ReleaseHidden(_)));
        for (sample, expected) in [
            (include_str!("../../../events/oci-poll-now.json"), "Poll(Now)"),
            (include_str!("../../../events/oci-poll-release.json"), "Release(Apply)"),
            (include_str!("../../../events/oci-poll-rescan-all.json"), "RescanAll"),
        ] {
            let request = request(serde_json::from_str(sample).unwrap());
            assert_eq!(format!("{request:?}"), expected);
        }
        assert!(matches!(request(instance), OciRequest::Poll(Due::BySchedule)));
        let sample =
            serde_json::from_str(include_str!("../../../events/oci-poll-rescan.json")).unwrap();
        let OciRequest::Rescan(subject) = request(sample) else { panic!("a poll") };
        assert_eq!(subject.to_string(), "127.0.0.1:5000/demo/hello:0.1.0");
        let sample =
            serde_json::from_str(include_str!("../../../events/oci-poll-diagnose.json")).unwrap();
        assert!(matches!(request(sample), OciRequest::Diagnose(_)));
    }

    #[test]
    fn repository_that_is_not_polled_is_not_rescanned() {
        let oci = json!({"registryUrl": "https://ghcr.io", "repositories": ["a", "team/**"]});
        let instance = json!({"name": "x", "provider": "oci", "oci": oci});
        for (repository, is_polled) in [("a", true), ("team/b", true), ("b", false)] {
            let rescan = json!({"repository": repository, "tag": "1"});
            let payload = OciPayload::read(json!({"instance": instance, "rescan": rescan}));
            assert_eq!(payload.is_ok(), is_polled, "{repository}");
        }
    }

    #[test]
    fn invalid_field_is_named_in_the_error() {
        let instance =
            json!({"name": "x", "provider": "oci", "oci": {"registryUrl": "https://ghcr.io"}});
        for (rescan, named) in [
            (json!({"repository": "a"}), "tag"),
            (json!({"repository": "A", "tag": "1"}), "rescan.repository"),
            (json!({"repository": "a", "tag": "-"}), "rescan.tag"),
            (json!({"repository": "a", "tag": "1", "digest": "x"}), "digest"),
            (json!({"registry": "quay.io", "repository": "a", "tag": "1"}), "rescan.registry"),
        ] {
            let error = error(json!({"instance": instance, "rescan": rescan}));
            assert!(
                error.contains(named) && !error.contains('\n'),
                "{error} does not name {named}"
            );
        }
        for registry in ["ghcr.io", "https://ghcr.io"] {
            let rescan = json!({"registry": registry, "repository": "a", "tag": "1"});
            assert!(
                OciPayload::read(json!({"instance": instance, "rescan": rescan})).is_ok(),
                "{registry}"
            );
        }
        for (diagnose, named) in [
            (json!({"tag": "1"}), "repository"),
            (json!({"repository": "A"}), "diagnose.repository"),
            (json!({"repository": "a", "tag": "-"}), "diagnose.tag"),
            (json!({"repository": "a", "digest": "x"}), "diagnose.digest"),
            (json!({"repository": "a", "tag": "1", "digest": "x"}), "one of the two"),
            (json!({"registry": "quay.io", "repository": "a"}), "diagnose.registry"),
            (json!({"repository": "a", "more": 1}), "more"),
        ] {
            let error = error(json!({"instance": instance, "diagnose": diagnose}));
            assert!(
                error.contains(named) && !error.contains('\n'),
                "{error} does not name {named}"
            );
        }
        for (field, value) in [
            ("now", json!(false)),
            ("now", json!(1)),
            ("release", json!(null)),
            ("release", json!({"tag": "1"})),
            ("release", json!({"repository": "A"})),
        ] {
            assert!(error(json!({"instance": instance, field: value})).contains(field));
        }
        let rescan = json!({"repository": "a", "tag": "1"});
        assert!(
            error(json!({"instance": instance, "rescan": rescan, "diagnose": {}}))
                .contains("exclude each other")
        );
        assert!(error(json!({"diagnose": rescan})).contains("\"instance\""));
        assert!(error(json!({"rescan": rescan})).contains("\"instance\""));
        assert!(error(json!({"instance": instance, "rescan": rescan, "more": 1})).contains("more"));
        assert!(
            error(json!({"instance": {}, "rescan": rescan})).contains("instance cannot be used")
        );
        assert!(error(json!([])).contains("registryUrl"));
    }
}
