//! The position of a pass: its stage, the place in it, and what the pass left on its way.

use serde::{Deserialize, Serialize};

/// The saved position of a pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scan {
    /// When it began.
    pub(crate) began_at: i64,
    /// The stage, and the place in it.
    pub(crate) stage: Stage,
    /// The state's `verified_until` when the scan began.
    pub(crate) verified_until: Option<i64>,
    /// The state's `verify_before` when the scan began.
    pub(crate) verify_before: Option<i64>,
    /// Repositories that the catalog has listed so far.
    pub(crate) catalogued: u64,
    /// Whether an earlier invocation of the pass had an error.
    pub(crate) has_failed: bool,
    /// The number of invocations that ended before the batch behind the place was visited.
    #[serde(default)]
    pub(crate) interruptions: u32,
    /// Whether work is left to the next pass, because its repositories needed too much time.
    #[serde(default)]
    pub(crate) has_left: bool,
    /// Whether that includes tags whose turn it was to be verified.
    #[serde(default)]
    pub(crate) has_unverified: bool,
    /// What the pass has of the list of repositories.
    #[serde(default)]
    pub(crate) list: ScannedList,
    /// Which of the repositories that the registry shows are noted, in each invocation of the pass.
    #[serde(default)]
    pub(crate) notes: SeenNotes,
}

/// What a pass has of the list of repositories.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ScannedList {
    /// All of it, or all of it so far.
    #[default]
    Whole,
    /// Not all of it, because none is due or because it failed. The pass then visits the
    /// repositories that the database knows.
    Lacking,
}

/// Which of the repositories that the registry shows are noted as seen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SeenNotes {
    /// Those whose lists have changed, because the others are noted.
    #[default]
    Changes,
    /// All.
    Everything,
}

/// The stages of a pass, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// The repositories that the instance names. `behind` is the last one that was visited.
    Named { behind: Option<String> },
    /// The repositories that the catalog lists, from the page with this query on. `behind` is the
    /// last one of that page that was visited.
    Catalog { query: Option<String>, behind: Option<String> },
    /// The known repositories that were not listed. `behind` is the last one that was visited.
    Vanished { behind: Option<String> },
}

impl Scan {
    /// Begins a scan.
    pub(crate) fn new(began_at: i64) -> Self {
        Self {
            began_at,
            stage: Stage::Named { behind: None },
            verified_until: None,
            verify_before: None,
            catalogued: 0,
            has_failed: false,
            interruptions: 0,
            has_left: false,
            has_unverified: false,
            list: ScannedList::Whole,
            notes: SeenNotes::Changes,
        }
    }

    /// Returns whether the pass lacks a part of the list of repositories.
    pub(crate) fn is_unlisted(&self) -> bool {
        self.list == ScannedList::Lacking
    }

    /// Moves the place behind a batch that was visited.
    pub(crate) fn move_to(&mut self, stage: Stage) {
        self.stage = stage;
        self.interruptions = 0;
    }
}
