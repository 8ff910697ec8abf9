//! Asks the same questions of several real registries, and runs each function behind Lambda's own
//! emulator. `make real` runs it. With `--all` it asks the long questions of slow registries too,
//! and writes what held to `docs/registries/tested.md`. With other words it asks only what they
//! select.

#![expect(clippy::print_stdout, reason = "the outcome is for a reader")]
#![expect(clippy::indexing_slicing, reason = "JSON, and lists of a known length")]

mod emulator;
mod oras;
mod page;
mod pulp;
mod question;
mod questions;
mod report;
mod running;
mod selection;
mod server;
mod site;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tests::tools;

use crate::page::{Answers, Outcome};
use crate::report::Report;
use crate::selection::Selection;
use crate::server::Server;

/// A question that hangs is given up after this time. The longest takes half of it.
const LIMIT: Duration = Duration::from_mins(40);

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let selection = Selection::of(std::env::args().skip(1));
    let mut report = Report::new(selection.is_whole());
    let mut asked = Vec::new();
    for server in Server::ALL.into_iter().filter(|server| selection.asks_any(*server)) {
        let began = Instant::now();
        match server.version() {
            Ok(version) => {
                let answers = ask(server, version, &selection, &mut report).await;
                let (name, seconds) = (server.name(), began.elapsed().as_secs());
                println!("{name} {}: {seconds} s", answers.version);
                asked.push(answers);
            }
            Err(error) => report.skip(server.name(), server.needs_go(), &error),
        }
    }
    if selection.has_emulator() {
        emulate(&mut report).await;
    }
    if report.is_whole() {
        page::write(&asked)?;
        println!("docs/registries/tested.md is written");
    }
    Ok(report.end())
}

async fn ask(
    server: Server,
    version: String,
    selection: &Selection,
    report: &mut Report,
) -> Answers {
    let mut answers = Answers { server, version, outcomes: Vec::new() };
    for question in questions::ALL.iter().filter(|question| selection.asks(server, question)) {
        if let Some(reason) = server.lacks(question.need) {
            answers.outcomes.push(Outcome::Lacks(reason));
        } else if question.is_long && server.is_slow() && !selection.all {
            report.leave_out(&format!("{}: {}", server.name(), question.name));
        } else {
            let answer = tokio::time::timeout(LIMIT, question.ask(server)).await;
            match answer.context("it hangs").flatten() {
                Ok(held) => answers.outcomes.push(Outcome::Held(held)),
                Err(error) => {
                    report.fail(&format!("{}: {}: {error:#}", server.name(), question.name));
                }
            }
        }
    }
    answers
}

/// Runs each function behind the Runtime Interface Emulator.
async fn emulate(report: &mut Report) {
    const EMULATOR: &str = "the Runtime Interface Emulator";
    if let Err(error) = tools::go_program("aws-lambda-rie") {
        return report.skip(EMULATOR, true, &error);
    }
    let began = Instant::now();
    for name in emulator::FUNCTIONS {
        if let Err(error) = emulator::run(name).await {
            report.fail(&format!("{name} behind {EMULATOR}: {error:#}"));
        }
    }
    println!(
        "{} functions behind {EMULATOR}: {} s",
        emulator::FUNCTIONS.len(),
        began.elapsed().as_secs()
    );
}
