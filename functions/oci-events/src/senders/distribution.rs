//! Docker Distribution's notifications, and Azure's registry, which sends the same events one by
//! one.
//!
//! <https://distribution.github.io/distribution/about/notifications/>

use serde_json::Value;

use super::cloud_event::Event;
use crate::mention::{Mention, text, time};
use crate::reading::{Asks, Reading};

/// Reads Distribution's envelope, `{"events":[…]}`.
pub(super) fn read_events(event: &Event) -> Option<Reading> {
    let events = event.data.get("events")?.as_array()?;
    let readings = events.iter().map(|event| read_one("distribution", event));
    Some(readings.fold(Reading::nothing("distribution"), Reading::and))
}

/// Reads one event of Azure's webhook, also in Event Grid's envelope.
pub(super) fn read_event(event: &Event) -> Option<Reading> {
    let is_grid = event.kind.as_deref().is_some_and(|kind| kind.starts_with("Microsoft."));
    let shape = if is_grid { "event grid" } else { "azure" };
    let action = text(&event.data, "/action")?;
    if action == "ping" {
        return Some(Reading { shape, asks: Asks::Ping });
    }
    event.data.get("target")?.as_object()?;
    Some(read_one(shape, &event.data))
}

/// Returns what an event asks for. A change that names no repository, and an event without an
/// action, ask for a look at the whole instance.
///
/// Pulls say nothing, because our own looks cause them and would cause the next look. A push
/// without a tag says nothing, because it changes no tag: it is that of a blob, or of a manifest by
/// its digest, which clients such as Helm send before they tag it.
fn read_one(shape: &'static str, event: &Value) -> Reading {
    let tag = text(event, "/target/tag");
    match text(event, "/action") {
        Some(action) if action == "delete" || (action == "push" && tag.is_some()) => {}
        Some(_) => return Reading::nothing(shape),
        None => return Reading::pass(shape),
    }
    let Some(repository) = text(event, "/target/repository") else { return Reading::pass(shape) };
    let mention = Mention::of(repository).with(tag).with(text(event, "/target/digest"));
    Reading::looks(shape, [mention.at(time(event, "/timestamp"))])
}
