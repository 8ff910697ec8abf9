//! Harbor's webhooks, in its own format and as `CloudEvents`.

use super::cloud_event::Event;
use crate::mention::{Mention, text, time};
use crate::reading::Reading;

/// Reads a webhook of Harbor's.
pub(super) fn read(event: &Event) -> Option<Reading> {
    let cloud = event.kind.as_deref().filter(|kind| kind.starts_with("harbor."));
    let (kind, data, sent_at) = match cloud {
        Some(kind) => (kind, &event.data, event.time),
        None => (
            text(&event.data, "/type")?,
            event.data.get("event_data")?,
            time(&event.data, "/occur_at"),
        ),
    };
    match kind {
        "PUSH_ARTIFACT"
        | "DELETE_ARTIFACT"
        | "harbor.artifact.pushed"
        | "harbor.artifact.deleted" => {}
        // Replication and retention change tags, and say so in another shape.
        other if is_change(other) => return Some(Reading::pass("harbor")),
        _ => return Some(Reading::nothing("harbor")),
    }
    let mut mention = Mention::of(text(data, "/repository/repo_full_name")?).at(sent_at);
    // The tag of an untagged artifact is its digest.
    for resource in data.get("resources").and_then(|list| list.as_array()).into_iter().flatten() {
        mention = mention.with(text(resource, "/tag")).with(text(resource, "/digest"));
    }
    Some(Reading::looks("harbor", [mention]))
}

fn is_change(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    ["replication", "retention"].iter().any(|word| kind.contains(word))
}
