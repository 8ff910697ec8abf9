//! The pasted reference: `registry/repository:tag`, an `oci://` address, or either with a digest.

use shared::domain::{Reference, Repository};

/// Longest text that is accepted, in bytes. A registry's address has up to 512, a repository 255
/// and a digest 135.
const TEXT_MAX: usize = 1024;

const EXAMPLE: &str = "paste something like ghcr.io/my-org/my-chart:1.2.3";

/// The registry that clients mean by `docker.io`.
const DOCKER_HUB: &str = "registry-1.docker.io";

/// A reference whose registry may have a path. Only the instances know where the repository begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PastedReference {
    /// Registry and repository, without a scheme.
    pub(super) place: String,
    /// The tag or digest, if there is one.
    pub(super) reference: Option<Reference>,
}

impl PastedReference {
    /// Parses the text.
    ///
    /// # Errors
    /// Says what is wrong with the text, and shows an example.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("the reference is empty: {EXAMPLE}"));
        }
        if text.len() > TEXT_MAX {
            return Err(format!("the reference has {} bytes; the limit is {TEXT_MAX}", text.len()));
        }
        let bare =
            ["oci://", "https://", "http://"].iter().find_map(|scheme| strip_scheme(text, scheme));
        let (place, reference) = split(bare.unwrap_or(text))?;
        let place = place.trim_matches('/');
        let Some((host, path)) = place.split_once('/') else {
            return Err(format!("the reference has no repository: {EXAMPLE}"));
        };
        // Only the last part is surely the repository's. The parts before it may belong to the
        // registry's path, which may have any letters.
        let last = path.rsplit('/').next().unwrap_or(path);
        last.parse::<Repository>()
            .map_err(|error| format!("the reference cannot be used: {error}"))?;
        let is_host = |host: &str| {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
        };
        if !is_host(host)
            || path.chars().any(|letter| letter.is_whitespace() || letter.is_control())
        {
            return Err(format!("the reference names no registry: {EXAMPLE}"));
        }
        Ok(Self { place: format!("{}/{path}", host.to_ascii_lowercase()), reference })
    }

    /// Returns the same reference with the registry's address in place of another name of Docker
    /// Hub.
    pub(super) fn on_docker_hub(&self) -> Option<Self> {
        let (host, path) = self.place.split_once('/')?;
        let is_other_name = ["docker.io", "index.docker.io"].contains(&host);
        is_other_name.then(|| Self {
            place: format!("{DOCKER_HUB}/{path}"),
            reference: self.reference.clone(),
        })
    }

    /// Checks a reference that no instance watches.
    ///
    /// # Errors
    /// Says what is wrong with the reference.
    pub(super) fn check(&self) -> Result<(), String> {
        let (host, repository) = self.host_and_repository();
        if !host.contains(['.', ':']) && host != "localhost" {
            return Err(format!(
                "the reference names no registry: begin with it, as in ghcr.io/{}",
                self.place
            ));
        }
        let repository: Result<Repository, _> = repository.parse();
        repository.map(|_| ()).map_err(|error| format!("the reference cannot be used: {error}"))
    }

    /// Splits registry and repository at the first slash, for a reference that no instance watches.
    pub(super) fn host_and_repository(&self) -> (String, String) {
        let (host, repository) = self.place.split_once('/').unwrap_or((&self.place, ""));
        (host.to_owned(), repository.to_owned())
    }

    /// Returns the reference with the registry and repository that the instance knows.
    pub(super) fn shown(&self, host: &str, repository: &str) -> String {
        match &self.reference {
            None => format!("{host}/{repository}"),
            Some(Reference::Tag(tag)) => format!("{host}/{repository}:{tag}"),
            Some(Reference::Digest(digest)) => format!("{host}/{repository}@{digest}"),
        }
    }
}

/// Removes a scheme in upper or lower case.
fn strip_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (begin, rest) = text.split_at_checked(scheme.len())?;
    begin.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Splits off the tag or digest.
fn split(text: &str) -> Result<(&str, Option<Reference>), String> {
    let unusable = |error| format!("the reference cannot be used: {error}");
    let colon =
        text.rfind(':').filter(|colon| !text.get(*colon..).unwrap_or_default().contains('/'));
    match (
        text.split_once('@'),
        colon.and_then(|colon| Some((text.get(..colon)?, text.get(colon + 1..)?))),
    ) {
        (Some((place, digest)), _) => {
            let digest = digest.parse().map_err(unusable)?;
            if place.rsplit('/').next().is_some_and(|last| last.contains(':')) {
                return Err("the reference has a tag and a digest: give one of the two".to_owned());
            }
            Ok((place, Some(Reference::Digest(digest))))
        }
        // Helm writes the + of a version as _ in the tag. A browser may have sent the + as a space.
        (None, Some((place, tag))) => Ok((
            place,
            Some(Reference::Tag(tag.replace(['+', ' '], "_").parse().map_err(unusable)?)),
        )),
        (None, None) => Ok((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_address_is_parsed() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (text, place, reference) in [
            ("ghcr.io/my-org/api:1.2.3", "ghcr.io/my-org/api", Some("1.2.3")),
            (" oci://GHCR.io/my-org/api ", "ghcr.io/my-org/api", None),
            ("OCI://ghcr.io/api:1.2.3+build.7", "ghcr.io/api", Some("1.2.3_build.7")),
            ("ghcr.io/api:1.2.3 build.7", "ghcr.io/api", Some("1.2.3_build.7")),
            ("http://127.0.0.1:5000/demo/hello", "127.0.0.1:5000/demo/hello", None),
            ("127.0.0.1:5000/demo/hello:0.1.0", "127.0.0.1:5000/demo/hello", Some("0.1.0")),
            ("[::1]:5000/demo/hello/", "[::1]:5000/demo/hello", None),
            ("docker.io/my-org/api:1", "docker.io/my-org/api", Some("1")),
            ("example.com/Path/api:1", "example.com/Path/api", Some("1")),
            (&format!("oci://ghcr.io/api@{digest}"), "ghcr.io/api", Some(digest.as_str())),
        ] {
            let pasted = PastedReference::read(text).unwrap();
            assert_eq!(
                (pasted.place.as_str(), pasted.reference.as_ref().map(Reference::as_str)),
                (place, reference)
            );
        }
    }

    #[test]
    fn unwatched_reference_is_checked_further() {
        let read = |text| PastedReference::read(text).unwrap();
        assert_eq!(
            read("docker.io/a/b").on_docker_hub().unwrap().place,
            "registry-1.docker.io/a/b"
        );
        assert_eq!(read("ghcr.io/a/b").on_docker_hub(), None);
        assert_eq!(read("ghcr.io/a/b").check(), Ok(()));
        assert_eq!(read("localhost/a").check(), Ok(()));
        for (text, named) in [
            ("team/web", "ghcr.io/team/web"),
            ("ghcr.io/My-Org/web", "lower-case"),
            ("ghcr.io/a//b", "lower-case"),
        ] {
            let error = read(text).check().unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn invalid_reference_is_refused_with_the_reason() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (text, named) in [
            ("", "empty"),
            ("  ", "empty"),
            ("ghcr.io", "no repository"),
            ("ghcr.io:1", "no repository"),
            ("oci://", "no repository"),
            ("ghcr.io/Api:1", "lower-case"),
            ("ghcr.io/api:-", "a tag has"),
            ("ghcr.io/api@sha256:1", "a digest is"),
            (&format!("ghcr.io/api:1@{digest}"), "a tag and a digest"),
            ("gh cr.io/api:1", "names no registry"),
            ("user@ghcr.io/api", "a digest is"),
            (&"x/".repeat(600), "limit"),
        ] {
            let error = PastedReference::read(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
