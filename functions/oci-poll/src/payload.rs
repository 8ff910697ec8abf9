//! What the function can be invoked with.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;
use shared::diagnose::{Request, Target};
use shared::domain::{Reference, Subject};

use crate::instance::Instance;

/// A payload of one of the shapes.
#[derive(Debug)]
pub(crate) enum Payload {
    /// A registry is to be polled.
    Poll(Instance),
    /// One chart of a registry is to be read again.
    Rescan(Instance, Subject),
    /// Somebody asks why a chart is or is not there.
    Diagnose(Instance, Target),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RescanFields {
    /// May be told, so that the payload is the one of `ecr-events`; the instance says which
    /// registry it is.
    registry: Option<String>,
    repository: String,
    tag: String,
}

impl Payload {
    /// The instance that it is about.
    pub(crate) fn instance(&self) -> &Instance {
        match self {
            Self::Poll(instance) | Self::Rescan(instance, _) | Self::Diagnose(instance, _) => {
                instance
            }
        }
    }

    /// Reads a payload: an instance, `{"instance":…,"rescan":…}` or `{"instance":…,"diagnose":…}`.
    ///
    /// # Errors
    /// The field that is missing, unknown or unusable.
    pub(crate) fn read(payload: Value) -> anyhow::Result<Self> {
        let Value::Object(mut fields) = payload else {
            return Ok(Self::Poll(Instance::read(payload)?));
        };
        let read: fn(Instance, Value) -> anyhow::Result<Self>;
        let (what, asked) = match (fields.remove("rescan"), fields.remove("diagnose")) {
            (None, None) => return Ok(Self::Poll(Instance::read(fields.into())?)),
            (Some(_), Some(_)) => bail!("rescan and diagnose exclude each other"),
            (Some(rescan), None) => {
                read = Self::read_rescan;
                ("rescan", rescan)
            }
            (None, Some(diagnose)) => {
                read = Self::read_diagnose;
                ("diagnose", diagnose)
            }
        };
        let instance = fields.remove("instance");
        let instance = instance
            .with_context(|| format!("{what} needs the instance beside it, as \"instance\""))?;
        if let Some(unknown) = fields.keys().next() {
            bail!("unknown field {unknown:?} beside instance and {what}");
        }
        read(Instance::read(instance).context("instance cannot be used")?, asked)
    }

    fn read_rescan(instance: Instance, asked: Value) -> anyhow::Result<Self> {
        let fields: RescanFields =
            serde_json::from_value(asked).context("rescan cannot be read")?;
        instance.check_registry("rescan", fields.registry.as_deref())?;
        let repository = fields.repository.parse().context("rescan.repository cannot be used")?;
        let tag = fields.tag.parse().context("rescan.tag cannot be used")?;
        let registry = Arc::clone(&instance.registry);
        Ok(Self::Rescan(instance, Subject { registry, repository, reference: Reference::Tag(tag) }))
    }

    fn read_diagnose(instance: Instance, asked: Value) -> anyhow::Result<Self> {
        let request = Request::read(asked)?;
        instance.check_registry("diagnose", request.registry.as_deref())?;
        let target = request.target(Arc::clone(&instance.registry))?;
        Ok(Self::Diagnose(instance, target))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(payload: Value) -> String {
        Payload::read(payload)
            .map_or_else(|error| format!("{error:#}"), |payload| format!("{payload:?}"))
    }

    #[test]
    fn an_instance_alone_is_polled_and_one_with_a_rescan_is_not() {
        let instance =
            json!({"name": "x", "provider": "oci", "oci": {"registryUrl": "https://ghcr.io"}});
        assert!(matches!(Payload::read(instance).unwrap(), Payload::Poll(_)));
        let sample =
            serde_json::from_str(include_str!("../../../events/oci-poll-rescan.json")).unwrap();
        let Payload::Rescan(_, subject) = Payload::read(sample).unwrap() else { panic!("a poll") };
        assert_eq!(subject.to_string(), "127.0.0.1:5000/demo/hello:0.1.0");
        let sample =
            serde_json::from_str(include_str!("../../../events/oci-poll-diagnose.json")).unwrap();
        assert!(matches!(Payload::read(sample).unwrap(), Payload::Diagnose(..)));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
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
                Payload::read(json!({"instance": instance, "rescan": rescan})).is_ok(),
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
