//! zot's events, which are `CloudEvents` in binary mode.

use super::cloud_event::Event;
use crate::mention::{Mention, text};
use crate::reading::Reading;

/// Reads an event of zot's. A new repository is not looked at, because its first tag follows.
pub(super) fn read(event: &Event) -> Option<Reading> {
    let kind = event.kind.as_deref()?.strip_prefix("zotregistry.")?;
    if !matches!(kind, "image.updated" | "image.deleted") {
        return Some(Reading::nothing("zot"));
    }
    let data = &event.data;
    let mention = Mention::of(text(data, "/name")?).with(text(data, "/reference"));
    Some(Reading::looks("zot", [mention.with(text(data, "/digest")).at(event.time)]))
}
