//! The registry client.

mod client;
mod listing;
mod login;
