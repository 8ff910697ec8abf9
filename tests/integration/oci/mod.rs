//! The registry client, against a server that misbehaves.

mod client;
