//! The calls that all tests recorded, against the policies of one plan.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::comparison::Comparison;
use super::right::Right;
use super::roles::{ROLES, plan};
use crate::terraform::Module;

/// A right that a function needed in a test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordedCall {
    program: String,
    action: String,
    resource: String,
}

impl RecordedCall {
    pub(super) fn new(program: &str, right: Right) -> Self {
        let Right { action, resource } = right;
        Self { program: program.to_owned(), action, resource }
    }
}

/// Compares the calls in a file with the policies of a plan, and says what it compared.
///
/// # Errors
/// Names each call that no policy allows, and each action that is allowed without being used or
/// explained.
pub async fn compare(file: &Path) -> anyhow::Result<String> {
    let lines = std::fs::read_to_string(file);
    let lines = lines.with_context(|| format!("cannot read {}", file.display()))?;
    let calls: BTreeSet<RecordedCall> =
        lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let plan = Module::init("plan").await?.output(&plan()).await?;
    let mut problems = Vec::new();
    for (program, role) in ROLES {
        let of_program = calls.iter().filter(|call| call.program == program);
        let needed: Vec<Right> =
            of_program.map(|call| Right::new(&call.action, &call.resource)).collect();
        let Comparison { denied, unused } =
            Comparison::of(program, &needed, &policies(&plan, role)?);
        problems.extend(denied.into_iter().map(|Right { action, resource }| {
            format!("{program} calls {action} on {resource}, and its role may not")
        }));
        problems.extend(
            unused.into_iter().map(|action| format!("{program} may {action}, and never does it")),
        );
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(format!("{} different calls, all allowed; no right is unused", calls.len()))
}

/// Returns all policies of a role.
fn policies(plan: &Value, role: &str) -> anyhow::Result<Vec<Value>> {
    let all = plan.get("policies").context("the plan has no policies")?;
    let inline = all.get("functions").and_then(|functions| functions.get(role));
    let more = all.get("more").and_then(|more| more.get(role)).and_then(Value::as_array);
    inline
        .into_iter()
        .chain(more.into_iter().flatten())
        .map(|text| Ok(serde_json::from_str(text.as_str().unwrap_or_default())?))
        .collect()
}
