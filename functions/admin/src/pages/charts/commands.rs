//! The commands that pull a chart, or show what is in it.

use maud::{Markup, html};
use shared::db::HelmChart;

use crate::pages::place::Place;

/// The first version of Helm that takes a digest behind a chart's address.
const HELM_WITH_DIGESTS: &str = "3.18";

/// Returns the option that a registry without TLS needs.
pub(super) fn plain_http(place: Place<'_>) -> &'static str {
    if place.domain_name.starts_with("http://") { " --plain-http" } else { "" }
}

/// Shows the commands by version, and those by digest.
pub(super) fn show(chart: &HelmChart, place: Place<'_>) -> Markup {
    let plain_http = plain_http(place);
    let address = place.address();
    // Helm writes `_` into a tag for the `+` of a version, and reads it so.
    let version = chart.image_tag.replace('_', "+");
    let by_version = ["pull", "show values", "show readme"]
        .map(|verb| format!("helm {verb} {address} --version {version}{plain_http}"));
    let digest = &chart.image_digest;
    let by_digest =
        ["pull", "show all"].map(|verb| format!("helm {verb} {address}@{digest}{plain_http}"));
    html! {
        h2 #commands { "Commands" }
        @if chart.available {
            h3 { "By version" }
            (lines(&by_version))
        }
        h3 { "By digest" }
        p.faint { "Exactly this chart, even after its tag moves. Needs Helm " (HELM_WITH_DIGESTS)
            " or newer." }
        @if !chart.available {
            p.faint { "The tag is deleted or moved. The registry may have deleted the digest too." }
        }
        (lines(&by_digest))
    }
}

fn lines(commands: &[String]) -> Markup {
    html! {
        ul.commands {
            @for command in commands {
                li {
                    code.line { (command) }
                    button type="button" hidden data-copy=(command) {
                        span { "Copy" }
                        span.hidden { " " (command) }
                    }
                }
            }
        }
    }
}
