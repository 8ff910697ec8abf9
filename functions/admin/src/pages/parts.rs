//! Parts that several pages show: times, numbers, links, pages of lists.

use maud::{Markup, html};
use shared::db::PageRequest;
use time::{OffsetDateTime, macros::format_description};
use url::form_urlencoded::Serializer;

use crate::http::extract;
use crate::http::problem::Problem;
use crate::times;

/// Rows on a page of a table.
const ROWS: u32 = 25;

/// Returns the page of a table that the address names.
///
/// # Errors
/// The page is not a whole number from 1, or too high.
pub(super) fn page(number: Option<&str>) -> Result<PageRequest, Problem> {
    let number = number.filter(|number| !number.is_empty()).map(str::parse).transpose();
    match number {
        Ok(number) if number != Some(0) => extract::page(number, Some(ROWS)),
        _ => Err(Problem::bad_request("the page must be a whole number from 1")),
    }
}

/// Shows how long ago a time was, and the exact time under the pointer.
pub(super) fn ago(at: OffsetDateTime) -> Markup {
    let exact = exact(at);
    html! { time datetime=(exact) title=(exact) { (times::ago(OffsetDateTime::now_utc() - at)) } }
}

fn exact(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
    at.to_offset(time::UtcOffset::UTC).format(&format).unwrap_or_default()
}

/// Returns an address with a query. Parameters without a value are left out.
pub(super) fn link(path: &str, query: &[(&str, &str)]) -> String {
    let mut pairs = Serializer::new(String::new());
    pairs.extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()));
    let query = pairs.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Shows how many results a list has, and links to its other pages.
pub(super) fn pager(page: PageRequest, total: i64, path: &str, query: &[(&str, &str)]) -> Markup {
    let size = i64::from(page.size);
    let last = ((total + size - 1) / size).max(1);
    let number = i64::from(page.number);
    let to = |number: i64| link(path, &[query, &[("page", &number.to_string())]].concat());
    html! {
        nav.pager aria-label="Pages" {
            span {
                (count_of(total, "result"))
                @if last > 1 { " · Page " (counted(number)) " of " (counted(last)) }
            }
            @if number > 1 { a rel="prev" href=(to((number - 1).min(last))) { "Previous" } }
            @if number < last { a rel="next" href=(to(number + 1)) { "Next" } }
        }
    }
}

/// Says that a list has no such page.
pub(super) fn beyond() -> Markup {
    html! { div.empty { p { "There is no such page." } p { "The list has become shorter: go back \
    to a page that exists." } } }
}

/// Returns a number with its noun, such as "2 charts".
pub(super) fn count_of(number: i64, what: &str) -> String {
    format!("{} {what}{}", counted(number), if number == 1 { "" } else { "s" })
}

/// Returns a number with commas between the thousands.
pub(super) fn counted(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// Returns the name of a provider as people write it.
pub(super) fn provider(name: &str) -> &str {
    match name {
        "Ecr" | "ecr" => "Amazon ECR",
        "Oci" | "oci" => "OCI",
        other => other,
    }
}

/// Shows an option of a `select`.
pub(super) fn choice(value: &str, chosen: &str, name: &str) -> Markup {
    html! { option value=(value) selected[value == chosen] { (name) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_and_nouns() {
        assert_eq!(
            (count_of(1, "tag"), count_of(1_000, "tag")),
            ("1 tag".to_owned(), "1,000 tags".to_owned())
        );
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-1_000, "-1,000")]
        {
            assert_eq!(counted(number), text);
        }
    }

    #[test]
    fn link_to_a_page_keeps_the_search() {
        assert_eq!(link("/x", &[("text", "a&b=c"), ("page", "")]), "/x?text=a%26b%3Dc");
        let page = PageRequest { number: 2, size: 25 };
        let shown = pager(page, 60, "/x", &[("text", "a b")]).into_string();
        assert!(
            shown.contains("/x?text=a+b&amp;page=1") && shown.contains("/x?text=a+b&amp;page=3"),
            "{shown}"
        );
    }
}
