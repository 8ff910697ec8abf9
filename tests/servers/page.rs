//! Writes the page of what held.

use std::fmt::Write as _;

use tests::tools;

use crate::questions;
use crate::server::Server;

/// The answers of one registry. `None` stands for a question that does not concern it.
pub(crate) struct Answers {
    pub(crate) server: Server,
    pub(crate) version: String,
    pub(crate) held: Vec<Option<String>>,
}

/// Writes `docs/registries/tested.md`.
///
/// # Errors
/// Fails if the file cannot be written.
pub(crate) fn write(asked: &[Answers]) -> anyhow::Result<()> {
    let mut page = String::from(
        "# Tested registries\n\n`make real` asks these registries the same questions, and writes \
         this page when every answer is\nright. The questions are in `tests/servers`. A dash: the \
         question does not concern the registry.\n\n| asked |",
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
            let held = answers.held.get(n).and_then(Option::as_deref).unwrap_or("–");
            write!(page, " {held} |")?;
        }
        page.push('\n');
    }
    page.push_str(
        "\n`make real` also runs every function behind AWS's own Lambda Runtime Interface \
         Emulator, and the\ntests of the cursor against AWS's own DynamoDB Local.\n",
    );
    let path = tools::workspace().join("docs/registries/tested.md");
    Ok(std::fs::write(path, page)?)
}
