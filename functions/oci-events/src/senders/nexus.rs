//! Nexus Repository's webhooks of components and assets.

use super::cloud_event::Event;
use crate::mention::{Mention, text, time};
use crate::reading::Reading;

/// Reads a webhook of Nexus's. An updated asset asks for nothing, because a pull, such as our own,
/// may update it.
pub(super) fn read(event: &Event) -> Option<Reading> {
    let data = &event.data;
    let key = text(data, "/repositoryName")?;
    let action = text(data, "/action")?;
    let mention = if let Some(component) = data.get("component") {
        let mention = Mention::of(text(component, "/name")?).with(text(component, "/version"));
        Some(mention).filter(|_| text(component, "/format") == Some("docker"))
    } else {
        // `v2/<repository>/manifests/<reference>`, in newer releases after a slash
        let name = text(data.get("asset")?, "/name")?;
        let name = name.strip_prefix('/').unwrap_or(name);
        let manifest = name.strip_prefix("v2/").and_then(|name| name.rsplit_once("/manifests/"));
        let manifest = manifest.filter(|_| action != "UPDATED");
        manifest.map(|(repository, reference)| Mention::of(repository).with(Some(reference)))
    };
    let mention = mention.map(|mention| mention.in_key(Some(key)).at(time(data, "/timestamp")));
    Some(Reading::looks("nexus", mention))
}
