//! A right, and the rights that a policy gives.

use serde_json::Value;

/// An action on a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The action in IAM's words, such as `sqs:SendMessage`.
    pub action: String,
    /// The ARN of the resource. In a policy a `*` may be at its end.
    pub resource: String,
}

impl Right {
    /// Makes a right.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into() }
    }

    /// Tells whether this right of a policy allows a call.
    #[must_use]
    pub fn covers(&self, call: &Self) -> bool {
        let is_resource = match self.resource.strip_suffix('*') {
            Some(beginning) => call.resource.starts_with(beginning),
            None => call.resource == self.resource,
        };
        self.action == call.action && is_resource
    }

    /// Lists the rights that a policy allows.
    pub(super) fn of_policy(policy: &Value) -> Vec<Self> {
        let mut rights = Vec::new();
        for statement in items(policy.get("Statement")) {
            if statement.get("Effect").and_then(Value::as_str) != Some("Allow") {
                continue;
            }
            for action in items(statement.get("Action")) {
                for resource in items(statement.get("Resource")) {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    rights.push(Self::new(text(action), text(resource)));
                }
            }
        }
        rights
    }
}

fn items(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
