//! Settings and metrics, which all functions share.

mod metrics;
mod settings;
