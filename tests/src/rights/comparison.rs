//! Compares the rights that a role needs with those that it has.

use serde_json::Value;

use super::right::Right;

/// The rights that no call of the SDK uses, each with the reason.
const EXPLAINED: [(&str, &str); 8] = [
    ("logs:CreateLogStream", "Lambda writes the log with the role of the function"),
    ("logs:PutLogEvents", "Lambda writes the log with the role of the function"),
    ("sqs:DeleteMessage", "Lambda reads the queue with the role of the function"),
    ("sqs:GetQueueAttributes", "Lambda reads the queue with the role of the function"),
    ("sqs:ReceiveMessage", "Lambda reads the queue with the role of the function"),
    ("ecr:BatchGetImage", "ECR asks for it when the function gets a manifest over HTTP"),
    ("ecr:GetDownloadUrlForLayer", "ECR asks for it when the function gets a blob over HTTP"),
    ("ecr:ListImages", "ECR asks for it when the function lists tags over HTTP"),
];

/// The same for `oci-poll` alone.
const EXPLAINED_OF_POLLER: [(&str, &str); 1] = [(
    "ecr:DescribeRepositories",
    "the catalog over HTTP lists repositories, and AWS does not document what it asks for",
)];

/// What the calls of a role and its policies disagree about.
#[derive(Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Calls that no policy allows.
    pub denied: Vec<Right>,
    /// Actions that the policies allow, and that no call uses and no reason explains.
    pub unused: Vec<String>,
}

impl Comparison {
    /// Compares the rights that the calls of a program need with the policies of its role.
    #[must_use]
    pub fn of(program: &str, needed: &[Right], policies: &[Value]) -> Self {
        let allowed: Vec<Right> = policies.iter().flat_map(Right::of_policy).collect();
        let is_denied = |right: &&Right| !allowed.iter().any(|allowed| allowed.covers(right));
        let mut denied: Vec<Right> = needed.iter().filter(is_denied).cloned().collect();
        denied.sort();
        denied.dedup();
        let is_used = |action: &str| needed.iter().any(|needed| needed.action == action);
        let of_poller = EXPLAINED_OF_POLLER.iter().filter(|_| program == "oci-poll");
        let explained: Vec<&str> =
            EXPLAINED.iter().chain(of_poller).map(|(action, _)| *action).collect();
        let is_explained = |action: &str| explained.contains(&action);
        let actions = allowed.into_iter().map(|right| right.action);
        let mut unused: Vec<String> =
            actions.filter(|action| !is_used(action) && !is_explained(action)).collect();
        unused.sort();
        unused.dedup();
        Self { denied, unused }
    }

    /// Tells whether the calls and the policies agree.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.denied.is_empty() && self.unused.is_empty()
    }
}
