//! What `migrate` asks of the database beside the migrations themselves: whose tables it finds, and
//! the steps that take over a database of Platz's and give it back.

mod adopt;
mod attach;
mod check;
mod found;
mod run;
mod unadopt;

pub use adopt::Adopted;
pub use check::{Check, Finding, Level};
pub use found::FoundDatabase;
