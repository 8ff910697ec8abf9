//! `/admin/tag-formats`: the formats in order, a new one with a look at what it would do, and how far the charts are.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use shared::db::{HelmTagFormat, Listed, Page, ReparseProgress};
use shared::domain::ParsedTag;
use shared::tags::Preview;
use tokio::time::Instant;

use super::layout::{Section, document_with, done, failure};
use super::parts;
use crate::app::App;
use crate::changes;
use crate::csrf::{Form, Token};
use crate::extract::{Id, Query};
use crate::problem::Problem;
use crate::user::SiteAdmin;

const PATH: &str = "/admin/tag-formats";

/// Examples of a preview, and the time for it.
const EXAMPLES: usize = 20;
const PREVIEW_TIME: Duration = Duration::from_secs(15);

#[derive(Debug, Default, Deserialize)]
pub(super) struct Search {
    /// A pattern to look at before it is saved.
    #[serde(default)]
    pattern: String,
    #[serde(default)]
    done: String,
    page: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Add {
    #[serde(default)]
    pattern: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    admin: SiteAdmin,
    token: Token,
    Query(search): Query<Search>,
) -> Result<Markup, Problem> {
    render(&app, &admin, token, &search, None).await
}

/// Adds a format.
pub(super) async fn add(
    State(app): State<App>,
    admin: SiteAdmin,
    token: Token,
    Form(Add { pattern }): Form<Add>,
) -> Result<Response, Problem> {
    match changes::add_tag_format(&app, &admin, &pattern).await {
        Ok(_) => Ok(Redirect::to(&format!("{PATH}?done=added")).into_response()),
        Err(problem) => {
            let page = render(&app, &admin, token, &Search { pattern, ..Search::default() }, Some(&problem)).await?;
            Ok((problem.status(), page).into_response())
        }
    }
}

/// Deletes a format.
pub(super) async fn delete(
    State(app): State<App>,
    admin: SiteAdmin,
    Id(id): Id,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Redirect, Problem> {
    changes::delete_tag_format(&app, &admin, id).await?;
    Ok(Redirect::to(&format!("{PATH}?done=deleted")))
}

/// What became of a pattern that somebody wants to look at.
enum Looked {
    Nothing,
    Refused(Problem),
    Would(Preview),
}

async fn render(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    token: Token,
    search: &Search,
    problem: Option<&Problem>,
) -> Result<Markup, Problem> {
    let page = parts::page(search.page)?;
    let formats = app.database.list_tag_formats(page).await?;
    let progress = app.database.reparse_progress().await?;
    let looked = if search.pattern.is_empty() || problem.is_some() {
        Looked::Nothing
    } else {
        match changes::check_pattern(&search.pattern) {
            Err(problem) => Looked::Refused(problem),
            Ok(pattern) => {
                let deadline = Instant::now() + PREVIEW_TIME;
                Looked::Would(shared::tags::preview(&app.database, &pattern, EXAMPLES, deadline).await?)
            }
        }
    };
    let said = match search.done.as_str() {
        "added" => Some("The format is added."),
        "deleted" => Some("The format is deleted."),
        _ => None,
    };
    let body = html! {
        h1 { "Tag formats" }
        p.lead { "Regular expressions that take a tag apart. They are tried in this order; the first that matches counts." }
        (done(said))
        (parsing(app.parse_tags, progress))
        (list(&formats, page, token))
        (add_form(search, token, problem, &looked))
    };
    // The script looks again by itself, and leaves alone what is being typed.
    let again =
        html! { @if app.parse_tags && progress.behind > 0 { noscript { meta http-equiv="refresh" content="2"; } } };
    Ok(document_with(user, Section::TagFormats, "Tag formats", &again, &body))
}

/// How far the charts are.
fn parsing(parse_tags: bool, ReparseProgress { behind, charts }: ReparseProgress) -> Markup {
    let is_going_on = parse_tags && behind > 0;
    html! {
        section #parsing.panel aria-live="polite" data-going-on[is_going_on] {
            @if !parse_tags {
                p { strong { "Tags are not parsed: " } code { "ENABLE_TAG_PARSER" } " is not " code { "true" } ". Formats are kept for the day it is." }
            } @else if is_going_on {
                p { "Parsing: " (parts::counted(behind)) " of " (parts::counted(charts)) " charts are still to be done." }
                progress max=(charts) value=(charts - behind) { (parts::counted(charts - behind)) }
            } @else {
                p { "All " (parts::counted(charts)) " charts are parsed with these formats." }
            }
        }
    }
}

fn list(formats: &Listed<HelmTagFormat>, page: Page, token: Token) -> Markup {
    let first = u64::from(page.number.saturating_sub(1)) * u64::from(page.size) + 1;
    html! {
        @if formats.total == 0 {
            div.empty {
                p { "There is no format. A chart's own version, branch and commit are shown." }
                p { "Try one below, for example " code { r"^(?P<branch>[a-z]+)-(?P<revision>\d+)-(?P<commit>[0-9a-f]{7})$" } }
            }
        } @else {
            table {
                caption.hidden { "Tag formats" }
                thead {
                    tr {
                        th.number scope="col" { "Order" }
                        th scope="col" { "Pattern" }
                        th.number scope="col" { "Charts" }
                        th scope="col" { "Added" }
                        th scope="col" { span.hidden { "Delete" } }
                    }
                }
                tbody {
                    @for (place, format) in (first..).zip(&formats.items) {
                        tr {
                            td.number data-label="Order" { (place) }
                            td data-label="Pattern" { code.pattern { (format.pattern) } }
                            td.number data-label="Charts" { (parts::counted(format.charts)) }
                            td data-label="Added" { (parts::ago(format.created_at)) }
                            td {
                                details.confirm {
                                    summary { "Delete…" }
                                    form method="post" action={ (PATH) "/" (format.id) "/delete" } {
                                        input type="hidden" name="csrf" value=(token.0);
                                        button.danger type="submit" { "Delete this format" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            (parts::pager(page, formats.total, PATH, &[]))
        }
    }
}

fn add_form(search: &Search, token: Token, problem: Option<&Problem>, looked: &Looked) -> Markup {
    html! {
        section.panel aria-labelledby="add" {
            h2 #add { "Add a format" }
            (failure(problem))
            form method="get" action={ (PATH) "#add" } {
                label.wide {
                    span { "Pattern" }
                    input name="pattern" value=(search.pattern) required autocomplete="off" spellcheck="false" maxlength="4096"
                        placeholder=r"^(?P<version>\d+\.\d+\.\d+)$";
                }
                button type="submit" { "Preview" }
            }
            p.faint {
                "Groups named " code { "version" } ", " code { "revision" } ", " code { "branch" } " and " code { "commit" }
                " are kept. The syntax is Perl's, without look-around and backreferences."
            }
            @match looked {
                Looked::Nothing => {},
                Looked::Refused(problem) => (failure(Some(problem))),
                Looked::Would(preview) => (would(&search.pattern, preview, token)),
            }
        }
    }
}

/// What a pattern would do, and the way to have it done.
fn would(pattern: &str, preview: &Preview, token: Token) -> Markup {
    let counted = |number: u64| parts::counted(number.try_into().unwrap_or(i64::MAX));
    html! {
        p #preview {
            "It matches " strong { (counted(preview.matched)) } " tags. No format takes "
            strong { (counted(preview.newly_matched)) } " of them today."
        }
        @if !preview.matches.is_empty() {
            table {
                caption.hidden { "Tags that it matches" }
                thead { tr { th scope="col" { "Tag" } th scope="col" { "Would show" } th scope="col" { "Taken by" } } }
                tbody {
                    @for found in &preview.matches {
                        @let parsed = ParsedTag {
                            version: found.version.clone(), revision: found.revision.clone(),
                            branch: found.branch.clone(), commit: found.commit.clone(),
                        };
                        tr {
                            td data-label="Tag" { code.tag { (found.tag) } }
                            td data-label="Would show" { (parsed) }
                            td data-label="Taken by" {
                                @match &found.shadowed_by {
                                    Some(older) => code.pattern { (older) },
                                    None => "this one",
                                }
                            }
                        }
                    }
                }
            }
        }
        form method="post" action=(PATH) {
            input type="hidden" name="csrf" value=(token.0);
            input type="hidden" name="pattern" value=(pattern);
            button.primary type="submit" { "Add this format" }
        }
    }
}
