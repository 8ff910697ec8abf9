//! One question, which any registry can be asked.

use std::pin::Pin;

use crate::server::Server;

type Answer = Pin<Box<dyn Future<Output = anyhow::Result<String>>>>;

/// A question, and what it is called on the page.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    /// Whether it needs a registry that asks for a password.
    pub(crate) needs_login: bool,
    ask: fn(Server) -> Answer,
}

impl Question {
    pub(crate) const fn new(name: &'static str, ask: fn(Server) -> Answer) -> Self {
        Self { name, needs_login: false, ask }
    }

    pub(crate) const fn of_login(name: &'static str, ask: fn(Server) -> Answer) -> Self {
        Self { name, needs_login: true, ask }
    }

    /// Asks an empty registry of its own. Returns what held, in a few words.
    pub(crate) async fn ask(&self, server: Server) -> anyhow::Result<String> {
        (self.ask)(server).await
    }
}
