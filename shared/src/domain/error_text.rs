//! Cleans the texts of errors that quote a chart's files.

/// Longest text of an error, in bytes.
pub(crate) const ERROR_MAX: usize = 2048;

/// Returns a text on one line, cut at [`ERROR_MAX`]. Removes control characters, and characters
/// that reverse text, because errors quote files that may be hostile.
pub(crate) fn error_text(text: &str) -> String {
    let reverses = |c: char| {
        matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' |
        '\u{2066}'..='\u{2069}')
    };
    let shown = text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c });
    let mut text: String = shown.filter(|c| !c.is_control() && !reverses(*c)).collect();
    if text.len() > ERROR_MAX {
        let ellipsis = "…";
        text.truncate(text.floor_char_boundary(ERROR_MAX - ellipsis.len()));
        text.push_str(ellipsis);
    }
    text
}
