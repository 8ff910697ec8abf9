//! What `migrate` asks of the database beside the migrations themselves: whose tables it finds, the
//! steps that take over a database of Platz's and give it back, and the rights of the role that the
//! functions log in as.

mod adopt;
mod attach;
mod check;
mod found;
mod grant;
mod run;
mod unadopt;

pub use adopt::Adopted;
pub use check::{Check, Finding, Level};
pub use found::FoundDatabase;
pub use grant::{create_iam_login, grant};
pub use run::become_owner;
