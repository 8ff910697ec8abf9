//! Registries: their addresses for requests, and their names in rows.

use std::fmt;
use std::str::FromStr;

use url::Url;

use super::{Account, Invalid, Region};

/// Longest domain name stored, in bytes.
const DOMAIN_NAME_MAX: usize = 512;

/// The base address of a registry: scheme, host, port, path. It has no port that is the scheme's
/// default, and no slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegistryUrl(Url);

/// A value of `helm_registries.domain_name`: an address as [`RegistryUrl`] writes it, with or
/// without the scheme.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName {
    text: String,
    address: RegistryUrl,
}

/// A value of `helm_registries.provider`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Provider {
    /// Amazon Elastic Container Registry.
    Ecr,
    /// Any registry that speaks the OCI distribution specification.
    Oci,
}

/// A registry, by its name in rows and its provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Registry {
    domain_name: DomainName,
    provider: Provider,
}

impl RegistryUrl {
    /// Returns the account and region, if this is the address of an ECR registry.
    #[must_use]
    pub fn ecr(&self) -> Option<(Account, Region)> {
        // Only https counts, because others on the network could read credentials sent over http.
        let host = self.0.host_str().filter(|_| self.0.scheme() == "https")?;
        let (account, rest) =
            host.split_once(".dkr.ecr.").or_else(|| host.split_once(".dkr.ecr-fips."))?;
        let (region, suffix) = rest.split_once('.')?;
        let (account, region): (Account, Region) = (account.parse().ok()?, region.parse().ok()?);
        (suffix == region.dns_suffix()).then_some((account, region))
    }

    /// Returns the address itself.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// Returns the address of an endpoint: appends `segments` to the path, each encoded on its own,
    /// and sets the query.
    ///
    /// The base always has a path to append to, because it is an http or https address with a host.
    pub(crate) fn endpoint(&self, segments: &[&str], query: Option<&str>) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            path.extend(segments.iter().flat_map(|segment| segment.split('/')));
        }
        url.set_query(query);
        url
    }
}

impl DomainName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the address that the name means. Its scheme is https if the name has none.
    #[must_use]
    pub fn address(&self) -> &RegistryUrl {
        &self.address
    }
}

impl Provider {
    /// Returns the text for `helm_registries.provider`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ecr => "Ecr",
            Self::Oci => "Oci",
        }
    }
}

impl Registry {
    /// Names the ECR registry of an account in a region. The name is always a bare host.
    ///
    /// # Errors
    /// Never happens, because an account and a region follow their grammar.
    pub fn ecr(account: &Account, region: &Region) -> Result<Self, Invalid> {
        let domain_name = format!("{account}.dkr.ecr.{region}.{}", region.dns_suffix()).parse()?;
        Ok(Self { domain_name, provider: Provider::Ecr })
    }

    /// Names a registry by its address, or by the instance's `domain` if it has one. If the name
    /// has the form of an ECR host, the registry counts as ECR.
    #[must_use]
    pub fn named(domain_name: DomainName) -> Self {
        let ecr = domain_name
            .address()
            .ecr()
            .and_then(|(account, region)| Self::ecr(&account, &region).ok());
        ecr.unwrap_or(Self { domain_name, provider: Provider::Oci })
    }

    /// Returns the value for `helm_registries.domain_name`.
    #[must_use]
    pub fn domain_name(&self) -> &DomainName {
        &self.domain_name
    }

    /// Returns the value for `helm_registries.provider`.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Returns the domain name without its scheme. The database derives
    /// `helm_registries.registry_host` the same way.
    #[must_use]
    pub fn host(&self) -> &str {
        let name = self.domain_name.as_str();
        name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name)
    }
}

impl FromStr for RegistryUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |reason| Invalid::new("registry URL", without_secrets(text), reason);
        let mut url =
            Url::parse(text).map_err(|_| invalid("it is not a URL such as https://ghcr.io"))?;
        if url.scheme() == "oci" {
            return Err(invalid("write https:// instead of oci://"));
        }
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(invalid("it must begin with https:// or http:// and name a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("credentials do not belong in the address"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it has a query or a fragment"));
        }
        if text.len() > DOMAIN_NAME_MAX {
            return Err(invalid("it is longer than 512 bytes"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }
}

impl FromStr for DomainName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let has_scheme = text.contains("://");
        let address = if has_scheme { text.to_owned() } else { format!("https://{text}") };
        let reason = "it must be a host such as ghcr.io, with or without https:// and a path";
        let invalid = |_| Invalid::new("domain", without_secrets(text), reason);
        let address: RegistryUrl = address.parse().map_err(invalid)?;
        let with_scheme = address.to_string();
        let bare = with_scheme.strip_prefix("https://").unwrap_or(&with_scheme);
        Ok(Self { text: if has_scheme { with_scheme.clone() } else { bare.to_owned() }, address })
    }
}

/// Returns the part of a refused address that an error may show: no password and no query.
fn without_secrets(text: &str) -> &str {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    text.get(..end).filter(|address| !address.contains('@')).unwrap_or("…@…")
}

impl From<RegistryUrl> for DomainName {
    fn from(address: RegistryUrl) -> Self {
        Self { text: address.to_string(), address }
    }
}

impl fmt::Display for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_url_is_normalised() {
        let table = [
            ("https://ghcr.io", "https://ghcr.io"),
            ("HTTPS://GHCR.IO:443/", "https://ghcr.io"),
            ("http://localhost:5000/", "http://localhost:5000"),
            ("http://registry:80", "http://registry"),
            ("https://example.com/artifactory/api//", "https://example.com/artifactory/api"),
            ("http://[::1]:5000", "http://[::1]:5000"),
        ];
        for (text, normalised) in table {
            assert_eq!(
                text.parse::<RegistryUrl>().map(|url| url.to_string()).as_deref(),
                Ok(normalised)
            );
        }
    }

    #[test]
    fn registry_url_without_a_plain_address_is_refused_without_its_secret() {
        for bad in [
            "",
            "ghcr.io",
            "ftp://ghcr.io",
            "https://",
            "https://x/?secret=b",
            "https://x/#y",
            "https://u:secret@x",
        ] {
            let error = bad.parse::<RegistryUrl>().map_err(|error| error.to_string());
            assert!(
                error.as_ref().is_err_and(|message| !message.contains("secret")),
                "{bad:?}: {error:?}"
            );
        }
    }

    #[test]
    fn endpoint_keeps_the_path_and_encodes_segments() {
        let url = "https://example.com/api/oci".parse::<RegistryUrl>();
        let endpoint =
            url.map(|url| url.endpoint(&["v2", "a/b", "tags", "list"], Some("n=5")).to_string());
        assert_eq!(endpoint.as_deref(), Ok("https://example.com/api/oci/v2/a/b/tags/list?n=5"));
        let url = "http://localhost:5000".parse::<RegistryUrl>();
        let endpoint = url.map(|url| url.endpoint(&["v2", "_catalog"], None).to_string());
        assert_eq!(endpoint.as_deref(), Ok("http://localhost:5000/v2/_catalog"));
    }

    #[test]
    fn registry_host_is_the_domain_name_without_scheme() {
        for (domain, stored, host) in [
            ("https://ghcr.io/", "https://ghcr.io", "ghcr.io"),
            ("ghcr.io", "ghcr.io", "ghcr.io"),
            ("HTTPS://GHCR.io", "https://ghcr.io", "ghcr.io"),
            ("http://localhost:5000", "http://localhost:5000", "localhost:5000"),
            (
                "Mirror.example.com:8443/hub",
                "mirror.example.com:8443/hub",
                "mirror.example.com:8443/hub",
            ),
        ] {
            let registry = domain.parse::<DomainName>().map(Registry::named);
            assert_eq!(
                registry.as_ref().map(|registry| registry.domain_name().as_str()),
                Ok(stored)
            );
            assert_eq!(registry.as_ref().map(Registry::host), Ok(host));
        }
        for bad in ["a b", "ftp://ghcr.io", "https://u:secret@ghcr.io", "ghcr.io?secret"] {
            let message = bad.parse::<DomainName>().map_err(|error| error.to_string());
            assert!(
                message.as_ref().is_err_and(|message| !message.contains("secret")),
                "{bad}: {message:?}"
            );
        }
    }

    #[test]
    fn an_ecr_registry_is_known_by_its_address() {
        for (address, domain_name, provider) in [
            (
                "https://123456789012.dkr.ecr.us-east-1.amazonaws.com",
                "123456789012.dkr.ecr.us-east-1.amazonaws.com",
                "Ecr",
            ),
            (
                "https://123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/",
                "123456789012.dkr.ecr.us-gov-west-1.amazonaws.com",
                "Ecr",
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "Ecr",
            ),
            (
                "https://123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.com",
                "https://123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.com",
                "Oci",
            ),
            ("https://public.ecr.aws", "https://public.ecr.aws", "Oci"),
        ] {
            let registry = Registry::named(address.parse().unwrap());
            assert_eq!(
                (registry.domain_name().as_str(), registry.provider().as_str()),
                (domain_name, provider)
            );
        }
    }

    #[test]
    fn ecr_registry_is_a_bare_host() {
        let (account, region) = ("123456789012".parse().unwrap(), "cn-north-1".parse().unwrap());
        let registry = Registry::ecr(&account, &region);
        let name = registry.as_ref().map(|registry| registry.domain_name().as_str());
        assert_eq!(name, Ok("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"));
    }
}
