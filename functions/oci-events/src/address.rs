//! Reads the path of a request: `/<instance>`, or `/<instance>/<secret>`.

use percent_encoding::percent_decode_str;

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) instance: String,
    /// The rest of the path as it was sent, and decoded: Lambda may decode a path by itself.
    pub(crate) secrets: Vec<String>,
}

impl Address {
    /// Reads a path. A path that is not valid UTF-8 when decoded names no instance.
    pub(crate) fn read(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let (instance, rest) = path.split_once('/').unwrap_or((path, ""));
        let decoded = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
        let mut secrets: Vec<String> =
            [Some(rest.to_owned()), decoded(rest)].into_iter().flatten().collect();
        secrets.retain(|secret| !secret.is_empty());
        secrets.dedup();
        Some(Self { instance: decoded(instance)?, secrets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_names_the_instance_and_a_secret() {
        for (path, instance, secrets) in [
            ("/harbor", "harbor", &[][..]),
            ("/harbor/", "harbor", &[]),
            ("/my%20hub/a/b", "my hub", &["a/b"]),
            ("/hub/a%2Bb", "hub", &["a%2Bb", "a+b"]),
            ("/", "", &[]),
        ] {
            let secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
            let expected = Some(Address { instance: instance.to_owned(), secrets });
            assert_eq!(Address::read(path), expected, "{path}");
        }
        assert_eq!(Address::read("/%ff"), None);
    }
}
