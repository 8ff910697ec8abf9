//! The registry client.

mod client;
