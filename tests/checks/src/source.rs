//! Reads the workspace's Rust files.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// One Rust file.
pub(crate) struct Source {
    /// The path, relative to the workspace's folder.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) syntax: syn::File,
}

impl Source {
    /// Parses a file.
    ///
    /// # Errors
    /// Names the file and the line that cannot be parsed.
    pub(crate) fn parse(path: PathBuf, text: String) -> Result<Self, String> {
        let syntax = syn::parse_file(&text).map_err(|error| {
            format!("{}:{}: {error}", path.display(), error.span().start().line)
        })?;
        Ok(Self { path, text, syntax })
    }

    /// Tells whether the file is the program's own: neither a test nor a benchmark.
    pub(crate) fn is_program(&self) -> bool {
        !self.path.starts_with("tests")
    }
}

/// Reads every Rust file below a folder, build output left out.
///
/// # Errors
/// Names the file that cannot be read or parsed.
pub(crate) fn read_all(root: &Path) -> Result<Vec<Source>, String> {
    files_below(root, "rs")
        .map_err(|error| format!("cannot list the files: {error}"))?
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            Source::parse(path.strip_prefix(root).unwrap_or(&path).to_owned(), text)
        })
        .collect()
}

/// Lists the files below a folder that have an extension, sorted. Hidden folders and build output
/// are left out.
///
/// # Errors
/// Fails if a folder cannot be read.
pub(crate) fn files_below(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !path.is_symlink() {
            if !name.starts_with('.') && name != "target" {
                files.extend(files_below(&path, extension)?);
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
