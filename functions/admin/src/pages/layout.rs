//! The frame of every page: head, navigation, and messages of forms.

use maud::{DOCTYPE, Markup, html};

use super::{addresses, assets};
use crate::access::user::User;
use crate::http::problem::Problem;
use crate::icons;

/// The section that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Kinds,
    Registries,
    TagFormats,
    Instances,
    Diagnose,
    None,
}

/// A section as the navigation shows it.
struct SectionLink {
    section: Section,
    address: &'static str,
    name: &'static str,
    icon: &'static str,
    /// Whether only site admins see it.
    is_for_site_admins: bool,
}

const SECTIONS: [SectionLink; 5] = [
    SectionLink {
        section: Section::Registries,
        address: addresses::REGISTRIES,
        name: "Registries",
        icon: "boxes-stacked",
        is_for_site_admins: true,
    },
    SectionLink {
        section: Section::Kinds,
        address: addresses::KINDS,
        name: "Kinds",
        icon: "shapes",
        is_for_site_admins: false,
    },
    SectionLink {
        section: Section::TagFormats,
        address: addresses::TAG_FORMATS,
        name: "Tag formats",
        icon: "tags",
        is_for_site_admins: true,
    },
    SectionLink {
        section: Section::Instances,
        address: addresses::INSTANCES,
        name: "Instances",
        icon: "heart-pulse",
        is_for_site_admins: true,
    },
    SectionLink {
        section: Section::Diagnose,
        address: addresses::DIAGNOSE,
        name: "Diagnose",
        icon: "stethoscope",
        is_for_site_admins: true,
    },
];

impl Section {
    fn name(self) -> Option<&'static str> {
        SECTIONS.iter().find(|link| link.section == self).map(|link| link.name)
    }
}

/// Returns a whole page.
pub(super) fn document(user: &User, section: Section, title: &str, body: &Markup) -> Markup {
    let is_known = !user.name.is_empty();
    let is_shown =
        |link: &&SectionLink| is_known && (user.is_site_admin || !link.is_for_site_admins);
    let links = SECTIONS.iter().filter(is_shown);
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
                            @for link in links {
                                @let is_current = link.section == section;
                                li {
                                    a href=(link.address)
                                        aria-current=[is_current.then_some("page")] {
                                        (icons::show(link.icon)) span { (link.name) }
                                    }
                                }
                            }
                        }
                    }
                    @let role = if user.is_site_admin { "site admin" } else { "read-only" };
                    @if is_known { p.user title={ (user.name) ", " (role) } {
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

/// Shows why a form was refused, beside the form.
pub(super) fn failure(problem: Option<&Problem>) -> Markup {
    html! {
        @if let Some(problem) = problem { p.notice.bad role="alert" #problem {
            (sentence(&problem.detail)) } }
    }
}

/// Adds the confirmation to a form that was refused without it.
pub(super) fn confirmation(problem: Option<&Problem>) -> Markup {
    html! {
        @if problem.is_some_and(|problem| problem.needs_confirmation.is_some()) {
            input type="hidden" name="confirm" value="true";
        }
    }
}

/// Returns the label of a form's button.
pub(super) fn button<'a>(problem: Option<&Problem>, usual: &'a str, confirm: &'a str) -> &'a str {
    let is_needed = problem.is_some_and(|problem| problem.needs_confirmation.is_some());
    if is_needed { confirm } else { usual }
}

/// Shows what a form has done, above the page.
pub(super) fn done(said: Option<&str>) -> Markup {
    html! { @if let Some(said) = said { p.notice.good role="status" { (said) } } }
}

/// Makes a sentence of a message: it adds a full stop, and a capital unless the first word is code.
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

/// Returns the end of an ARN, which is the name of the user.
fn short(user: &str) -> &str {
    user.rsplit('/').next().unwrap_or(user)
}
