//! `stack`: starts the local stack, for trying the functions (`make run`) or for running the tests
//! (`make test`).

mod rows;
mod run;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use shared::config::Environment;
use tests::dynamodb;
use tests::dynamodb_local::DynamoDbLocal;
use tests::postgres::TestServer;
use tokio::process::Command;

const USAGE: &str = "\
usage: stack run [--once] [--registry URL]   discover charts on this machine, until Ctrl-C
       stack exec COMMAND [ARGUMENT…]        run a command with a Postgres server for the tests
       stack rights FILE                     compare the recorded AWS calls with the policies";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    let outcome = match words.as_slice() {
        ["run", options @ ..] => match run::Options::read(options) {
            Some(options) => run::run(options).await,
            None => return usage(),
        },
        ["rights", file] => rights(Path::new(file)).await,
        ["exec", _, ..] => exec(arguments.get(1..).unwrap_or_default()).await,
        _ => return usage(),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("stack: {error:#}");
        ExitCode::FAILURE
    })
}

async fn rights(file: &Path) -> anyhow::Result<ExitCode> {
    eprintln!("stack: {}", tests::rights::compare(file).await?);
    Ok(ExitCode::SUCCESS)
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

/// Runs a command whose environment names a test server, and a DynamoDB Local if `TEST_DYNAMODB` is
/// `local`. The servers and their databases are removed when the command ends.
async fn exec(command: &[OsString]) -> anyhow::Result<ExitCode> {
    let server = TestServer::start().await?;
    let dynamodb = dynamodb_local().await?;
    let (program, arguments) = command.split_first().context("no command")?;
    let mut child = Command::new(program)
        .args(arguments)
        .envs(server.handover())
        .envs(dynamodb.iter().map(|server| (dynamodb::ENDPOINT, server.endpoint())))
        .kill_on_drop(true)
        .spawn()?;
    let ended = tokio::select! {
        status = child.wait() => Some(status?),
        stopped = run::stop_signal() => stopped.map(|()| None)?,
    };
    server.clean_up().await?;
    drop(server);
    let code = ended.and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

async fn dynamodb_local() -> anyhow::Result<Option<DynamoDbLocal>> {
    match Environment::of_process().get("TEST_DYNAMODB") {
        None => Ok(None),
        Some("local") => Ok(Some(DynamoDbLocal::start().await?)),
        Some(other) => bail!("TEST_DYNAMODB is {other}: it must be local, or not set"),
    }
}
