//! The table of charts: the state of each chart with the reason, and the command that pulls it.

use maud::{Markup, html};
use shared::db::HelmChart;

use super::badges;
use crate::pages::addresses::CHARTS;
use crate::pages::parts;
use crate::pages::place::Place;

/// Hexadecimal digits of a digest that are shown, enough to tell two digests apart.
const SHORT_DIGEST: usize = 12;

/// Longest reason that is shown whole, in characters.
const LONG_TEXT: usize = 240;

/// Characters that are shown of a longer text.
const SHORT_TEXT: usize = 140;

/// Which columns and links a table has. Users who only pick a version need fewer.
#[derive(Debug, Clone, Copy)]
pub(in crate::pages) struct Shown {
    /// A label with registry and repository.
    pub(in crate::pages) registry: bool,
    /// The command that pulls the chart.
    pub(in crate::pages) pull: bool,
}

/// Shows charts as a table.
pub(in crate::pages) fn table<'a>(
    charts: impl Iterator<Item = (&'a HelmChart, Place<'a>)>,
    shown: Shown,
) -> Markup {
    let digest = if shown.pull { "Digest, pull" } else { "Digest" };
    html! {
        table.charts {
            caption.hidden { "Charts" }
            thead {
                tr {
                    th scope="col" { "Tag" }
                    th scope="col" { "Version" }
                    @if shown.registry { th scope="col" { "Registry" } }
                    th scope="col" { "Created" }
                    th scope="col" { (digest) }
                }
            }
            tbody { @for (chart, place) in charts { (row(chart, place, shown)) } }
        }
    }
}

fn row(chart: &HelmChart, place: Place<'_>, shown: Shown) -> Markup {
    let parsed = chart.parsed().to_string();
    html! {
        tr.gone[!chart.available] id={ "chart-" (chart.id) } {
            td data-label="Tag" {
                a href={ (CHARTS) "/" (chart.id) } { code.tag { (chart.image_tag) } }
                (badges::of(chart))
                @if let Some(moved_to) = &chart.moved_to {
                    p.reason { "The tag now points \
                                to " code title=(moved_to) { (short(moved_to)) } "." }
                }
                @if let Some(error) = &chart.error { (reason(error)) }
            }
            td data-label="Version" {
                @if parsed.is_empty() { span.faint { "–" } } @else { (parsed) }
                @if let Some(app_version) = &chart.app_version { p.faint { "app " (app_version) } }
                @if let Some(description) = &chart.description { p.faint { (cut(description,
                    SHORT_TEXT).0) } }
            }
            @if shown.registry {
                td data-label="Registry" { span.label title=(place.address()) { (place.host()) "/"
                    (place.repo_name) } }
            }
            td data-label="Created" { (parts::ago(chart.created_at)) }
            td data-label="Digest" {
                @if shown.pull {
                    (pull(chart, place))
                    a.faint href=(place.diagnose_link(&format!(":{}", chart.image_tag))) {
                        "Diagnose" span.hidden { " " (chart.image_tag) } }
                }
                @else { code title=(chart.image_digest) { (short(&chart.image_digest)) } }
            }
        }
    }
}

/// Shows why a chart is BROKEN. The user can open a long reason.
pub(super) fn reason(error: &str) -> Markup {
    let is_long = cut(error, LONG_TEXT).1;
    html! {
        @if is_long { details.reason { summary { (cut(error, SHORT_TEXT).0) } (error) } }
        @else { p.reason { (error) } }
    }
}

/// Returns the beginning of a text, and whether the text is longer.
pub(super) fn cut(text: &str, letters: usize) -> (String, bool) {
    match text.char_indices().nth(letters) {
        Some((end, _)) => (format!("{}…", text.get(..end).unwrap_or(text)), true),
        None => (text.to_owned(), false),
    }
}

/// Shows the digest, with a command to copy that pulls exactly this chart.
fn pull(chart: &HelmChart, place: Place<'_>) -> Markup {
    let plain_http = if place.domain_name.starts_with("http://") { " --plain-http" } else { "" };
    let line = format!("helm pull {}@{}{plain_http}", place.address(), chart.image_digest);
    html! {
        details.pull {
            summary { code title=(chart.image_digest) { (short(&chart.image_digest)) } " pull" }
            code.line { (line) }
            button type="button" hidden data-copy=(line) {
                span { "Copy" }
                span.hidden { " the command that pulls " (chart.image_tag) }
            }
        }
    }
}

pub(super) fn short(digest: &str) -> &str {
    let end = digest.find(':').map_or(0, |colon| colon + 1) + SHORT_DIGEST;
    digest.get(..end).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_and_a_digest_are_cut() {
        assert_eq!(short("sha256:0123456789abcdef"), "sha256:0123456789ab");
        assert_eq!(short("odd"), "odd");
        assert_eq!(
            (cut("äöü", 3), cut("äöü", 2)),
            (("äöü".to_owned(), false), ("äö…".to_owned(), true))
        );
    }
}
