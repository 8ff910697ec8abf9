//! Reads the bodies of all senders. Content and headers decide which sender's shape a body has.

mod artifactory;
mod cloud_event;
mod distribution;
mod docker_hub;
mod ecr;
mod forge;
mod google;
mod harbor;
mod nexus;
mod quay;
mod zot;

use axum::http::HeaderMap;
use serde_json::Value;

use crate::reading::{Asks, Reading};
use cloud_event::Event;

/// The senders. Each returns `None` for a body that is not its own.
const SENDERS: [fn(&Event) -> Option<Reading>; 11] = [
    distribution::read_event,
    harbor::read,
    zot::read,
    forge::read,
    docker_hub::read,
    quay::read,
    google::read,
    artifactory::read,
    nexus::read,
    ecr::read,
    distribution::read_events,
];

/// Returns what a body asks for. A body that is not understood asks for a look at the instance.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Reading {
    let header = |name: &str| headers.get(name)?.to_str().ok();
    if header("x-github-event") == Some("ping") {
        return Reading { shape: "github", asks: Asks::Ping };
    }
    let Some(body) = json(header("content-type").unwrap_or_default(), body) else {
        return Reading::pass("not JSON");
    };
    if let Some(code) = validation_code(&body) {
        return Reading { shape: "event grid", asks: Asks::Echo(code.to_owned()) };
    }
    let events = Event::all_of(&header, &body);
    let mut readings = events.iter().map(|event| {
        SENDERS.iter().find_map(|read| read(event)).unwrap_or(Reading::pass("unknown"))
    });
    let Some(first) = readings.next() else { return Reading::nothing("empty list") };
    let all = readings.fold(first, Reading::and);
    // Gitea, and a hook for all events of GitHub's, send much that is not about packages.
    let is_other_event = header("x-github-event")
        .is_some_and(|event| !matches!(event, "package" | "registry_package"));
    match all.asks {
        Asks::Pass if is_other_event => Reading::nothing("github"),
        _ => all,
    }
}

/// Parses a body, which may be the field `payload` of a form.
fn json(content_type: &str, body: &[u8]) -> Option<Value> {
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return serde_json::from_slice(body).ok();
    }
    let mut fields = url::form_urlencoded::parse(body);
    let (_, payload) = fields.find(|(name, _)| name == "payload")?;
    serde_json::from_str(&payload).ok()
}

/// Returns the code that Event Grid wants back before it sends events in its own schema.
fn validation_code(body: &Value) -> Option<&str> {
    let event = body.get(0)?;
    let kind = event.get("eventType")?.as_str()?;
    if kind != "Microsoft.EventGrid.SubscriptionValidationEvent" {
        return None;
    }
    event.pointer("/data/validationCode")?.as_str()
}

#[cfg(test)]
mod tests;
