//! Docker Hub's webhooks.

use super::cloud_event::Event;
use crate::mention::{Mention, text, time};
use crate::reading::Reading;

/// Reads a webhook of Docker Hub's.
pub(super) fn read(event: &Event) -> Option<Reading> {
    let data = &event.data;
    data.get("push_data")?;
    let mention = Mention::of(text(data, "/repository/repo_name")?);
    let mention = mention.with(text(data, "/push_data/tag")).at(time(data, "/push_data/pushed_at"));
    Some(Reading::looks("docker hub", [mention]))
}
