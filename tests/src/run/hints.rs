//! Follows the webhooks of the registry beside the passes.

use std::future::pending;

use serde_json::{Value, json};
use tests::function::Function;
use tests::webhooks::Webhooks;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The hints that are followed in the background. Dropping it ends that.
pub(super) struct Hints {
    followed: mpsc::Receiver<anyhow::Result<Value>>,
    task: JoinHandle<()>,
}

impl Hints {
    /// Starts to invoke `oci-poll` with each batch of hints.
    pub(super) fn follow(webhooks: Webhooks, poll: Function) -> Self {
        let (sender, followed) = mpsc::channel(1);
        let task = tokio::spawn(async move {
            loop {
                let Some(answer) = webhooks.deliver(&poll).await.transpose() else { continue };
                let is_over = answer.is_err();
                if sender.send(answer).await.is_err() || is_over {
                    break;
                }
            }
        });
        Self { followed, task }
    }

    /// Waits until a batch was followed. Returns what went wrong with it. After an error of the
    /// queue it waits for ever, because polling finds the rest.
    pub(super) async fn next(&mut self) -> Option<String> {
        let Some(followed) = self.followed.recv().await else { return pending().await };
        match followed {
            Ok(answer) if answer == json!({"batchItemFailures": []}) => None,
            Ok(answer) => Some(format!("hints that failed: {answer}")),
            Err(error) => Some(format!("webhooks are followed no longer: {error:#}")),
        }
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        self.task.abort();
    }
}
