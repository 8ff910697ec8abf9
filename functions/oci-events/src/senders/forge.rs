//! The events of packages on GitHub, Gitea and Forgejo.
//!
//! <https://docs.github.com/en/webhooks/webhook-events-and-payloads#package>

use serde_json::Value;

use super::cloud_event::Event;
use crate::mention::{Mention, text, time};
use crate::reading::Reading;

/// Reads the event of a package.
pub(super) fn read(event: &Event) -> Option<Reading> {
    let data = &event.data;
    let package = data.get("package").or_else(|| data.get("registry_package"))?;
    if let Some(kind) = text(package, "/package_type") {
        return Some(of_kind("github", kind, github(package)));
    }
    // A deleted version keeps the time at which it was created.
    let sent_at = time(package, "/created_at").filter(|_| text(data, "/action") == Some("created"));
    let mention = gitea(package).map(|mention| mention.at(sent_at));
    Some(of_kind("gitea", text(package, "/type")?, mention))
}

/// Asks for nothing for packages that are not in a container registry, and for a look at the whole
/// instance for a container whose name is missing.
fn of_kind(shape: &'static str, kind: &str, mention: Option<Mention>) -> Reading {
    match mention {
        _ if !kind.eq_ignore_ascii_case("container") => Reading::nothing(shape),
        Some(mention) => Reading::looks(shape, [mention]),
        None => Reading::pass(shape),
    }
}

fn github(package: &Value) -> Option<Mention> {
    let version = package.get("package_version").unwrap_or(&Value::Null);
    let tag = version.pointer("/container_metadata/tag").unwrap_or(&Value::Null);
    let mention = named(package)?.with(text(tag, "/name")).with(text(tag, "/digest"));
    Some(mention.with(text(version, "/version")))
}

fn gitea(package: &Value) -> Option<Mention> {
    Some(named(package)?.with(text(package, "/version")))
}

/// Names the repository `owner/name`. The owner may have upper-case letters, the registry has none.
fn named(package: &Value) -> Option<Mention> {
    let owner = text(package, "/owner/login").or_else(|| text(package, "/namespace"))?;
    Some(Mention::of(format!("{owner}/{}", text(package, "/name")?).to_lowercase()))
}
