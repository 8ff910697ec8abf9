//! The free FontAwesome icons, which the crate `font-awesome-as-a-crate` contains as SVG.

use font_awesome_as_a_crate::{Type, svg};
use maud::{Markup, PreEscaped, html};

use crate::http::problem::Problem;

/// The name of the icon set, for messages.
pub(crate) const SET: &str = "FontAwesome Free 6";

/// Longest name of an icon that is looked up, in bytes.
const NAME_MAX: usize = 64;

/// Icons that the page of a registry suggests.
pub(crate) const SUGGESTED: [&str; 18] = [
    "cube",
    "cubes",
    "box",
    "database",
    "server",
    "globe",
    "cloud",
    "bolt",
    "gear",
    "envelope",
    "credit-card",
    "cart-shopping",
    "users",
    "chart-line",
    "magnifying-glass",
    "lock",
    "robot",
    "rocket",
];

/// Returns the SVG of an icon: solid if there is one, else a brand, else outlined.
pub(crate) fn find(name: &str) -> Option<&'static str> {
    if name.len() > NAME_MAX {
        return None;
    }
    [Type::Solid, Type::Brands, Type::Regular].into_iter().find_map(|kind| svg(kind, name).ok())
}

/// Returns the name if an icon has it.
///
/// # Errors
/// No icon has the name.
pub(crate) fn check(name: &str) -> Result<&str, Problem> {
    if find(name).is_some() {
        return Ok(name);
    }
    let shown: String = name.chars().take(NAME_MAX).collect();
    let stripped = name.strip_prefix("fa-").filter(|stripped| find(stripped).is_some());
    let hint =
        stripped.map_or("If unsure, use cube".to_owned(), |name| format!("Did you mean {name}?"));
    Err(Problem::unprocessable(
        "fa_icon",
        format!("there is no icon named {shown:?} in {SET}. {hint}"),
    ))
}

/// Shows an icon, hidden from screen readers because words stand beside it. An unknown name is
/// shown as text.
pub(crate) fn show(name: &str) -> Markup {
    let Some(svg) = find(name) else {
        return html! { code.icon-name title="no icon of this name is known" { (name) } };
    };
    // The SVG may be inserted unescaped, because it comes from the crate and not from a user.
    html! { span.icon data-name=(name) aria-hidden="true" { (PreEscaped(svg)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_icon_is_refused_with_a_hint() {
        for name in SUGGESTED.iter().chain(&["question", "docker", "github"]) {
            assert!(check(name).is_ok(), "{name}");
        }
        for (name, said) in [
            ("fa-cube", "Did you mean cube?"),
            ("", "use cube"),
            ("javascript:alert(1)", "no icon named"),
            ("../solid/cube", "no icon"),
            ("<script>", "no icon"),
        ] {
            assert!(check(name).unwrap_err().detail.contains(said), "{name}");
        }
    }

    /// Hostile input 16.
    #[test]
    fn unknown_icon_name_is_shown_as_text() {
        let shown = show("\"><script>alert(1)</script>").into_string();
        assert!(shown.contains("&lt;script&gt;") && !shown.contains("<script"), "{shown}");
    }
}
