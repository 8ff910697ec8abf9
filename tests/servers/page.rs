//! Writes the page of what held.

use std::fmt::Write as _;

use tests::tools;

use crate::questions;
use crate::server::Server;

/// The outcome of one question at one registry.
pub(crate) enum Outcome {
    /// What held, in a few words.
    Held(String),
    /// Why the question does not concern the registry.
    Lacks(&'static str),
}

/// The answers of one registry, in the order of [`questions::ALL`].
pub(crate) struct Answers {
    pub(crate) server: Server,
    pub(crate) version: String,
    pub(crate) outcomes: Vec<Outcome>,
}

/// Writes `docs/registries/tested.md`.
///
/// # Errors
/// Fails if the file cannot be written.
pub(crate) fn write(asked: &[Answers]) -> anyhow::Result<()> {
    let mut page = String::from(
        "# Tested registries\n\n`make real ALL=1` asks these registries the same questions, and \
         writes this page when every answer\nis right. The questions are in `tests/servers`. \
         Where a question does not concern a registry, the\nreason is in italics.\n\n| asked |",
    );
    for answers in asked {
        write!(page, " {} {} |", answers.server.name(), answers.version)?;
    }
    page.push_str("\n|---|");
    page.push_str(&"---|".repeat(asked.len()));
    page.push('\n');
    for (n, question) in questions::ALL.iter().enumerate() {
        write!(page, "| {} |", question.name)?;
        for answers in asked {
            match answers.outcomes.get(n) {
                Some(Outcome::Held(held)) => write!(page, " {held} |")?,
                Some(Outcome::Lacks(reason)) => write!(page, " *{reason}* |")?,
                None => page.push_str(" |"),
            }
        }
        page.push('\n');
    }
    page.push_str(
        "\nCharts are pushed by Helm 4, by oras, and by a client of the tests. `make real` also \
         runs every function\nbehind AWS's own Lambda Runtime Interface Emulator, and the tests \
         of the cursor against AWS's own\nDynamoDB Local.\n",
    );
    let path = tools::workspace().join("docs/registries/tested.md");
    Ok(std::fs::write(path, page)?)
}
