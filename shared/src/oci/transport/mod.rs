//! What every verb shares: `session` proves who we are, `reach` decides where the registry may send
//! us, `pace` limits how fast we ask, and `client` sends the request.

mod allowed_addresses;
mod body;
mod challenge;
mod client;
mod login;
mod pace;
mod reach;
mod scope;
mod session;

pub use allowed_addresses::AllowedAddresses;
pub use client::{Client, Connections};
pub(super) use client::{RegistryReply, RegistryRequest};
pub use login::Login;
pub use pace::RequestCounts;
pub(super) use pace::RequestPermit;
pub(super) use scope::Scope;
