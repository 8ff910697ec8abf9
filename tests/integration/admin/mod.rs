//! The admin pages, the API, sign-in and the diagnosis.

mod api;
mod api_charts;
mod api_problems;
mod changes;
mod diagnose;
mod guard;
mod instances;
mod lambda;
mod oidc;
mod walk;
