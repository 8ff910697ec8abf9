//! ECR's events, as an API destination of EventBridge sends them.

use super::cloud_event::Event;
use crate::mention::{Mention, text, time};
use crate::reading::Reading;

/// Reads an event of ECR's. Scans ask for nothing, because they change no tag.
pub(super) fn read(event: &Event) -> Option<Reading> {
    let data = &event.data;
    if text(data, "/source")? != "aws.ecr" {
        return None;
    }
    let is_change = text(data, "/detail-type")?.ends_with(" Action")
        && text(data, "/detail/result").is_none_or(|result| result == "SUCCESS");
    let repository = text(data, "/detail/repository-name").filter(|_| is_change);
    let mention = repository.map(|repository| {
        let mention = Mention::of(repository).with(text(data, "/detail/image-tag"));
        mention.with(text(data, "/detail/image-digest")).at(time(data, "/time"))
    });
    Some(Reading::looks("ecr", mention))
}
