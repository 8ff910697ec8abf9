//! Checks the house rules that no other tool checks. `make check` runs it from the workspace's
//! folder; each argument is a rule, and without one all of them are checked.

mod cases;
mod circles;
mod links;
mod modules;
mod shape;
mod source;

use std::path::Path;
use std::process::ExitCode;

use crate::source::Source;

/// A rule: its name, and the function that finds the places that break it.
type Rule = (&'static str, fn(&[Source], &Path) -> Vec<String>);

const RULES: [Rule; 8] = [
    ("circles", |sources, _| circles::find(sources)),
    ("columns", |sources, _| shape::wide_lines(sources)),
    ("file-lines", |sources, _| shape::long_files(sources)),
    ("function-lines", |sources, _| shape::long_functions(sources)),
    ("tuple-parameters", |sources, _| shape::tuple_parameters(sources)),
    ("type-names", |sources, _| shape::shared_names(sources)),
    ("links", |_, root| links::find_broken(root)),
    ("cases", cases::find_untested),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| RULES.iter().all(|(rule, _)| rule != name)) {
        let known: Vec<&str> = RULES.iter().map(|(rule, _)| *rule).collect();
        eprintln!("there is no rule {unknown}; the rules are: {}", known.join(", "));
        return ExitCode::FAILURE;
    }
    let root = Path::new(".");
    let sources = match source::read_all(root) {
        Ok(sources) => sources,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut found = 0;
    for (rule, find) in RULES {
        if wanted.is_empty() || wanted.iter().any(|name| name == rule) {
            for place in find(&sources, root) {
                eprintln!("{rule}: {place}");
                found += 1;
            }
        }
    }
    if found == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
