//! What an instance remembers between invocations, in DynamoDB: a lease, a position, and a hash of
//! every repository's list of tags. Losing it costs requests, never rows.

mod entries;
mod lease;
mod state;
mod table;

use entries::Entries;
pub(crate) use entries::{Entry, hash, hash_of_tags};
pub(crate) use lease::{Acquired, Lease, Warm, acquire};
pub(crate) use state::{Cursor, Fit, Scan, Stage, milliseconds};
pub(crate) use table::Table;
