//! Resolves a path in the code to the file that defines its item.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::{Item, UseTree};

use crate::source::Source;

/// A module's path within its crate, `["pass", "run"]`; empty for the crate's root.
pub(crate) type ModulePath = Vec<String>;

/// One file as a module.
#[derive(Default)]
pub(crate) struct Module {
    /// The path of its file.
    pub(crate) file: String,
    /// The paths that it imports, by the name that each has here.
    pub(crate) imports: BTreeMap<String, ModulePath>,
    /// Every path that its imports name, glob imports included.
    pub(crate) imported: BTreeSet<ModulePath>,
}

/// The modules of one crate.
pub(crate) type Modules = BTreeMap<ModulePath, Module>;

/// Sorts the files of a workspace into crates and modules.
pub(crate) fn by_crate(sources: &[Source]) -> BTreeMap<String, Modules> {
    let mut crates: BTreeMap<String, Modules> = BTreeMap::new();
    for source in sources {
        let Some((root, module)) = place_of(&source.path) else { continue };
        let mut read = Module { file: source.path.display().to_string(), ..Module::default() };
        for item in &source.syntax.items {
            if let Item::Use(item) = item {
                read_use(&item.tree, &module, &mut Vec::new(), &mut read);
            }
        }
        crates.entry(root).or_default().insert(module, read);
    }
    crates
}

/// Follows a path to the module that defines what it names, through re-exports.
pub(crate) fn resolve(modules: &Modules, path: &[String]) -> Option<ModulePath> {
    // A chain of re-exports is short; the limit ends one that leads back to itself.
    let mut path = path.to_vec();
    for _ in 0..16 {
        let depth = (0..=path.len())
            .rev()
            .find(|depth| path.get(..*depth).is_some_and(|module| modules.contains_key(module)))?;
        let (module, rest) = path.split_at(depth);
        let Some((name, rest)) = rest.split_first() else { return Some(module.to_vec()) };
        match modules.get(module)?.imports.get(name) {
            Some(target) => path = target.iter().chain(rest).cloned().collect(),
            None => return Some(module.to_vec()),
        }
    }
    None
}

/// Splits a file's path into its crate's root folder and its module path.
fn place_of(path: &Path) -> Option<(String, ModulePath)> {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let root = parts.iter().position(|part| matches!(*part, "src" | "integration"))?;
    let (root, inside) = parts.split_at(root + 1);
    let (file, folders) = inside.split_last()?;
    let mut module: ModulePath = folders.iter().map(|&folder| folder.to_owned()).collect();
    match file.strip_suffix(".rs")? {
        "mod" | "lib" | "main" => {}
        name => module.push(name.to_owned()),
    }
    Some((root.join("/"), module))
}

/// Notes what a `use` declaration imports from the same crate.
fn read_use(tree: &UseTree, module: &[String], before: &mut Vec<String>, read: &mut Module) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            read_use(&path.tree, module, before, read);
            before.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                read_use(tree, module, before, read);
            }
        }
        UseTree::Name(name) => note(&name.ident.to_string(), None, module, before, read),
        UseTree::Rename(name) => {
            note(&name.ident.to_string(), Some(name.rename.to_string()), module, before, read);
        }
        UseTree::Glob(_) => {
            if let Some(path) = absolute(before, module) {
                read.imported.insert(path);
            }
        }
    }
}

fn note(
    name: &str,
    rename: Option<String>,
    module: &[String],
    before: &[String],
    read: &mut Module,
) {
    let mut path = before.to_vec();
    if name != "self" {
        path.push(name.to_owned());
    }
    let here = rename.or_else(|| path.last().cloned());
    if let (Some(path), Some(here)) = (absolute(&path, module), here) {
        read.imported.insert(path.clone());
        read.imports.insert(here, path);
    }
}

/// Turns a path into one from the crate's root; `None` for another crate's.
pub(crate) fn absolute(path: &[String], module: &[String]) -> Option<ModulePath> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some(module.iter().chain(rest).cloned().collect()),
        "super" => {
            let (_, parent) = module.split_last()?;
            // `super::super::x` goes up once more.
            if rest.first().is_some_and(|next| next == "super") {
                return absolute(rest, parent);
            }
            Some(parent.iter().chain(rest).cloned().collect())
        }
        // A re-export of a module declared in the same file: `pub use client::Client`.
        name => Some(
            module.iter().cloned().chain([name.to_owned()]).chain(rest.iter().cloned()).collect(),
        ),
    }
}
