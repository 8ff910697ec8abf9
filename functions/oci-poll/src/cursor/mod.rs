//! The cursor: what `oci-poll` remembers in DynamoDB between invocations. It holds a lease, the
//! position of a pass, and a hash of each repository's tag list. Losing it costs requests, never
//! rows.

mod entries;
mod lease;
mod list_state;
mod packed;
mod scan;
mod standing;
mod state;
mod table;

use entries::Entries;
pub(crate) use entries::{hash, hash_of_tags};
pub(crate) use lease::{Acquired, Lease, WarmCursor, acquire};
pub(crate) use list_state::{DAY, DoubtedMark, ListState};
pub(crate) use packed::CursorEntry;
pub(crate) use scan::{Scan, ScannedList, SeenNotes, Stage};
pub(crate) use state::{Cursor, Fit, milliseconds, time_of};
pub(crate) use table::Table;
