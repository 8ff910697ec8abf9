//! Colours YAML, line by line. A line that it does not understand is shown without colours.

use maud::{Markup, html};

/// The parts of a line. Together they are the whole line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct LineParts<'a> {
    before: &'a str,
    key: &'a str,
    between: &'a str,
    value: &'a str,
    comment: &'a str,
}

/// Returns the number of spaces before the text of a line. A list's dashes count as spaces, so that
/// the fields of an element are inside the list.
pub(super) fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

/// Shows a line with colours.
pub(super) fn colored(line: &str) -> Markup {
    let LineParts { before, key, between, value, comment } = split(line);
    html! {
        (before)
        @if !key.is_empty() { span.key { (key) } }
        (between)
        @match class_of(value) {
            Some("string") => { span.string { (value) } }
            Some(_) => { span.plain { (value) } }
            None => { (value) }
        }
        @if !comment.is_empty() { span.comment { (comment) } }
    }
}

fn split(line: &str) -> LineParts<'_> {
    let text = line.trim_start_matches([' ', '\t', '-']);
    let (before, rest) = line.split_at(line.len() - text.len());
    if rest.starts_with('#') {
        return LineParts { before, comment: rest, ..LineParts::default() };
    }
    let (key, rest) = match key_end(rest) {
        Some(end) => rest.split_at(end),
        None => ("", rest),
    };
    let (rest, comment) = rest.split_at(comment_start(rest));
    let value = rest.strip_prefix(':').filter(|_| !key.is_empty()).unwrap_or(rest).trim_start();
    let (between, value) = rest.split_at(rest.len() - value.len());
    LineParts { before, key, between, value, comment }
}

/// Returns where the key of a line ends: before a colon with a space, or at the line's end.
fn key_end(text: &str) -> Option<usize> {
    let end = text.match_indices(':').map(|(at, _)| at).find(|at| {
        let rest = text.get(at + 1..).unwrap_or_default();
        rest.is_empty() || rest.starts_with([' ', '\t', '\r'])
    })?;
    let key = text.get(..end)?;
    let is_quoted = key.starts_with(['"', '\'']);
    let is_key = !key.is_empty() && !key.contains(" #") && (is_quoted || !key.contains(['{', '[']));
    is_key.then_some(end)
}

/// Returns where the comment behind a value starts. A `#` in quotes starts none.
fn comment_start(text: &str) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '#') if before.is_whitespace() => return at,
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
        before = character;
    }
    text.len()
}

fn class_of(value: &str) -> Option<&'static str> {
    let value = value.trim();
    let is_word = matches!(value, "true" | "false" | "null" | "~" | "{}" | "[]");
    if value.starts_with(['"', '\'']) {
        Some("string")
    } else if is_word || (!value.is_empty() && value.parse::<f64>().is_ok()) {
        Some("plain")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_split_into_key_value_and_comment() {
        for (line, expected) in [
            ("a: 1 # one", ["", "a", ": ", "1 ", "# one"]),
            ("  - name: \"x # y\"", ["  - ", "name", ": ", "\"x # y\"", ""]),
            ("# a: b", ["", "", "", "", "# a: b"]),
            ("  key:", ["  ", "key", ":", "", ""]),
            ("url: http://x#y", ["", "url", ": ", "http://x#y", ""]),
            ("http://x", ["", "", "", "http://x", ""]),
            ("- {a: b}", ["- ", "", "", "{a: b}", ""]),
            ("", ["", "", "", "", ""]),
        ] {
            let LineParts { before, key, between, value, comment } = split(line);
            assert_eq!([before, key, between, value, comment], expected, "{line}");
        }
    }

    #[test]
    fn no_part_of_a_line_is_lost_and_none_is_markup() {
        for line in ["<b>: '<i>' # <script>", "\"<a>\": <", "é:\t'ü' #ß", "'a: b", ": :", "- - a:"]
        {
            let LineParts { before, key, between, value, comment } = split(line);
            assert_eq!([before, key, between, value, comment].concat(), line);
            let shown = colored(line).into_string();
            assert!(!shown.replace("<span", "").replace("</span", "").contains('<'), "{shown}");
        }
    }
}
