//! The default values of a chart, with a filter that needs no script.

use maud::{Markup, PreEscaped, html};
use uuid::Uuid;

use super::yaml::{colored, indentation};
use crate::pages::addresses::CHARTS;
use crate::pages::parts;

/// The most bytes of values that are shown. The whole page must fit into an answer of Lambda.
const SHOWN_MAX: usize = 1_000_000;

/// The longest text that the filter takes, in characters.
const FILTER_MAX: usize = 200;

/// The most lines that are shown, so that a browser stays quick.
const LINES_MAX: usize = 12_000;

/// Shows the values, or those that the filter finds.
pub(super) fn show(id: Uuid, values: &str, filter: &str) -> Markup {
    let filter: String = filter.trim().chars().take(FILTER_MAX).collect();
    let lines: Vec<&str> = values.lines().collect();
    let shown = matching(&lines, &filter);
    let found = shown.iter().filter(|shown| **shown).count();
    html! {
        h2 #values { "Values" }
        form.search action={ (CHARTS) "/" (id) "#values" } {
            label { span { "Show only lines with" }
                input type="search" name="values" value=(filter) maxlength=(FILTER_MAX)
                    autocomplete="off" spellcheck="false"; }
            button type="submit" { "Filter" }
        }
        @if !filter.is_empty() {
            p role="status" { (parts::counted(found.try_into().unwrap_or(i64::MAX))) " of "
                (parts::count_of(lines.len().try_into().unwrap_or(i64::MAX), "line")) ". "
                a href={ (CHARTS) "/" (id) "#values" } { "Show all" } }
        }
        @if found > 0 { (listing(&lines, &shown)) }
        @else if !filter.is_empty() { div.empty { p { "No line has this text." } } }
        @else { p.faint { "The file is empty." } }
    }
}

fn listing(lines: &[&str], shown: &[bool]) -> Markup {
    let (mut html, mut count, mut was_shown) = (String::new(), 0, true);
    for (line, is_shown) in lines.iter().zip(shown) {
        if !is_shown {
            was_shown = false;
            continue;
        }
        if count >= LINES_MAX || html.len() > SHOWN_MAX {
            html.push_str("… The rest is not shown. The API has it.\n");
            break;
        }
        if !was_shown {
            html.push_str("⋯\n");
        }
        html.push_str(&colored(line).into_string());
        html.push('\n');
        (count, was_shown) = (count + 1, true);
    }
    html! {
        pre.code tabindex="0" role="region" aria-label="Values" { (PreEscaped(html)) }
    }
}

/// Returns for each line whether it is shown: it has the text, it is inside a key that has it, it
/// is a key around it, or a comment above it.
fn matching(lines: &[&str], filter: &str) -> Vec<bool> {
    if filter.is_empty() {
        return vec![true; lines.len()];
    }
    let filter = filter.to_lowercase();
    let mut shown = vec![false; lines.len()];
    // The keys around the current line, as pairs of indentation and line.
    let mut around: Vec<OpenKey> = Vec::new();
    let mut inside: Option<usize> = None;
    let mut comments_from = None;
    for (at, line) in lines.iter().enumerate() {
        let text = line.trim_start();
        let is_comment = text.starts_with('#');
        let depth = indentation(line);
        if text.is_empty() || is_comment {
            comments_from = if is_comment { comments_from.or(Some(at)) } else { None };
            let is_found = is_comment && line.to_lowercase().contains(&filter);
            mark(&mut shown, at, is_found || inside.is_some_and(|open| depth > open));
            continue;
        }
        inside = inside.filter(|open| depth > *open);
        while around.last().is_some_and(|open| open.depth >= depth) {
            around.pop();
        }
        let is_found = line.to_lowercase().contains(&filter);
        if is_found {
            let first = comments_from.unwrap_or(at);
            (first..at).for_each(|above| mark(&mut shown, above, true));
            for open in around.iter_mut().rev().take_while(|open| !open.is_shown) {
                open.is_shown = true;
                mark(&mut shown, open.line, true);
            }
        }
        mark(&mut shown, at, is_found || inside.is_some());
        if is_found && inside.is_none() {
            inside = Some(depth);
        }
        around.push(OpenKey { depth, line: at, is_shown: is_found });
        comments_from = None;
    }
    shown
}

/// A key whose values follow.
struct OpenKey {
    depth: usize,
    line: usize,
    /// Whether it is shown, so that every key around it is shown too.
    is_shown: bool,
}

fn mark(shown: &mut [bool], at: usize, is_shown: bool) {
    if let Some(line) = shown.get_mut(at) {
        *line |= is_shown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(values: &str, filter: &str) -> String {
        let lines: Vec<&str> = values.lines().collect();
        let shown = matching(&lines, filter);
        lines.iter().zip(shown).filter(|(_, shown)| *shown).map(|(line, _)| *line).collect()
    }

    #[test]
    fn filter_shows_the_keys_around_a_line_and_the_lines_inside_it() {
        let values = "\
a:
  # about b
  b:
    c: 1

    d: needle
  e: 2
f:
  g: needle
needle:
  h: 3
# needle in a comment
i: 4
";
        assert_eq!(
            filtered(values, "NEEDLE"),
            "a:  b:    d: needlef:  g: needleneedle:  h: 3# \
            needle in a comment"
        );
        assert_eq!(filtered(values, "b:"), "a:  # about b  b:    c: 1    d: needle");
        assert_eq!(filtered(values, "nothing"), "");
    }

    #[test]
    fn filter_takes_linear_time() {
        let deep = (0..50_000).map(|n| format!("{}a:\n", " ".repeat(n % 100)));
        let deep = deep.collect::<Vec<_>>().concat();
        let comments = "# a\n".repeat(60_000);
        for values in [deep, comments, "a:\n".repeat(80_000), " a\n".repeat(60_000)] {
            let lines: Vec<&str> = values.lines().collect();
            assert!(matching(&lines, "a").iter().all(|shown| *shown));
        }
    }
}
