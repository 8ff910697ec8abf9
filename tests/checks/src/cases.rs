//! Compares the table of hostile inputs and faults, `docs/testing/cases.md`, with the tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};

use crate::source::Source;

/// Finds cases that name no test, or a test that does not exist. A case that a later version
/// covers says `open`.
pub(crate) fn find_untested(sources: &[Source], root: &Path) -> Vec<String> {
    let path = root.join("docs/testing/cases.md");
    match fs::read_to_string(&path) {
        Ok(table) => find_in(&table, &names_of_tests(sources)),
        Err(error) => vec![format!("cannot read {}: {error}", path.display())],
    }
}

fn find_in(table: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    let mut cases = 0;
    for line in table.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
        let (Some(number), Some(last)) = (cells.first(), cells.last()) else { continue };
        if cells.len() < 3 || number.parse::<u32>().is_err() {
            continue;
        }
        cases += 1;
        let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        if named.is_empty() && *last != "open" {
            found.push(format!("case {number} has neither a test nor the mark open"));
        }
        for test in named.into_iter().filter(|test| !tests.contains(*test)) {
            found.push(format!("case {number}: there is no test {test}"));
        }
    }
    if cases == 0 {
        found.push("the table of cases is empty".to_owned());
    }
    found
}

fn names_of_tests(sources: &[Source]) -> BTreeSet<String> {
    let mut names = TestNames(BTreeSet::new());
    for source in sources {
        names.visit_file(&source.syntax);
    }
    names.0
}

/// Collects the functions with `#[test]` or `#[tokio::test]`.
struct TestNames(BTreeSet<String>);

impl<'ast> Visit<'ast> for TestNames {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let is_test = |attribute: &syn::Attribute| {
            attribute.path().segments.last().is_some_and(|last| last.ident == "test")
        };
        if item.attrs.iter().any(is_test) {
            self.0.insert(item.sig.ident.to_string());
        }
        visit::visit_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_without_a_test_and_without_the_mark_is_named() {
        let source = Source::parse("a.rs".into(), "#[tokio::test] async fn holds() {}".to_owned());
        let tests = names_of_tests(&[source.unwrap()]);
        let found = |last: &str| find_in(&format!("|1 | input | outcome | {last} |\n"), &tests);
        assert!(found("`holds`").is_empty());
        assert!(found("open").is_empty());
        assert_eq!(found("`breaks`"), ["case 1: there is no test breaks"]);
        assert_eq!(found(""), ["case 1 has neither a test nor the mark open"]);
        assert_eq!(find_in("", &tests), ["the table of cases is empty"]);
    }
}
