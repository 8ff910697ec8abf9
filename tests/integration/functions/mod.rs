//! What all functions share: settings and metrics.

mod metrics;
mod settings;
