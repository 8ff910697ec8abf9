//! Quay's notifications. All of them name the repository, and only pushes have tags.

use serde_json::Value;

use super::cloud_event::Event;
use crate::mention::{Mention, text};
use crate::reading::Reading;

/// Reads a notification of Quay's.
pub(super) fn read(event: &Event) -> Option<Reading> {
    let data = &event.data;
    text(data, "/docker_url")?;
    let mut mention = Mention::of(text(data, "/repository")?);
    match data.get("updated_tags") {
        Some(Value::Array(tags)) => {
            mention.references.extend(tags.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        // Older releases send the tags as the keys of an object.
        Some(Value::Object(tags)) => mention.references.extend(tags.keys().cloned()),
        _ => {}
    }
    Some(Reading::looks("quay", [mention]))
}
