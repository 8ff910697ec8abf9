//! `migrate`: brings the database's schema up to date, takes over a database of the Platz backend,
//! and gives it back.

mod adopt;
mod handler;
mod migrate;
mod migrations;
mod payload;

use std::process::ExitCode;

use shared::config::Migrate;
use shared::db::Database;

fn main() -> ExitCode {
    let usage = "Try it with: cargo lambda watch, then cargo lambda invoke migrate --data-file \
                 events/migrate.json";
    shared::lambda::run("migrate", usage, |environment| {
        let database = Database::new(Migrate::read(environment)?.database)?;
        Ok(async move |payload, deadline| handler::handle(&database, &payload, deadline).await)
    })
}
