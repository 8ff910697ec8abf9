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

/// The most bytes of one difference. The whole page must fit into an answer of Lambda.
const BYTES_MAX: usize = 300_000;

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

/// Returns the difference. It is empty if the texts are equal.
pub(super) fn lines(before: &str, after: &str) -> Vec<DiffLine> {
    if before == after {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut bytes = 0;
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .timeout(SEARCH_TIME)
        .diff_lines(before, after);
    for (number, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if number > 0 {
            lines.push(DiffLine { kind: LineKind::Gap, text: String::new() });
        }
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            if lines.len() >= LINES_MAX || bytes > BYTES_MAX {
                lines.push(DiffLine { kind: LineKind::Cut, text: String::new() });
                return lines;
            }
            let kind = match change.tag() {
                ChangeTag::Equal => LineKind::Same,
                ChangeTag::Delete => LineKind::Removed,
                ChangeTag::Insert => LineKind::Added,
            };
            let text = change.value().trim_end_matches(['\n', '\r']);
            let text = text.get(..text.floor_char_boundary(BYTES_MAX)).unwrap_or(text).to_owned();
            bytes += text.len();
            lines.push(DiffLine { kind, text });
        }
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
        show("x", &lines(before, after)).into_string()
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
        assert_eq!(lines(&before, &before), []);
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
            let lines = lines(&before, &after);
            assert!(lines.len() <= LINES_MAX + 1, "{}", lines.len());
            assert!(show("x", &lines).into_string().len() < 2 << 20);
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        }
    }
}
