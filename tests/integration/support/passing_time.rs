//! Moves the times that the poller has stored: back, as if time had passed, or ahead, as if the
//! database's clock had been ahead until now.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use super::lease::{edit_lease, lease, milliseconds_from_now};
use super::stack::Stack;

/// The statements that move every time by `$1` seconds, for the repositories that `$2` chooses.
const MOVES: [&str; 3] = [
    "UPDATE observations
    SET observed_at = observed_at + make_interval(secs => $1),
        changed_at = changed_at + make_interval(secs => $1),
        missing_since = missing_since + make_interval(secs => $1)
    WHERE repo_name = ANY ($2)",
    "UPDATE reference_faults
    SET first_at = first_at + make_interval(secs => $1),
        last_at = last_at + make_interval(secs => $1),
        next_at = next_at + make_interval(secs => $1)
    WHERE repo_name = ANY ($2)",
    "UPDATE discovery_instances
    SET last_started_at = last_started_at + make_interval(secs => $1),
        last_invoked_at = last_invoked_at + make_interval(secs => $1),
        last_succeeded_at = last_succeeded_at + make_interval(secs => $1)
    WHERE cardinality($2::text[]) > 0",
];

/// The times in the cursor's state, in its scan too.
const TIMES: [&str; 6] = [
    "last_pass_at",
    "last_whole_pass_at",
    "verified_until",
    "verify_before",
    "closed_until",
    "began_at",
];

/// Moves the times of some repositories, and those in the cursor. Ends a lease that a process left
/// behind. Call it while no invocation is under way.
pub(crate) async fn move_times(stack: &Stack, seconds: i32, repositories: &[&str]) {
    for sql in MOVES {
        stack.rows.execute(sql, &[&f64::from(seconds), &repositories]).await.unwrap();
    }
    let stored = lease(stack).await;
    let Some(state) = stored.get("cursor") else { return };
    let mut state: Value = serde_json::from_str(state.as_s().unwrap()).unwrap();
    move_all(&mut state, i64::from(seconds) * 1000);
    move_all(&mut state["scan"], i64::from(seconds) * 1000);
    // Another counter, so that no process uses the state that it has in memory.
    let counter: u64 = stored["counter"].as_n().unwrap().parse().unwrap();
    let values = [
        ("cursor", AttributeValue::S(state.to_string())),
        ("counter", AttributeValue::N((counter + 1000).to_string())),
        ("held_until", milliseconds_from_now(-3600)),
    ];
    edit_lease(stack, &values).await;
}

fn move_all(state: &mut Value, milliseconds: i64) {
    for name in TIMES {
        if let Some(time) = state.get(name).and_then(Value::as_i64) {
            state[name] = (time + milliseconds).into();
        }
    }
}
