//! The registry client.

mod client;
mod login;
