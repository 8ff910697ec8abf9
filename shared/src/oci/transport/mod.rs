//! The parts that every verb shares. `session` finds the credentials, `reach` checks the addresses,
//! `pace` limits the number of requests, `exchange` sends them, and `client` retries them. `api`
//! sends requests to the vendor of a registry.

mod allowed_addresses;
mod api;
mod body;
mod challenge;
mod client;
mod credential_check;
mod credentials;
mod exchange;
mod login;
mod pace;
mod reach;
mod realm;
mod scope;
mod session;
mod sharing;
mod token;

pub use allowed_addresses::AllowedAddresses;
pub(super) use api::{ApiAnswer, ApiClient, ApiRequest};
pub use client::{Client, Connections};
pub(super) use client::{RegistryReply, RegistryRequest};
pub use login::Login;
pub use pace::RequestCounts;
pub(super) use pace::RequestPermit;
pub(super) use reach::is_safe_for_passwords;
pub(super) use scope::Scope;
