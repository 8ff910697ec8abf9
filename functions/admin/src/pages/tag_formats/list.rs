//! `/admin/tag-formats`: the formats in order, the form that adds one, and the progress of parsing.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use shared::db::{Changeable, HelmTagFormat, Layout, Listed, PageRequest, ReparseProgress};

use super::forms::{AddForm, EXAMPLES, PatternPreview, TagFormatSearch, add_form};
use crate::access::csrf::{CsrfForm, CsrfToken, NoFields};
use crate::access::user::SiteAdmin;
use crate::app::App;
use crate::changes;
use crate::http::extract::{Id, Query};
use crate::http::problem::Problem;
use crate::pages::addresses::TAG_FORMATS;
use crate::pages::history;
use crate::pages::layout::{Section, document, done};
use crate::pages::owner;
use crate::pages::parts;
use crate::tag_patterns;

/// Shows the page.
pub(in crate::pages) async fn show(
    State(app): State<App>,
    admin: SiteAdmin,
    token: CsrfToken,
    Query(search): Query<TagFormatSearch>,
) -> Result<Markup, Problem> {
    render(&app, &admin, token, &search, None).await
}

/// Adds a format.
pub(in crate::pages) async fn add(
    State(app): State<App>,
    admin: SiteAdmin,
    token: CsrfToken,
    CsrfForm(AddForm { pattern }): CsrfForm<AddForm>,
) -> Result<Response, Problem> {
    match changes::add_tag_format(&app, &admin, &pattern).await {
        Ok(_) => Ok(Redirect::to(&format!("{TAG_FORMATS}?done=added#parsing")).into_response()),
        Err(problem) => {
            let page = render(
                &app,
                &admin,
                token,
                &TagFormatSearch { pattern, ..TagFormatSearch::default() },
                Some(&problem),
            )
            .await?;
            Ok((problem.status(), page).into_response())
        }
    }
}

/// Deletes a format.
pub(in crate::pages) async fn delete(
    State(app): State<App>,
    admin: SiteAdmin,
    Id(id): Id,
    CsrfForm(NoFields {}): CsrfForm<NoFields>,
) -> Result<Redirect, Problem> {
    changes::delete_tag_format(&app, &admin, id).await?;
    Ok(Redirect::to(&format!("{TAG_FORMATS}?done=deleted#parsing")))
}

async fn render(
    app: &App,
    SiteAdmin(user): &SiteAdmin,
    token: CsrfToken,
    search: &TagFormatSearch,
    problem: Option<&Problem>,
) -> Result<Markup, Problem> {
    let page = parts::page(search.page.as_deref())?;
    let formats = app.database.list_tag_formats(page).await?;
    let progress = app.database.reparse_progress().await?;
    let looked = if search.pattern.is_empty() || problem.is_some() {
        PatternPreview::Empty
    } else {
        match tag_patterns::check(&search.pattern) {
            Err(problem) => PatternPreview::Refused(problem),
            Ok(pattern) => {
                let preview = tag_patterns::preview(app, &pattern, EXAMPLES).await?;
                PatternPreview::Ready(pattern, preview)
            }
        }
    };
    let history = history::changes(app, Changeable::HelmTagFormat, None).await?;
    let said = match search.done.as_str() {
        "added" => Some("Format added."),
        "deleted" => Some("Format deleted."),
        _ => None,
    };
    let owner = owner::note(app).await?;
    let order = match app.database.layout().await? {
        Layout::Own => "the oldest first",
        Layout::Platz => "the newest first, as Platz does",
    };
    let body = html! {
        h1 { "Tag formats" }
        p.lead { "Regular expressions that extract version, revision, branch and commit from a \
                  tag. They are tried in this order, " (order) "; the first match wins." }
        (owner)
        (done(said))
        (parsing(app.parse_tags, progress))
        (list(&formats, page, token))
        (add_form(search, token, problem, &looked))
        (history)
    };
    Ok(document(user, Section::TagFormats, "Tag formats", &body))
}

/// Shows the progress of parsing. The script reloads it until parsing ends.
fn parsing(parse_tags: bool, ReparseProgress { behind, charts }: ReparseProgress) -> Markup {
    let is_going_on = parse_tags && behind > 0;
    html! {
        section #parsing.panel data-going-on[is_going_on] {
            // Only this paragraph has the role `status`, so that a screen reader does not read each
            // new number.
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
                        remaining. " a href=(TAG_FORMATS) { "Refresh" } }
                    progress max=(charts) value=(charts - behind) aria-label="Charts \
                        parsed" { (parts::counted(charts - behind)) }
                }
            }
        }
    }
}

fn list(formats: &Listed<HelmTagFormat>, page: PageRequest, token: CsrfToken) -> Markup {
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
                        @let delete = format!("{TAG_FORMATS}/{}/delete", format.id);
                        tr {
                            td.number data-label="Order" { (place) }
                            td data-label="Pattern" { code.pattern { (format.pattern) } }
                            td.number data-label="Charts" { (parts::counted(format.charts)) }
                            td data-label="Added" { (parts::ago(format.created_at)) }
                            td {
                                details.confirm {
                                    summary { "Delete… " span.hidden { "format " (place) } }
                                    form method="post" action=(delete) {
                                        input type="hidden" name="csrf" value=(token.0);
                                        button.danger type="submit" { "Delete this format" }
                                    }
                                }
                            }
                        }
                    }
                }
            } }
            (parts::pager(page, formats.total, TAG_FORMATS, &[]))
        }
    }
}
