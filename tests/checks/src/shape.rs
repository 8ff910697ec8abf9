//! Measures lines, files and functions.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};

use crate::source::Source;

const COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 60;

/// Finds lines that are too wide: rustfmt leaves strings, macros and comments alone.
pub(crate) fn wide_lines(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            let columns = line.chars().count();
            // A comment that is one address cannot be broken.
            let is_address = line.contains("://") && line.split_whitespace().count() <= 2;
            if columns > COLUMNS_MAX && !is_address {
                let path = source.path.display();
                found.push(format!("{path}:{}: {columns} columns", index + 1));
            }
        }
    }
    found
}

/// Finds files that are too long: split them by verb.
pub(crate) fn long_files(sources: &[Source]) -> Vec<String> {
    let lines = sources.iter().map(|source| (source, source.text.lines().count()));
    lines
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(source, lines)| format!("{}: {lines} lines", source.path.display()))
        .collect()
}

/// Finds functions that are too long.
pub(crate) fn long_functions(sources: &[Source]) -> Vec<String> {
    each_function(sources, |signature, block| {
        let lines =
            block.brace_token.span.close().end().line - signature.fn_token.span.start().line + 1;
        (lines > FUNCTION_LINES_MAX).then(|| format!("{} has {lines} lines", signature.ident))
    })
}

/// Finds functions with a tuple for a parameter: give the group a name, or make it a method.
pub(crate) fn tuple_parameters(sources: &[Source]) -> Vec<String> {
    each_function(sources, |signature, _| {
        let is_tuple = |input: &syn::FnArg| match input {
            syn::FnArg::Typed(typed) => matches!(&*typed.ty, syn::Type::Tuple(_)),
            syn::FnArg::Receiver(_) => false,
        };
        signature
            .inputs
            .iter()
            .any(is_tuple)
            .then(|| format!("{} has a tuple for a parameter", signature.ident))
    })
}

/// Finds types of the program that share a name. Each module may have an `Error` of its own.
pub(crate) fn shared_names(sources: &[Source]) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_program()) {
        for item in &source.syntax.items {
            let name = match item {
                syn::Item::Struct(item) => &item.ident,
                syn::Item::Enum(item) => &item.ident,
                syn::Item::Trait(item) => &item.ident,
                syn::Item::Type(item) => &item.ident,
                _ => continue,
            };
            if name != "Error" {
                places.entry(name.to_string()).or_default().push(source.path.display().to_string());
            }
        }
    }
    places.retain(|_, places| places.len() > 1);
    places.into_iter().map(|(name, places)| format!("{name} is in {}", places.join(", "))).collect()
}

fn each_function(
    sources: &[Source],
    judge: impl Fn(&syn::Signature, &syn::Block) -> Option<String>,
) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let mut functions = Functions { judge: &judge, found: Vec::new() };
        functions.visit_file(&source.syntax);
        let path = source.path.display();
        found.extend(functions.found.iter().map(|(line, words)| format!("{path}:{line}: {words}")));
    }
    found
}

/// Judges every function, methods and inner functions included.
struct Functions<'a, F> {
    judge: &'a F,
    found: Vec<(usize, String)>,
}

impl<F: Fn(&syn::Signature, &syn::Block) -> Option<String>> Functions<'_, F> {
    fn take(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let line = signature.fn_token.span.start().line;
        self.found.extend((self.judge)(signature, block).map(|words| (line, words)));
    }
}

impl<'ast, F: Fn(&syn::Signature, &syn::Block) -> Option<String>> Visit<'ast> for Functions<'_, F> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.take(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.take(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> [Source; 1] {
        [Source::parse("shared/src/a.rs".into(), text.to_owned()).unwrap()]
    }

    #[test]
    fn a_line_a_file_and_a_function_past_their_limits_are_named() {
        let wide = format!("// {}\n", "x".repeat(98));
        assert_eq!(wide_lines(&source(&wide)), ["shared/src/a.rs:1: 101 columns"]);
        assert!(wide_lines(&source(&wide.replacen('x', "", 1))).is_empty());
        let address = format!("// <https://example.com/{}>\n", "x".repeat(98));
        assert!(wide_lines(&source(&address)).is_empty());
        assert_eq!(wide_lines(&source(&address.replace('<', "see also <"))).len(), 1);
        assert_eq!(long_files(&source(&"//\n".repeat(401))).len(), 1);
        let function = |lines| format!("fn f() {{\n{}}}\n", "g();\n".repeat(lines));
        assert_eq!(long_functions(&source(&function(59))), ["shared/src/a.rs:1: f has 61 lines"]);
        assert!(long_functions(&source(&function(58))).is_empty());
    }

    #[test]
    fn limits_hold_in_test_code_too() {
        let test = |text: String| [Source::parse("tests/integration/a.rs".into(), text).unwrap()];
        let body = "g();\n".repeat(60);
        let module = format!("mod tests {{ #[test] fn f() {{\n{body}}} }}\n");
        assert_eq!(long_functions(&test(module)).len(), 1);
        assert_eq!(long_files(&test("//\n".repeat(401))).len(), 1);
        assert_eq!(tuple_parameters(&test("fn f(a: (u8, u8)) {}".to_owned())).len(), 1);
    }

    #[test]
    fn a_tuple_parameter_and_a_name_that_two_types_share_are_named() {
        let found = tuple_parameters(&source("impl A { fn f(&self, (a, b): (u8, u8)) {} }"));
        assert_eq!(found, ["shared/src/a.rs:1: f has a tuple for a parameter"]);
        assert!(tuple_parameters(&source("fn f(a: &[(u8, u8)]) {}")).is_empty());
        let [first] = source("struct Seen; enum Error {}");
        let [second] = source("trait Seen {} enum Error {}");
        assert_eq!(shared_names(&[first, second]).len(), 1);
    }
}
