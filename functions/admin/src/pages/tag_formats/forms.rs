//! The form that adds a tag format, with a preview of what it would do.

use maud::{Markup, html};
use serde::Deserialize;
use shared::domain::{ParsedTag, TagPattern};
use shared::tags::Preview;

use crate::access::csrf::CsrfToken;
use crate::http::problem::Problem;
use crate::pages::addresses::TAG_FORMATS;
use crate::pages::layout::failure;
use crate::pages::parts;

/// Most examples in a preview.
pub(super) const EXAMPLES: usize = 20;

#[derive(Debug, Default, Deserialize)]
pub(in crate::pages) struct TagFormatSearch {
    /// A pattern to preview before it is saved.
    #[serde(default)]
    pub(super) pattern: String,
    #[serde(default)]
    pub(super) done: String,
    pub(super) page: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(in crate::pages) struct AddForm {
    #[serde(default)]
    pub(super) pattern: String,
}

/// The preview of a pattern.
pub(super) enum PatternPreview {
    Empty,
    Refused(Problem),
    Ready(TagPattern, Preview),
}

/// Shows the form that previews a pattern, and the preview.
pub(super) fn add_form(
    search: &TagFormatSearch,
    token: CsrfToken,
    problem: Option<&Problem>,
    looked: &PatternPreview,
) -> Markup {
    let is_wrong = problem.is_some() || matches!(looked, PatternPreview::Refused(_));
    html! {
        section.panel aria-labelledby="add" {
            h2 #add { "Add a format" }
            (failure(problem))
            form method="get" action={ (TAG_FORMATS) "#add" } {
                label.wide {
                    span { "Pattern" }
                    input name="pattern" value=(search.pattern) required autocomplete="off"
                        spellcheck="false" maxlength="4096"
                        aria-invalid=[is_wrong.then_some("true")]
                            aria-describedby=[is_wrong.then_some("problem")]
                        placeholder=r"^(?P<version>\d+\.\d+\.\d+)$";
                }
                button type="submit" { "Preview" }
            }
            p.faint {
                "Use groups named " code { "version" } ", " code { "revision" } ", " code {
                    "branch" } " and " code { "commit" }
                ". The syntax is Perl's without look-around and backreferences \
                 (Rust's " code { "regex" } ")."
            }
            @match looked {
                PatternPreview::Empty => {},
                PatternPreview::Refused(problem) => (failure(Some(problem))),
                PatternPreview::Ready(pattern, preview) => (would(pattern, preview, token)),
            }
        }
    }
}

/// Shows what a pattern would do, and the button that adds it.
fn would(pattern: &TagPattern, preview: &Preview, token: CsrfToken) -> Markup {
    let matched = preview.matched.try_into().unwrap_or(i64::MAX);
    let counted = |number: u64| parts::counted(number.try_into().unwrap_or(i64::MAX));
    html! {
        p #preview {
            @if preview.matched == 0 { "No tag matches." } @else {
                "Matches " strong { (parts::count_of(matched, "tag")) } ", of \
                    which " strong { (counted(preview.newly_matched)) }
                " match no existing format."
            }
        }
        @if !pattern.names_a_group() {
            p.notice.warn {
                "The pattern has none of the \
                 groups " code { "version" } ", " code { "revision" } ", " code { "branch" } " and "
                code { "commit" } ": for charts whose tags match, nothing would be shown."
            }
        }
        (would_lose(preview))
        @if !preview.matches.is_empty() {
            @if preview.matched > EXAMPLES as u64 { p.faint { "The \
                first " (preview.matches.len()) ", those first that would change:" } }
            table {
                caption.hidden { "Tags that match" }
                thead { tr { th scope="col" { "Tag" } th scope="col" { "Would \
                    show" } th scope="col" { "Matched by" } } }
                tbody {
                    @for found in &preview.matches {
                        @let parsed = ParsedTag {
                            version: found.version.clone(), revision: found.revision.clone(),
                            branch: found.branch.clone(), commit: found.commit.clone(),
                        };
                        tr {
                            td data-label="Tag" { code.tag { (found.tag) } }
                            td data-label="Would show" { @let shown = parsed.to_string(); @if
                                shown.is_empty() { span.faint { "– nothing" } } @else { (shown) } }
                            td data-label="Matched by" {
                                @match &found.shadowed_by {
                                    Some(older) => code.pattern { (older) },
                                    None => "this format",
                                }
                            }
                        }
                    }
                }
            }
        }
        form method="post" action={ (TAG_FORMATS) "#add" } {
            input type="hidden" name="csrf" value=(token.0);
            input type="hidden" name="pattern" value=(pattern.as_str());
            button.primary type="submit" { "Add this format" }
        }
    }
}

/// Names charts that have a version now and would have none.
fn would_lose(preview: &Preview) -> Markup {
    html! {
        @if let Some(lost) = &preview.lost {
            p.notice.warn #lost {
                @let charts = lost.charts.try_into().unwrap_or(i64::MAX);
                (parts::count_of(charts, "chart")) " would lose the version shown now, because the \
                    pattern has no " code { "version" } " for: "
                @for (place, lost) in lost.examples.iter().enumerate() {
                    @if place > 0 { ", " }
                    code { (lost.tag) } " (" (lost.version) ")"
                }
                "."
            }
        }
    }
}
