//! `oci-poll`: polls a registry that speaks the OCI distribution specification.

mod compare;
mod connect;
mod cursor;
mod diagnose;
mod handler;
mod instance;
mod listings;
mod look_up;
mod pass;
mod payload;
mod rescan;
mod schedule;
mod slots;
mod summary;
mod verify;
mod visit;

use std::process::ExitCode;

use shared::config::OciPoll;

fn main() -> ExitCode {
    let usage = "Try it with: cargo lambda watch, then cargo lambda invoke oci-poll --data-file \
                 events/oci-poll.json";
    shared::lambda::run("oci-poll", usage, |environment| {
        let poller = handler::Poller::new(OciPoll::read(environment)?)?;
        Ok(async move |payload, deadline| poller.handle(payload, deadline).await)
    })
}
