//! Unwraps the envelopes of events: `CloudEvents` in all modes, Event Grid, and Pub/Sub.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use time::OffsetDateTime;

use crate::mention::{parse_time, text, time};

/// An event without its envelope.
#[derive(Debug)]
pub(super) struct Event {
    /// The type that the envelope names.
    pub(super) kind: Option<String>,
    /// The time that the envelope names.
    pub(super) time: Option<OffsetDateTime>,
    pub(super) data: Value,
}

impl Event {
    /// Lists the events of a body.
    pub(super) fn all_of<'a>(header: &impl Fn(&str) -> Option<&'a str>, body: &Value) -> Vec<Self> {
        if let Some(kind) = header("ce-type") {
            let time = header("ce-time").and_then(parse_time);
            return vec![Self { kind: Some(kind.to_owned()), time, data: body.clone() }];
        }
        match body {
            Value::Array(events) => events.iter().map(Self::of).collect(),
            other => vec![Self::of(other)],
        }
    }

    fn of(body: &Value) -> Self {
        let pub_sub = text(body, "/message/data").and_then(decoded);
        if let Some(data) = pub_sub {
            return Self { kind: None, time: time(body, "/message/publishTime"), data };
        }
        let grid = text(body, "/eventType").filter(|kind| kind.starts_with("Microsoft."));
        let cloud = text(body, "/type").filter(|_| body.get("specversion").is_some());
        let Some(kind) = cloud.or(grid) else {
            return Self { kind: None, time: None, data: body.clone() };
        };
        let data = body.get("data").cloned();
        let data = data.or_else(|| decoded(text(body, "/data_base64")?)).unwrap_or_default();
        let time = time(body, "/time").or_else(|| time(body, "/eventTime"));
        Self { kind: Some(kind.to_owned()), time, data }
    }
}

/// Decodes JSON in base64.
fn decoded(text: &str) -> Option<Value> {
    serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()
}
