//! Messages of `oci-events` for `oci-poll`.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::stack::batch;

/// Returns a hint for the instance of [`crate::support::stack::instance`].
pub(crate) fn hint(repository: &str, tag: Option<&str>) -> Value {
    at("test", repository, tag)
}

/// Returns a hint for an instance.
pub(crate) fn at(instance: &str, repository: &str, tag: Option<&str>) -> Value {
    let mut hint = json!({"instance": instance, "repository": repository});
    if let Some(tag) = tag {
        hint["tag"] = json!(tag);
    }
    hinted(&hint)
}

/// Returns a hint with these fields, received just now.
pub(crate) fn hinted(fields: &Value) -> Value {
    let mut hint = fields.clone();
    hint["receivedAt"] = json!(OffsetDateTime::now_utc().format(&Rfc3339).unwrap());
    json!({"hint": hint})
}

/// Returns a batch of these hints, with the ids `m0`, `m1`, ….
pub(crate) fn batch_of(hints: &[Value]) -> Value {
    batch(&hints.iter().map(Value::to_string).collect::<Vec<_>>())
}
