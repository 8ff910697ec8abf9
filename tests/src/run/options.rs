//! The options of `stack run`.

/// The options of the command line.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Stops after the first pass.
    pub(super) once: bool,
    /// The address of a registry to poll instead of a local one.
    pub(super) registry: Option<String>,
}

impl Options {
    /// Reads the words of the command line. Returns `None` if one is unknown.
    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--once" => options.once = true,
                "--registry" => options.registry = Some((*words.next()?).to_owned()),
                _ => return None,
            }
        }
        Some(options)
    }
}
