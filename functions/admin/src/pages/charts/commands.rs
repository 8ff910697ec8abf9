//! The commands that pull a chart, or show what is in it.

use maud::{Markup, html};
use shared::db::HelmChart;

use crate::pages::place::Place;

/// The first version of Helm that takes a digest, or a tag, behind a chart's address.
const HELM_WITH_DIGESTS: &str = "3.18";

/// Returns the option that a registry without TLS needs.
pub(super) fn plain_http(place: Place<'_>) -> &'static str {
    if place.domain_name.starts_with("http://") { " --plain-http" } else { "" }
}

/// Shows the commands by version, and those by digest.
pub(super) fn show(chart: &HelmChart, place: Place<'_>) -> Markup {
    let plain_http = plain_http(place);
    let address = place.address();
    let version = version_of(&chart.image_tag);
    let by_tag = ["pull", "show values", "show readme"].map(|verb| match &version {
        Some(version) => format!("helm {verb} {address} --version {version}{plain_http}"),
        None => format!("helm {verb} {address}:{}{plain_http}", chart.image_tag),
    });
    let digest = &chart.image_digest;
    let by_digest =
        ["pull", "show all"].map(|verb| format!("helm {verb} {address}@{digest}{plain_http}"));
    html! {
        h2 #commands { "Commands" }
        @if chart.available {
            h3 { @if version.is_some() { "By version" } @else { "By tag" } }
            @if version.is_none() {
                p.faint { "The tag is no version. Needs Helm " (HELM_WITH_DIGESTS) " or newer." }
            }
            (lines(&by_tag))
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

/// Returns the version that Helm finds under a tag, which has `_` for the `+` of a version. Returns
/// `None` if the tag is no version, because Helm's `--version` takes no other text.
fn version_of(tag: &str) -> Option<String> {
    let version = tag.replace('_', "+");
    let numbers = version.strip_prefix('v').unwrap_or(&version);
    let core = numbers.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_version = core.split('.').count() <= 3 && core.split('.').all(is_number);
    is_version.then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_that_is_no_version_is_pulled_by_the_tag() {
        for (tag, version) in [
            ("1.0.0", Some("1.0.0")),
            ("v1.2.3-rc.1", Some("v1.2.3-rc.1")),
            ("0.2.0_build.7", Some("0.2.0+build.7")),
            ("latest", None),
            ("main-7", None),
            ("1.x", None),
            ("1.2.3.4", None),
        ] {
            assert_eq!(version_of(tag).as_deref(), version, "{tag}");
        }
    }
}
