//! Checks the first table of a run.

use std::process::ExitCode;

use serde_json::Value;
use shared::domain::RegistryUrl;

use super::poller::Pass;
use super::samples::Expected;

/// Checks that the first table has every pushed chart, and no other row of the polled registry.
pub(super) fn verdict(first: &Pass, url: &RegistryUrl, expected: &[Expected]) -> ExitCode {
    let Pass { summary, rows, .. } = first;
    let mut wrong = Vec::new();
    if summary.get("complete") != Some(&Value::Bool(true)) {
        wrong.push(format!("the pass is not complete: {summary}"));
    }
    for Expected { registry, repository, tag, digest, state } in expected {
        let found = rows.state(registry, repository, tag, digest.as_str());
        if found != Some(*state) {
            wrong.push(format!(
                "{registry} {repository}:{tag} is {} and should be {state}",
                found.unwrap_or("missing")
            ));
        }
    }
    let polled = url.to_string();
    let (found, pushed) =
        (rows.of(&polled), expected.iter().filter(|row| row.registry == polled).count());
    if !expected.is_empty() && found != pushed {
        wrong.push(format!("{polled} has {found} rows and should have {pushed}"));
    }
    for wrong in &wrong {
        eprintln!("wrong: {wrong}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
