//! Asks the same questions of several real registries, and runs each function behind Lambda's own
//! emulator. Writes what held to `docs/registries/tested.md`. `make real` runs it.

#![expect(clippy::print_stdout, reason = "the outcome is for a reader")]
#![expect(clippy::indexing_slicing, reason = "JSON, and lists of a known length")]

mod emulator;
mod page;
mod question;
mod questions;
mod server;
mod site;

use std::process::ExitCode;

use crate::page::Answers;
use crate::server::Server;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut failures = 0;
    let mut asked = Vec::new();
    for server in Server::ALL {
        let mut answers = Answers { server, version: server.version()?, held: Vec::new() };
        for question in questions::ALL {
            if question.needs_login && !server.has_login() {
                answers.held.push(None);
                continue;
            }
            match question.ask(server).await {
                Ok(answer) => answers.held.push(Some(answer)),
                Err(error) => {
                    failures += 1;
                    println!("FAILED {}: {}: {error:#}", server.name(), question.name);
                }
            }
        }
        let (name, held) = (answers.server.name(), answers.held.iter().flatten().count());
        println!("{name} {}: {held} answers", answers.version);
        asked.push(answers);
    }
    for name in emulator::FUNCTIONS {
        match emulator::run(name).await {
            Ok(()) => println!("{name}: answers behind the Runtime Interface Emulator"),
            Err(error) => {
                failures += 1;
                println!("FAILED {name} behind the Runtime Interface Emulator: {error:#}");
            }
        }
    }
    if failures > 0 {
        println!("{failures} failed");
        return Ok(ExitCode::FAILURE);
    }
    page::write(&asked)?;
    println!("all held");
    Ok(ExitCode::SUCCESS)
}
