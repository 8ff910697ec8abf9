//! Prints what `stack run` does.

/// Prints what happens next, on standard error.
pub(super) fn progress(what: &str) {
    eprintln!("==> {what}");
}

/// Prints a part of the result, on standard output.
#[expect(clippy::print_stdout, reason = "the table and its changes are this program's output")]
pub(super) fn show(what: &str) {
    println!("{what}");
}
