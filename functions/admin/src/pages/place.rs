//! The place of a chart, with its address and the link that diagnoses it.

use super::{addresses, parts};

/// The registry and the repository of a chart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// As [`shared::db::HelmRegistry::domain_name`].
    pub(super) domain_name: &'a str,
    /// The repository.
    pub(super) repo_name: &'a str,
}

impl Place<'_> {
    /// Returns the address that Helm takes.
    pub(super) fn address(&self) -> String {
        format!("oci://{}/{}", self.host(), self.repo_name)
    }

    /// Returns the registry without its scheme.
    pub(super) fn host(&self) -> &str {
        let name = self.domain_name;
        name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name)
    }

    /// Returns the link that diagnoses the repository, or a reference in it: `:tag` or `@digest`.
    pub(super) fn diagnose_link(&self, reference: &str) -> String {
        let reference = format!("{}{reference}", self.address());
        parts::link(addresses::DIAGNOSE, &[("reference", &reference)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_scheme_but_oci() {
        for (domain_name, address) in [
            (
                "123456789012.dkr.ecr.us-east-1.amazonaws.com",
                "oci://123456789012.dkr.ecr.us-east-1.amazonaws.com/a/b",
            ),
            ("https://ghcr.io", "oci://ghcr.io/a/b"),
            ("http://127.0.0.1:5000", "oci://127.0.0.1:5000/a/b"),
            ("https://example.com/artifactory", "oci://example.com/artifactory/a/b"),
        ] {
            assert_eq!(Place { domain_name, repo_name: "a/b" }.address(), address);
        }
    }
}
