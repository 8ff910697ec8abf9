//! The library every function is built from. Data flows one way through it: a hint names what to
//! look at, `reconcile` observes it through `oci`, decides with a pure diff and writes through
//! `db`. `domain` imports nothing of ours, `oci` and `db` never import each other, and only
//! `reconcile` knows both. `diagnose` looks as `reconcile` does, for people.

pub mod aws;
pub mod config;
pub mod db;
pub mod diagnose;
pub mod domain;
pub mod helm;
pub mod lambda;
pub mod metrics;
pub mod oci;
pub mod reconcile;
pub mod tags;
pub mod telemetry;
pub mod tls;
