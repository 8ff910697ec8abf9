//! `/admin/tag-formats`: the formats in order, a new one with a look at what it would do, and how
//! far the charts are.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use shared::db::{Changeable, HelmTagFormat, Listed, PageRequest, ReparseProgress};
use shared::domain::{ParsedTag, TagPattern};
use shared::tags::Preview;

use super::history;
use super::layout::{Section, document, done, failure};
use super::parts;
use crate::app::App;
use crate::changes;
use crate::csrf::{Form, Token};
use crate::extract::{Id, Query};
use crate::problem::Problem;
use crate::user::SiteAdmin;

const PATH: &str = "/admin/tag-formats";

/// Examples of a preview.
const EXAMPLES: usize = 20;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Search {
    /// A pattern to look at before it is saved.
    #[serde(default)]
    pattern: String,
    #[serde(default)]
    done: String,
    page: Option<String>,
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
        Ok(_) => Ok(Redirect::to(&format!("{PATH}?done=added#parsing")).into_response()),
        Err(problem) => {
            let page = render(
                &app,
                &admin,
                token,
                &Search { pattern, ..Search::default() },
                Some(&problem),
            )
            .await?;
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
    Ok(Redirect::to(&format!("{PATH}?done=deleted#parsing")))
}

/// What became of a pattern that somebody wants to look at.
enum Looked {
    Nothing,
    Refused(Problem),
    Would(TagPattern, Preview),
}

async fn render(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    token: Token,
    search: &Search,
    problem: Option<&Problem>,
) -> Result<Markup, Problem> {
    let page = parts::page(search.page.as_deref())?;
    let formats = app.database.list_tag_formats(page).await?;
    let progress = app.database.reparse_progress().await?;
    let looked = if search.pattern.is_empty() || problem.is_some() {
        Looked::Nothing
    } else {
        match changes::check_pattern(&search.pattern) {
            Err(problem) => Looked::Refused(problem),
            Ok(pattern) => {
                let preview = changes::preview(app, &pattern, EXAMPLES).await?;
                Looked::Would(pattern, preview)
            }
        }
    };
    let history = history::changes(app, Changeable::HelmTagFormat, None).await?;
    let said = match search.done.as_str() {
        "added" => Some("Format added."),
        "deleted" => Some("Format deleted."),
        _ => None,
    };
    let body = html! {
        h1 { "Tag formats" }
        p.lead { "Regular expressions that extract version, revision, branch and commit from a \
                  tag. They are tried in this order; the first match wins." }
        (done(said))
        (parsing(app.parse_tags, progress))
        (list(&formats, page, token))
        (add_form(search, token, problem, &looked))
        (history)
    };
    Ok(document(user, Section::TagFormats, "Tag formats", &body))
}

/// How far the charts are. The script looks again while it is going on.
fn parsing(parse_tags: bool, ReparseProgress { behind, charts }: ReparseProgress) -> Markup {
    let is_going_on = parse_tags && behind > 0;
    html! {
        section #parsing.panel data-going-on[is_going_on] {
            // Alone: what changes all the time is not read out.
            p role="status" {
                @if !parse_tags {
                    strong { "Tags are not parsed: " } code { "ENABLE_TAG_PARSER" } " is \
                        not " code { "true" }
                    ". Formats take effect once it is."
                } @else if is_going_on {
                    "The tags are being parsed again."
                } @else if charts == 0 {
                    "No charts yet."
                } @else {
                    (parts::count_of(charts, "chart")) ", all up to date with these formats."
                }
            }
            div.how-far {
                @if is_going_on {
                    p { (parts::counted(behind)) " of " (parts::counted(charts)) " charts \
                        remaining. " a href=(PATH) { "Refresh" } }
                    progress max=(charts) value=(charts - behind) aria-label="Charts \
                        parsed" { (parts::counted(charts - behind)) }
                }
            }
        }
    }
}

fn list(formats: &Listed<HelmTagFormat>, page: PageRequest, token: Token) -> Markup {
    let first = u64::from(page.number.saturating_sub(1)) * u64::from(page.size) + 1;
    html! {
        @if formats.total == 0 {
            div.empty {
                p { "There are no formats. A chart's own version, branch and commit are shown." }
                p {
                    "Try one below, for example "
                    code { r"^(?P<branch>[a-z]+)-(?P<revision>\d+)-(?P<commit>[0-9a-f]{7})$" }
                }
            }
        } @else {
            @if formats.items.is_empty() { (parts::beyond()) } @else { table {
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
                                    summary { "Delete… " span.hidden { "format " (place) } }
                                    form method="post" action={ (PATH) "/" (format.id) "/delete" } {
                                        input type="hidden" name="csrf" value=(token.0);
                                        button.danger type="submit" { "Delete this format" }
                                    }
                                }
                            }
                        }
                    }
                }
            } }
            (parts::pager(page, formats.total, PATH, &[]))
        }
    }
}

fn add_form(search: &Search, token: Token, problem: Option<&Problem>, looked: &Looked) -> Markup {
    let is_wrong = problem.is_some() || matches!(looked, Looked::Refused(_));
    html! {
        section.panel aria-labelledby="add" {
            h2 #add { "Add a format" }
            (failure(problem))
            form method="get" action={ (PATH) "#add" } {
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
                Looked::Nothing => {},
                Looked::Refused(problem) => (failure(Some(problem))),
                Looked::Would(pattern, preview) => (would(pattern, preview, token)),
            }
        }
    }
}

/// What a pattern would do, and the way to have it done.
fn would(pattern: &TagPattern, preview: &Preview, token: Token) -> Markup {
    let matched = preview.matched.try_into().unwrap_or(i64::MAX);
    let counted = |number: u64| parts::counted(number.try_into().unwrap_or(i64::MAX));
    html! {
        p #preview {
            @if preview.matched == 0 { "No tag matches." } @else {
                "Matches " strong { (parts::count_of(matched, "tag")) } ", of \
                    which " strong { (counted(preview.newly_matched)) }
                " match no format that is there."
            }
        }
        @if !pattern.names_a_group() {
            p.notice.warn {
                "The pattern has none of the \
                 groups " code { "version" } ", " code { "revision" } ", " code { "branch" } " and "
                code { "commit" } ": of charts whose tags match, nothing would be shown."
            }
        }
        @if !preview.matches.is_empty() {
            @if preview.matched > EXAMPLES as u64 { p.faint { "The \
                first " (preview.matches.len()) ", those first that would change:" } }
            table {
                caption.hidden { "Tags that it matches" }
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
        form method="post" action={ (PATH) "#add" } {
            input type="hidden" name="csrf" value=(token.0);
            input type="hidden" name="pattern" value=(pattern.as_str());
            button.primary type="submit" { "Add this format" }
        }
    }
}
