//! What all pages have around them.

use maud::{DOCTYPE, Markup, html};

use super::{addresses, assets};
use crate::access::user::User;
use crate::http::problem::Problem;
use crate::icons;

/// The part of the site that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Kinds,
    Registries,
    TagFormats,
    Instances,
    Diagnose,
    Nothing,
}

impl Section {
    fn name(self) -> Option<&'static str> {
        SECTIONS.iter().find(|(section, ..)| *section == self).map(|(_, _, name, ..)| *name)
    }
}

/// Section, address, name, icon, and whether it is a site admin's.
const SECTIONS: [(Section, &str, &str, &str, bool); 5] = [
    (Section::Registries, addresses::REGISTRIES, "Registries", "boxes-stacked", true),
    (Section::Kinds, addresses::KINDS, "Kinds", "shapes", false),
    (Section::TagFormats, addresses::TAG_FORMATS, "Tag formats", "tags", true),
    (Section::Instances, addresses::INSTANCES, "Instances", "heart-pulse", true),
    (Section::Diagnose, addresses::DIAGNOSE, "Diagnose", "stethoscope", true),
];

/// A whole page.
pub(super) fn document(user: &User, section: Section, title: &str, body: &Markup) -> Markup {
    let is_somebody = !user.name.is_empty();
    let is_shown =
        |is_for_site_admins: bool| is_somebody && (user.is_site_admin || !is_for_site_admins);
    let sections = SECTIONS.iter().filter(|(.., is_for_site_admins)| is_shown(*is_for_site_admins));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) @if let Some(name) = section.name().filter(|name| *name != title) {
                    " · " (name) } " · Helm charts" }
                link rel="icon" type="image/svg+xml" href="/admin/assets/icons/dharmachakra";
                link rel="stylesheet" href=(assets::style());
                script src=(assets::script()) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href="/admin" { (icons::show("dharmachakra")) span { "Helm charts" } }
                    nav aria-label="Sections" {
                        ul {
                            @for (each, href, name, icon, _) in sections {
                                li {
                                    a href=(href) aria-current=[(*each ==
                                        section).then_some("page")] {
                                        (icons::show(icon)) span { (name) }
                                    }
                                }
                            }
                        }
                    }
                    @let role = if user.is_site_admin { "site admin" } else { "read-only" };
                    @if !user.name.is_empty() { p.user title={ (user.name) ", " (role) } {
                        (icons::show(if user.is_site_admin { "user-gear" } else { "user" }))
                        span.hidden { "Signed in as " (role) " " }
                        span { (short(&user.name)) }
                    } }
                    @if user.is_signed_in { a.sign-out href=(addresses::LOGOUT) { "Sign out" } }
                }
                main #main tabindex="-1" { (body) }
            }
        }
    }
}

/// What went wrong with a form, beside it.
pub(super) fn failure(problem: Option<&Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem { p.notice.bad role="alert" #problem {
            (sentence(&problem.detail)) } }
    }
}

/// What a form has done, above the page.
pub(super) fn done(said: Option<&str>) -> Markup {
    html! { @if let Some(said) = said { p.notice.good role="status" { (said) } } }
}

/// A message with a full stop, and a capital where it begins with a word.
pub(super) fn sentence(detail: &str) -> String {
    let word = detail.split(' ').next().unwrap_or_default();
    let is_word = !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase());
    let mut letters = detail.chars();
    let first: String = match letters.next() {
        Some(letter) if is_word => letter.to_uppercase().collect(),
        letter => letter.into_iter().collect(),
    };
    let stop = if detail.ends_with(['.', '?', '!', ':']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

/// The end of an ARN, which is the name of somebody.
fn short(user: &str) -> &str {
    user.rsplit('/').next().unwrap_or(user)
}
