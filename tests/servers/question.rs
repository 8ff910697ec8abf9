//! One question, which any registry can be asked.

use std::pin::Pin;

use crate::server::Server;

type Answer = Pin<Box<dyn Future<Output = anyhow::Result<String>>>>;

/// A question, and what it is called on the page.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) need: Need,
    /// Whether a slow registry is asked it only with `--all`.
    pub(crate) is_long: bool,
    ask: fn(Server) -> Answer,
}

/// What a registry must have, so that a question concerns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    /// Users with passwords.
    Logins,
    /// Tokens that expire.
    Tokens,
    /// A right to pull that a user can lose for one repository.
    Rights,
    /// A way to remove a whole repository.
    Removal,
}

impl Question {
    pub(crate) const fn new(name: &'static str, need: Need, ask: fn(Server) -> Answer) -> Self {
        Self { name, need, is_long: false, ask }
    }

    pub(crate) const fn long(self) -> Self {
        Self { is_long: true, ..self }
    }

    /// Asks an empty registry of its own. Returns what held, in a few words.
    pub(crate) async fn ask(&self, server: Server) -> anyhow::Result<String> {
        (self.ask)(server).await
    }
}
