//! Artifactory's webhooks of the domains `docker` and `artifact`.

use super::cloud_event::Event;
use crate::mention::{Mention, text};
use crate::reading::Reading;

/// Reads a webhook of Artifactory's.
///
/// `cached` asks for nothing, because a pull through Artifactory, such as our own, causes it.
pub(super) fn read(event: &Event) -> Option<Reading> {
    let (domain, kind) = (text(&event.data, "/domain")?, text(&event.data, "/event_type")?);
    let data = event.data.get("data")?;
    // `<repository>/<tag>/<file>`
    let place = text(data, "/path").and_then(|path| {
        let (folder, file) = path.rsplit_once('/')?;
        let (repository, tag) = folder.rsplit_once('/')?;
        Some((repository, tag, file))
    });
    let is_manifest =
        place.is_some_and(|(_, _, file)| matches!(file, "manifest.json" | "list.manifest.json"));
    if kind == "cached" || (domain == "artifact" && !is_manifest) {
        return Some(Reading::nothing("artifactory"));
    }
    let named = text(data, "/image_name").or(place.map(|(repository, _, _)| repository));
    let Some(repository) = named.filter(|_| matches!(domain, "docker" | "oci" | "artifact")) else {
        return Some(Reading::pass("artifactory"));
    };
    let tag = text(data, "/tag").or(place.map(|(_, tag, _)| tag));
    let mention = Mention::of(repository).with(tag).in_key(text(data, "/repo_key"));
    Some(Reading::looks("artifactory", [mention]))
}
