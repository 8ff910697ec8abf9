//! Finds files of one crate that import each other in a circle. What several files lean on belongs
//! in a file of its own, below them.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use crate::modules::{self, Module, ModulePath, Modules};
use crate::source::Source;

/// The modules that each module imports, by path.
type Imports = BTreeMap<ModulePath, BTreeSet<ModulePath>>;

/// Finds every circle: one line each, naming its files.
pub(crate) fn find(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for modules in modules::by_crate(sources).values() {
        let imports = read_imports(sources, modules);
        for group in circles(&imports) {
            let file = |path: &ModulePath| modules.get(path).map(|module| module.file.as_str());
            let files: Vec<&str> = group.iter().filter_map(file).collect();
            found.push(format!("these files import each other: {}", files.join(", ")));
        }
    }
    found
}

fn read_imports(sources: &[Source], modules: &Modules) -> Imports {
    let mut imports = Imports::new();
    for (path, module) in modules {
        let mut named: BTreeSet<ModulePath> = module.imported.clone();
        let source = sources.iter().find(|source| source.path.display().to_string() == module.file);
        if let Some(source) = source {
            let mut paths = NamedPaths { here: path, module, named: &mut named };
            paths.visit_file(&source.syntax);
        }
        let targets = named.iter().filter_map(|named| modules::resolve(modules, named));
        imports.insert(path.clone(), targets.filter(|target| target != path).collect());
    }
    imports
}

/// Groups the modules that reach each other.
fn circles(imports: &Imports) -> Vec<BTreeSet<ModulePath>> {
    let reach: BTreeMap<&ModulePath, BTreeSet<ModulePath>> =
        imports.keys().map(|module| (module, reachable(imports, module))).collect();
    let mut groups: BTreeSet<BTreeSet<ModulePath>> = BTreeSet::new();
    for (module, reached) in &reach {
        if reached.contains(*module) {
            let reaches_back = |other: &&ModulePath| {
                reach.get(*other).is_some_and(|reached| reached.contains(*module))
            };
            groups.insert(reached.iter().filter(reaches_back).cloned().collect());
        }
    }
    groups.into_iter().collect()
}

fn reachable(imports: &Imports, from: &ModulePath) -> BTreeSet<ModulePath> {
    let mut reached = BTreeSet::new();
    let mut left = vec![from];
    while let Some(module) = left.pop() {
        for next in imports.get(module).into_iter().flatten() {
            if reached.insert(next.clone()) {
                left.push(next);
            }
        }
    }
    reached
}

/// Collects the paths that code names without importing them, `crate::pages::layout::problem`.
struct NamedPaths<'a> {
    here: &'a ModulePath,
    module: &'a Module,
    named: &'a mut BTreeSet<ModulePath>,
}

impl<'ast> Visit<'ast> for NamedPaths<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some((first, rest)) = names.split_first()
            && !rest.is_empty()
        {
            let absolute = match self.module.imports.get(first) {
                Some(target) => Some(target.iter().chain(rest).cloned().collect()),
                None if matches!(first.as_str(), "crate" | "self" | "super") => {
                    modules::absolute(&names, self.here)
                }
                None => None,
            };
            self.named.extend(absolute);
        }
        visit::visit_path(self, path);
    }

    /// Leaves out `pub(in crate::room)`: it says who may see an item, not what the file imports.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    /// Leaves out the tests in a file: `super` means the file itself there.
    fn visit_item_mod(&mut self, _: &'ast syn::ItemMod) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let source = |(path, text): &(&str, &str)| {
            Source::parse(format!("functions/x/src/{path}").into(), (*text).to_owned()).unwrap()
        };
        find(&files.iter().map(source).collect::<Vec<_>>())
    }

    #[test]
    fn files_that_import_each_other_are_named() {
        let two = [("a.rs", "use crate::b::B; struct A;"), ("b.rs", "use super::a::A; struct B;")];
        assert_eq!(
            found(&two),
            ["these files import each other: functions/x/src/a.rs, functions/x/src/b.rs"]
        );
        let three = [
            ("a.rs", "use crate::b::B; struct A;"),
            ("b.rs", "fn b() { crate::c::c() } struct B;"),
            ("c.rs", "use crate::a; fn c(a: a::A) {}"),
        ];
        assert_eq!(found(&three).len(), 1);
        let one_way = [("a.rs", "use crate::b::B; struct A;"), ("b.rs", "struct B;")];
        assert!(found(&one_way).is_empty());
    }

    #[test]
    fn a_re_export_counts_as_the_file_behind_it() {
        let tree = |inner: &'static str| {
            [
                ("room/mod.rs", "mod hall; mod desk; pub(crate) use desk::Desk;"),
                ("room/hall.rs", "use super::Desk;"),
                ("room/desk.rs", inner),
            ]
        };
        assert!(found(&tree("struct Desk;")).is_empty());
        assert_eq!(found(&tree("use super::hall::walk; struct Desk;")).len(), 1);
    }

    #[test]
    fn tests_in_a_file_import_nothing() {
        let files = [
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "struct B; mod tests { use super::*; use crate::a::A; }"),
        ];
        assert!(found(&files).is_empty());
    }
}
