//! `admin`: the pages and the API for the people who manage registries, kinds and tag formats.

mod access;
mod api;
mod app;
mod changes;
mod confirmation;
mod diagnose;
mod http;
mod icons;
mod invoke;
mod pages;
mod reparse;
mod router;
mod serve;
mod tag_patterns;
mod times;

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
