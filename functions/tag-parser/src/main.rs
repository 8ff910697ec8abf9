//! `tag-parser`: parses the tags of charts again after the tag formats have changed.

mod handler;
mod payload;

use std::process::ExitCode;

use shared::config::TagParser;

fn main() -> ExitCode {
    let usage = "Try it with: cargo lambda watch, then cargo lambda invoke tag-parser --data-file \
                 events/tag-parser.json";
    shared::lambda::run("tag-parser", usage, |environment| {
        let parser = handler::Parser::new(TagParser::read(environment)?)?;
        Ok(async move |payload, deadline| parser.handle(payload, deadline).await)
    })
}
