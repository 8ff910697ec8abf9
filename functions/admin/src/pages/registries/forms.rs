//! The forms of a registry's page: its icon and its kind.

use maud::{Markup, html};
use serde::Deserialize;
use shared::db::HelmRegistry;

use crate::access::csrf::CsrfToken;
use crate::http::problem::Problem;
use crate::icons;
use crate::pages::addresses::REGISTRIES;
use crate::pages::layout::{button, confirmation, failure};
use crate::pages::parts;

#[derive(Debug, Deserialize)]
pub(in crate::pages) struct IconForm {
    #[serde(default)]
    pub(super) fa_icon: String,
}

#[derive(Debug, Deserialize)]
pub(in crate::pages) struct KindForm {
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) confirm: String,
}

/// The form that was refused.
pub(super) enum RefusedForm<'a> {
    Icon(RefusedInput<'a>),
    Kind(RefusedInput<'a>),
}

/// A form's text that was refused. The form shows it again, so that the user can correct it.
#[derive(Clone, Copy)]
pub(super) struct RefusedInput<'a> {
    pub(super) problem: &'a Problem,
    pub(super) typed: &'a str,
}

/// Shows the form that previews an icon, and the button that sets it.
pub(super) fn icon_form(
    registry: &HelmRegistry,
    token: CsrfToken,
    wanted: &str,
    refused: Option<RefusedInput<'_>>,
) -> Markup {
    let wanted = wanted.trim();
    let shown = match refused {
        Some(refused) => refused.typed,
        None if wanted.is_empty() => registry.fa_icon.as_str(),
        None => wanted,
    };
    let path = format!("{REGISTRIES}/{}", registry.id);
    let found = (!wanted.is_empty()).then(|| icons::check(wanted));
    let is_wrong = refused.is_some() || matches!(found, Some(Err(_)));
    html! {
        section.panel aria-labelledby="set-icon" {
            h2 #set-icon { "Set icon" }
            (failure(refused.map(|refused| refused.problem)))
            form method="get" action={ (path) "#set-icon" } {
                label {
                    span { "Icon name" }
                    input name="icon" value=(shown) required
                        autocomplete="off" spellcheck="false" maxlength="64" data-icon
                        aria-invalid=[is_wrong.then_some("true")]
                            aria-describedby=[is_wrong.then_some("problem")];
                }
                button type="submit" { "Preview" }
            }
            @match found {
                Some(Ok(name)) => {
                    form.preview method="post" action={ (path) "/icon" } {
                        input type="hidden" name="csrf" value=(token.0);
                        input type="hidden" name="fa_icon" value=(name);
                        span.large { (icons::show(name)) }
                        button.primary type="submit" { "Set icon " (name) }
                    }
                }
                Some(Err(problem)) => (failure(Some(&problem))),
                None => {},
            }
            p.faint.suggestions { "Suggestions, or any name \
                                   of " a href="https://fontawesome.com/v6/search?o=r&m=free"
                                       rel="noreferrer" { (icons::SET) } ":" }
            ul.suggested {
                @for name in icons::SUGGESTED {
                    li { a href={ (parts::link(&path, &[("icon", name)])) "#set-icon" }
                        title=(name) aria-label=(name) { (icons::show(name)) } }
                }
            }
            p.faint { "The icon shows on the kind as well." }
        }
    }
}

/// Shows the form that moves the registry to another kind.
pub(super) fn kind_form<'a>(
    registry: &HelmRegistry,
    token: CsrfToken,
    kinds: impl Iterator<Item = &'a str>,
    refused: Option<RefusedInput<'_>>,
) -> Markup {
    let shown = refused.map_or(registry.kind.as_str(), |refused| refused.typed);
    let problem = refused.map(|refused| refused.problem);
    html! {
        section.panel aria-labelledby="set-kind" {
            h2 #set-kind { "Kind" }
            (failure(refused.map(|refused| refused.problem)))
            form method="post" action={ (REGISTRIES) "/" (registry.id) "/kind" } {
                input type="hidden" name="csrf" value=(token.0);
                label {
                    span { "Name of the kind" }
                    input name="kind" value=(shown) required list="kinds" autocomplete="off"
                        spellcheck="false" aria-invalid=[refused.map(|_| "true")]
                        aria-describedby=[refused.map(|_| "problem")] autofocus[refused.is_some()];
                }
                datalist #kinds { @for kind in kinds { option value=(kind) {} } }
                (confirmation(problem))
                button type="submit" { (button(problem, "Change", "Change all the same")) }
            }
            p.faint { "Registries with the same kind, for example a mirror, share one version \
                       list." }
        }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;

    fn registry() -> HelmRegistry {
        HelmRegistry {
            id: Uuid::nil(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            domain_name: "https://ghcr.io".to_owned(),
            repo_name: "my-org/api".to_owned(),
            kind_id: Uuid::nil(),
            kind: "api".to_owned(),
            kind_fa_icon: None,
            available: true,
            fa_icon: "cube".to_owned(),
            provider: "Oci".to_owned(),
            charts: 0,
            last_pushed_at: None,
        }
    }

    #[test]
    fn refused_text_stays_in_its_form() {
        let problem = Problem::unprocessable("field", "it is refused");
        let refused = Some(RefusedInput { problem: &problem, typed: "mistyped" });
        let (registry, token) = (registry(), CsrfToken(Uuid::nil()));
        for (form, name) in [
            (icon_form(&registry, token, "", refused), "icon"),
            (kind_form(&registry, token, std::iter::empty(), refused), "kind"),
        ] {
            let form = form.into_string();
            assert!(form.contains(&format!("name=\"{name}\" value=\"mistyped\"")), "{form}");
            assert!(form.contains("It is refused."), "{form}");
        }
    }
}
