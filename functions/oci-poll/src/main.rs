//! `oci-poll`: polls a registry that implements the OCI distribution specification.

mod clients;
mod closed;
mod context;
mod cursor;
mod diagnose;
mod former_names;
mod handler;
mod hints;
mod instance;
mod orphans;
mod other_writers;
mod pass;
mod payload;
mod poll;
mod release;
mod release_hidden;
mod rescan;
mod rescan_all;
mod schedule;
mod summary;
mod viewers;
mod walk;

use std::process::ExitCode;

use shared::config::OciPoll;

fn main() -> ExitCode {
    let usage = "Try it with: cargo lambda watch, then cargo lambda invoke oci-poll --data-file \
                 events/oci-poll.json";
    shared::lambda::run("oci-poll", usage, |environment| {
        let context = context::PollContext::new(OciPoll::read(environment)?)?;
        Ok(async move |payload, deadline| handler::handle(&context, payload, deadline).await)
    })
}
