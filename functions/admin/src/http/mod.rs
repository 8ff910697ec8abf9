//! Requests and responses as such: what a request carries, and what a response says.

pub(crate) mod cookies;
pub(crate) mod extract;
pub(crate) mod headers;
pub(crate) mod problem;
