//! The function `oci-poll`: passes, cursor, lease, deletions, logins.

mod cursor;
mod cursor_faults;
mod cursor_loss;
mod deletion_hold;
mod deletions;
mod faults;
mod hidden;
mod hostile;
mod invocations;
mod large;
mod law;
mod lease;
mod login;
mod moved_tags;
mod odd_artifacts;
mod orphans;
mod other_writers;
mod passes;
mod past_tags;
mod progress;
mod requests;
mod rescan_all;
mod simulation;
mod unconfirmed;
mod vendors;
mod visited;
