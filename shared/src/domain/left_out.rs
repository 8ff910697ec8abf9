//! Files of a chart that are not kept.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error_text::error_text;

/// A file of a chart that is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftOut {
    /// Its name.
    file: String,
    /// The reason, such as `has 300000 bytes; the limit is 262144`.
    reason: String,
}

impl LeftOut {
    /// Names a file and the reason, which may quote the file. So it is cut and put on one line.
    #[must_use]
    pub fn new(file: &str, reason: &str) -> Self {
        Self { file: file.to_owned(), reason: error_text(reason) }
    }

    /// Returns the name of the file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns the size of its texts, in bytes.
    pub(super) fn size(&self) -> usize {
        self.file.len() + self.reason.len()
    }
}
