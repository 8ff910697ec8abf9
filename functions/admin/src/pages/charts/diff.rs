//! The difference between two texts, line by line.

use std::time::Duration;

use maud::{Markup, html};
use similar::{Algorithm, ChangeTag, TextDiff};

/// How long the shortest difference is searched. A longer one is shown after that.
const SEARCH_TIME: Duration = Duration::from_millis(300);

/// Unchanged lines that are shown around a change.
const CONTEXT: usize = 3;

/// The most lines of one difference.
const LINES_MAX: usize = 3_000;

/// The most bytes of HTML that the differences of a page have. The whole page must fit into an
/// answer of Lambda.
const BYTES_MAX: usize = 2_000_000;

/// The most bytes that a line has besides its text.
const FRAME: usize = "<del>- \n</del>".len();

/// The bytes of HTML that are left for the differences of a page.
#[derive(Debug)]
pub(super) struct DiffBudget {
    left: usize,
}

impl DiffBudget {
    /// Returns the budget of a page.
    pub(super) fn of_page() -> Self {
        Self { left: BYTES_MAX }
    }

    /// Takes what a line needs. Returns the beginning of it that fits.
    fn take<'a>(&mut self, line: &'a str) -> &'a str {
        self.left = self.left.saturating_sub(FRAME);
        for (position, character) in line.char_indices() {
            let size = escaped_size(character);
            if size > self.left {
                self.left = 0;
                return line.get(..position).unwrap_or_default();
            }
            self.left -= size;
        }
        line
    }
}

/// Returns how many bytes a character has in HTML.
fn escaped_size(character: char) -> usize {
    match character {
        '"' => "&quot;".len(),
        '&' => "&amp;".len(),
        '<' | '>' => "&lt;".len(),
        other => other.len_utf8(),
    }
}

/// A line of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DiffLine {
    kind: LineKind,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineKind {
    Same,
    Removed,
    Added,
    /// Lines that are the same are left out here.
    Gap,
    /// The rest is left out here.
    Cut,
}

/// Returns the difference as far as the budget allows. It is empty if the texts are equal.
pub(super) fn lines(before: &str, after: &str, budget: &mut DiffBudget) -> Vec<DiffLine> {
    if before == after {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .timeout(SEARCH_TIME)
        .diff_lines(before, after);
    for (number, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if number > 0 {
            lines.push(DiffLine { kind: LineKind::Gap, text: String::new() });
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            if lines.len() >= LINES_MAX || budget.left == 0 {
                lines.push(DiffLine { kind: LineKind::Cut, text: String::new() });
                return lines;
            }
            let kind = match change.tag() {
                ChangeTag::Equal => LineKind::Same,
                ChangeTag::Delete => LineKind::Removed,
                ChangeTag::Insert => LineKind::Added,
            };
            let text = change.value().trim_end_matches(['\n', '\r']);
            lines.push(DiffLine { kind, text: budget.take(text).to_owned() });
        }
    }
    if budget.left == 0 {
        // The last line may be cut.
        lines.push(DiffLine { kind: LineKind::Cut, text: String::new() });
    }
    lines
}

/// Shows a difference.
pub(super) fn show(name: &str, lines: &[DiffLine]) -> Markup {
    html! {
        pre.code.diff tabindex="0" role="region" aria-label={ "Difference of " (name) } {
            @for line in lines {
                @match line.kind {
                    LineKind::Same => { "  " (line.text) "\n" }
                    LineKind::Removed => { del { "- " (line.text) "\n" } }
                    LineKind::Added => { ins { "+ " (line.text) "\n" } }
                    LineKind::Gap => { "⋯\n" }
                    LineKind::Cut => { "… The rest is not shown.\n" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> String {
        show("x", &lines(before, after, &mut DiffBudget::of_page())).into_string()
    }

    #[test]
    fn changed_lines_are_shown_with_their_neighbours() {
        let before = (0..20).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
        let after = before.replace("line 10\n", "<b>\n");
        let html = shown(&before, &after);
        assert!(
            html.contains("  line 7\n  line 8\n  line 9\n<del>- line 10\n</del><ins>+ &lt;b&gt;\n")
        );
        assert!(!html.contains("line 6\n") && !html.contains("line 14\n"), "{html}");
        assert_eq!(lines(&before, &before, &mut DiffBudget::of_page()), []);
    }

    #[test]
    fn differences_of_a_page_fit_into_an_answer_of_lambda() {
        let line = |character: &str| character.repeat(255_000);
        let mut budget = DiffBudget::of_page();
        let mut size = 0;
        let texts = [line("\""), line("<"), line("\u{20ac}"), "\n".repeat(255_000)];
        for text in &texts {
            let lines = lines(text, &format!("{text}x"), &mut budget);
            size += show("x", &lines).into_string().len();
        }
        assert!((BYTES_MAX / 2..BYTES_MAX + 10_000).contains(&size), "{size} bytes");
        let cut = show("x", &lines("a", "b", &mut budget)).into_string();
        assert!(cut.contains("The rest is not shown"), "{cut}");
    }

    #[test]
    fn difference_of_hostile_texts_takes_bounded_time_and_space() {
        let numbers = |step: u64| -> String {
            let mut random = 88_172_645_463_325_252_u64;
            let mut next = || {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % step
            };
            (0..60_000).map(|_| format!("{}\n", next())).collect::<Vec<_>>().concat()
        };
        let empty_lines = "\n".repeat(256 * 1024);
        let long_line = "x".repeat(256 * 1024);
        for (before, after) in [
            (numbers(7), numbers(11)),
            (numbers(100_000), numbers(90_000)),
            (empty_lines.clone(), "a\n".repeat(128 * 1024)),
            (long_line.clone(), format!("{long_line}y")),
            (String::new(), empty_lines),
        ] {
            let began = std::time::Instant::now();
            let lines = lines(&before, &after, &mut DiffBudget::of_page());
            assert!(lines.len() <= LINES_MAX + 1, "{}", lines.len());
            assert!(show("x", &lines).into_string().len() < BYTES_MAX + 10_000);
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        }
    }
}
