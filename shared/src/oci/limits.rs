//! The limits of requests and answers.

use std::time::Duration;

/// Time limit of one request, with its login, redirects and body. It is long enough for a layer of
/// 32 MiB at 10 Mbit/s. A registry that sends one byte per second holds a permit for only this
/// time.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// The longest time for which `Retry-After` is honoured.
pub const CLOSED_MAX: Duration = Duration::from_hours(1);

/// How long a vendor's API is left alone after a 429 that names no time.
pub(super) const CLOSED_USUAL: Duration = Duration::from_mins(1);

/// Time limit of the connection alone, so that an unreachable address does not use up the whole
/// request's time.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// Time limit of a request to a realm. It is shorter than that of the request that needs the token,
/// so that the error can name the realm.
pub(super) const REALM_DEADLINE: Duration = Duration::from_secs(10);

/// Largest answer of a realm, in bytes.
pub(super) const TOKEN_LIMIT: usize = 16 * 1024;

/// Largest number of redirects that one request follows. Registries use one.
pub(super) const REDIRECTS: usize = 3;

/// Bytes of an error response that are read to find the error code.
pub(super) const ERROR_BODY_LIMIT: usize = 16 * 1024;

/// Attempts for a request that meets transient faults.
pub(super) const ATTEMPTS: u32 = 3;

/// The longest pause before the second attempt; each further one may be twice as long.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// Largest manifest that is read, in bytes. The distribution specification asks registries to
/// accept at least this size.
pub const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

/// Largest page of a listing that is read, in bytes. A page is read as it arrives and only its
/// names are kept, so this limit only ends a page that has no end. Google adds some hundred bytes
/// to each tag.
pub(super) const LIST_LIMIT: usize = 128 * 1024 * 1024;

/// Longest single text in a listing, in bytes.
pub(super) const TEXT_MAX: usize = 64 * 1024;

/// Largest answer of a vendor's API, in bytes. A page of GitHub's has up to 1 MB.
pub(super) const API_LIMIT: usize = 8 * 1024 * 1024;

/// Most names of one page, and most tags of one repository, so that they fit into a small
/// function's memory.
pub(super) const NAMES_MAX: usize = 100_000;

/// Most groups, projects or organisations that a vendor may name to the listing token.
pub(super) const SCOPES_MAX: usize = 10_000;

/// Longest name of a group, project or organisation, in bytes. The name of each of its repositories
/// begins with it.
pub(super) const SCOPE_MAX: usize = 255;

/// Longest query of a next page, in bytes. It is limited because the cursor stores positions.
pub(super) const QUERY_MAX: usize = 4096;

/// Pages after which a listing counts as endless. They hold ten million names.
pub(super) const PAGES_MAX: usize = 10_000;
