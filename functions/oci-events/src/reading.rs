//! What a body asks for.

use crate::mention::Mention;

/// What a body asks for, and the shape that it has.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The sender whose shape the body has.
    pub(crate) shape: &'static str,
    pub(crate) asks: Asks,
}

/// What a body asks for.
#[derive(Debug)]
pub(crate) enum Asks {
    /// Asks to look at these repositories. The list is empty if nothing changed.
    Looks(Vec<Mention>),
    /// Asks for a look at the whole instance, because the body does not say what changed.
    Pass,
    /// Tests the delivery.
    Ping,
    /// Asks for this code of Event Grid's back.
    Echo(String),
}

impl Reading {
    /// Makes a reading of mentions.
    pub(crate) fn looks(shape: &'static str, mentions: impl IntoIterator<Item = Mention>) -> Self {
        Self { shape, asks: Asks::Looks(mentions.into_iter().collect()) }
    }

    /// Makes a reading of a body that announces no change of a chart.
    pub(crate) fn nothing(shape: &'static str) -> Self {
        Self { shape, asks: Asks::Looks(Vec::new()) }
    }

    /// Makes a reading of a body that does not say what changed.
    pub(crate) fn pass(shape: &'static str) -> Self {
        Self { shape, asks: Asks::Pass }
    }

    /// Joins what two events of one body ask for. A look at the whole instance covers all others.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self.asks, other.asks) {
            (Asks::Looks(mut all), Asks::Looks(more)) => {
                all.extend(more);
                Self::looks(self.shape, all)
            }
            (Asks::Pass, _) => Self::pass(self.shape),
            (_, Asks::Pass) => Self::pass(other.shape),
            (asks @ Asks::Looks(_), _) | (_, asks) => Self { shape: self.shape, asks },
        }
    }
}
