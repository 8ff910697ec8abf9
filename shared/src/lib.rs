//! The library that every function is built from.
//!
//! Data flows one way: a hint names a subject, `reconcile` looks at it through `oci`, decides with
//! a pure diff, and writes through `db`. `diagnose` looks in the same way, and explains the answers
//! to a user. `domain` imports no other module here. `oci` and `db` never import each other; only
//! `reconcile` imports both.

pub mod announced;
pub mod aws;
pub mod config;
pub mod db;
pub mod diagnose;
pub mod domain;
pub mod function_url;
pub mod helm;
pub mod lambda;
pub mod metrics;
pub mod oci;
pub mod reconcile;
pub mod tags;
pub mod telemetry;
pub mod tls;
