//! The function `oci-poll`: passes, cursor, lease, deletions, logins.

mod cursor;
mod deletions;
mod hostile;
mod large;
mod lease;
mod login;
mod passes;
