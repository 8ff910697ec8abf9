//! The limits of requests and answers.

use std::time::Duration;

/// Total time one request may take, its login, redirects and body included. Long enough for a 32
/// MiB layer at 10 Mbit/s; short enough that a registry that sends a byte a second costs one slot
/// for half a minute.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// Time for the connection alone: a black-holed address should not use up the whole deadline.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// How many redirects one request may follow. Registries use one.
pub(super) const REDIRECTS: usize = 3;

/// How much of a refusal's body is read to find the error code in it, in bytes.
pub(super) const ERROR_BODY_LIMIT: usize = 16 * 1024;

/// Attempts for a request that meets transient faults.
pub(super) const ATTEMPTS: u32 = 3;

/// The longest pause before the second attempt; each further one may be twice as long.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Largest manifest read, in bytes: what the distribution specification asks registries to accept
/// at least.
pub const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

/// Names asked for in one page of a listing. Docker Distribution refuses more than 1,000.
pub(super) const PAGE_SIZE: usize = 1000;

/// Largest page read, in bytes. Docker Distribution and others send all tags of a repository at
/// once: this is room for a hundred thousand of them. Several may be read at the same time.
pub(super) const PAGE_LIMIT: usize = 4 * 1024 * 1024;

/// Most names taken from one page, and most tags of one repository: what fits into a small
/// function's memory.
pub(super) const NAMES_MAX: usize = 100_000;

/// Longest query of a next page, in bytes. A position is kept in the cursor.
pub(super) const QUERY_MAX: usize = 4096;

/// Pages after which a listing counts as endless: ten million names.
pub(super) const PAGES_MAX: usize = 10_000;
