//! `admin`: the pages and the API for people who look after registries, kinds and tag formats.

mod api;
mod app;
mod changes;
mod csrf;
mod diagnose;
mod extract;
mod functions;
mod headers;
mod icons;
mod oidc;
mod origin;
mod pages;
mod problem;
mod serve;
mod times;
mod trigger;
mod user;

use std::process::ExitCode;

use shared::config::{Admin, Environment};

fn main() -> ExitCode {
    shared::lambda::start(
        "admin",
        &Environment::of_process(),
        |environment| Ok(Admin::read(environment)?),
        serve::serve,
    )
}
