//! Google Artifact Registry's messages to the topic `gcr`.

use super::cloud_event::Event;
use crate::mention::{Mention, text};
use crate::reading::Reading;

/// Reads a message. It names `host/name:tag` and `host/name@digest`.
pub(super) fn read(event: &Event) -> Option<Reading> {
    if !matches!(text(&event.data, "/action")?, "INSERT" | "DELETE") {
        return None;
    }
    let named = |place| Mention::of_address(text(&event.data, place)?);
    let mentions = [named("/tag"), named("/digest")].into_iter().flatten();
    let mentions: Vec<Mention> = mentions.map(|mention| mention.at(event.time)).collect();
    if mentions.is_empty() { None } else { Some(Reading::looks("google", mentions)) }
}
