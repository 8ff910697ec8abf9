//! The payloads that the function accepts.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::diagnose::{self, Target};
use shared::domain::{Reference, Subject};

use crate::instance::Instance;

/// A payload: the instance, and the request about it.
#[derive(Debug)]
pub(crate) struct OciPayload {
    pub(crate) instance: Instance,
    pub(crate) request: OciRequest,
}

/// The work that the function is invoked for.
#[derive(Debug)]
pub(crate) enum OciRequest {
    /// Polls the registry.
    Poll,
    /// Reads one chart of the registry again.
    Rescan(Subject),
    /// Answers why a chart is or is not there.
    Diagnose(Target),
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
    /// Reads a payload: an instance, `{"instance":…,"rescan":…}` or `{"instance":…,"diagnose":…}`.
    ///
    /// # Errors
    /// Names the field that is missing, unknown or unusable.
    pub(crate) fn read(payload: Value) -> anyhow::Result<Self> {
        let Value::Object(mut fields) = payload else { return Self::poll(payload) };
        match (fields.remove("rescan"), fields.remove("diagnose")) {
            (None, None) => Self::poll(fields.into()),
            (Some(_), Some(_)) => bail!("rescan and diagnose exclude each other"),
            (Some(rescan), None) => {
                let instance = read_instance_beside("rescan", fields)?;
                let subject = read_rescan(&instance, rescan)?;
                Ok(Self { instance, request: OciRequest::Rescan(subject) })
            }
            (None, Some(diagnose)) => {
                let instance = read_instance_beside("diagnose", fields)?;
                let target = read_diagnose(&instance, diagnose)?;
                Ok(Self { instance, request: OciRequest::Diagnose(target) })
            }
        }
    }

    fn poll(instance: Value) -> anyhow::Result<Self> {
        Ok(Self { instance: Instance::read(instance)?, request: OciRequest::Poll })
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
    let tag = fields.tag.parse().context("rescan.tag cannot be used")?;
    let registry = Arc::clone(&instance.registry);
    Ok(Subject { registry, repository, reference: Reference::Tag(tag) })
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
        OciPayload::read(payload).unwrap().request
    }

    #[test]
    fn shape_of_the_payload_decides_the_request() {
        let instance =
            json!({"name": "x", "provider": "oci", "oci": {"registryUrl": "https://ghcr.io"}});
        assert!(matches!(request(instance), OciRequest::Poll));
        let sample =
            serde_json::from_str(include_str!("../../../events/oci-poll-rescan.json")).unwrap();
        let OciRequest::Rescan(subject) = request(sample) else { panic!("a poll") };
        assert_eq!(subject.to_string(), "127.0.0.1:5000/demo/hello:0.1.0");
        let sample =
            serde_json::from_str(include_str!("../../../events/oci-poll-diagnose.json")).unwrap();
        assert!(matches!(request(sample), OciRequest::Diagnose(_)));
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
