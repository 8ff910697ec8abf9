//! Prints what failed and what is skipped, and decides how the run ends.

use std::process::ExitCode;

use shared::config::Environment;
use tests::tools;

/// What happened so far.
pub(crate) struct Report {
    in_ci: bool,
    failures: u32,
    is_whole: bool,
}

impl Report {
    /// Begins a report. `is_whole` says whether everything is selected.
    pub(crate) fn new(is_whole: bool) -> Self {
        let in_ci = Environment::of_process().get("CI").is_some();
        Self { in_ci, failures: 0, is_whole }
    }

    pub(crate) fn fail(&mut self, what: &str) {
        println!("FAILED {what}");
        self.failures += 1;
    }

    /// Notes a program that is not installed. In CI that is a failure, unless Go builds it and is
    /// missing.
    pub(crate) fn skip(&mut self, what: &str, needs_go: bool, error: &anyhow::Error) {
        println!("skipped {what}: {error:#}");
        self.is_whole = false;
        self.failures += u32::from(self.in_ci && !(needs_go && tools::go().is_err()));
    }

    /// Notes a question that is asked only with `ALL=1`.
    pub(crate) fn leave_out(&mut self, what: &str) {
        println!("skipped {what}: it takes minutes, and `make real ALL=1` asks it");
        self.is_whole = false;
    }

    /// Returns whether every question was asked and every answer was right.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole && self.failures == 0
    }

    pub(crate) fn end(&self) -> ExitCode {
        if self.failures == 0 {
            println!("all held");
            return ExitCode::SUCCESS;
        }
        println!("{} failed", self.failures);
        ExitCode::FAILURE
    }
}
