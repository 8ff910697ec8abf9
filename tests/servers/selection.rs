//! Selects what is asked, by the words of the command line.

use crate::question::Question;
use crate::questions;
use crate::server::Server;

/// What is asked.
pub(crate) struct Selection {
    /// Whether slow registries are asked the long questions too.
    pub(crate) all: bool,
    /// Each must be part of the registry's name and the question. Without any, all are asked.
    words: Vec<String>,
}

impl Selection {
    pub(crate) fn of(words: impl Iterator<Item = String>) -> Self {
        let (options, words): (Vec<_>, Vec<_>) = words.partition(|word| word == "--all");
        Self { all: !options.is_empty(), words }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.words.is_empty()
    }

    pub(crate) fn asks(&self, server: Server, question: &Question) -> bool {
        let subject = format!("{} {}", server.name(), question.name).to_lowercase();
        self.words.iter().all(|word| subject.contains(&word.to_lowercase()))
    }

    pub(crate) fn asks_any(&self, server: Server) -> bool {
        questions::ALL.iter().any(|question| self.asks(server, question))
    }

    /// Returns whether the functions run behind Lambda's emulator.
    pub(crate) fn has_emulator(&self) -> bool {
        self.words.iter().all(|word| word == "emulator")
    }
}
