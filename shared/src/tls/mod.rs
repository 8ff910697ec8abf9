//! TLS for every client in this process.

mod client_config;
mod own_certificate;

pub use client_config::{Error, client_config};
