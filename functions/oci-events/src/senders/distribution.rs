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
    Some(Reading::looks("distribution", events.iter().filter_map(mention)))
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
    Some(Reading::looks(shape, mention(&event.data)))
}

/// Returns what an event says.
///
/// Pulls say nothing, because our own looks cause them and would cause the next look. A push
/// without a tag says nothing, because it changes no tag: it is that of a blob, or of a manifest by
/// its digest, which clients such as Helm send before they tag it.
fn mention(event: &Value) -> Option<Mention> {
    let tag = text(event, "/target/tag");
    let is_change = match text(event, "/action")? {
        "push" => tag.is_some(),
        action => action == "delete",
    };
    let repository = text(event, "/target/repository").filter(|_| is_change)?;
    let mention = Mention::of(repository).with(tag).with(text(event, "/target/digest"));
    Some(mention.at(time(event, "/timestamp")))
}
