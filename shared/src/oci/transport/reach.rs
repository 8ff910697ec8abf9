//! Decides which addresses the client may connect to. A redirect or a realm can name any host. A
//! hostile registry could use that to read credentials or to reach private services.
//!
//! The configured registry may be at any address. The resolver checks every other host when it
//! resolves the name for the connection. So DNS rebinding cannot replace a checked address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};
use url::Host;

use super::allowed_addresses::AllowedAddresses;
use crate::domain::RegistryUrl;
use crate::oci::error::{Error, RealmRule, Refusal};
use crate::oci::redact::redacted;

/// The HTTP clients for one registry: one for the registry itself, two for other hosts.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    base: RegistryUrl,
    allowed: Arc<AllowedAddresses>,
    own: Client,
    foreign: Client,
    /// For other hosts on the registry's own port, because another name may lead to the registry's
    /// own address there.
    foreign_own_port: Client,
}

impl Reach {
    pub(super) fn new(
        base: RegistryUrl,
        allowed: Arc<AllowedAddresses>,
        builder: impl Fn() -> reqwest::ClientBuilder,
    ) -> Result<Self, Error> {
        let strict = |own_host: Option<String>| {
            builder().dns_resolver(Checked { allowed: Arc::clone(&allowed), own_host }).build()
        };
        let built = || {
            let own_host = base.url().host_str().map(str::to_owned);
            Ok((builder().build()?, strict(None)?, strict(own_host)?))
        };
        let (own, foreign, foreign_own_port) =
            built().map_err(|error: reqwest::Error| Error::Client(error.into()))?;
        Ok(Self { base, allowed, own, foreign, foreign_own_port })
    }

    /// Returns whether an address has the scheme, host and port of the configured registry.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.url().origin()
    }

    /// Returns whether the configured registry is in ECR.
    pub(super) fn is_ecr(&self) -> bool {
        self.base.ecr().is_some()
    }

    /// Returns the rule that forbids to send the registry's credentials to an address. The
    /// registry's own address is permitted, and over https also its host and the allowed addresses.
    pub(super) fn rule_against(&self, url: &Url) -> Option<RealmRule> {
        let host = url.host_str().unwrap_or_default();
        let is_known = Some(host) == self.base.url().host_str() || self.allowed.host(host);
        match () {
            () if self.is_own(url) => None,
            () if url.scheme() != "https" => Some(RealmRule::NotHttps),
            () if is_known => None,
            () => Some(RealmRule::ForeignHost(host.to_owned())),
        }
    }

    /// Returns whether only the registry can read a password that is sent to it.
    pub(super) fn is_safe_for_passwords(&self) -> bool {
        is_safe_for_passwords(self.base.url())
    }

    /// Returns the registry's address on https, if `url` shows that an http registry answers there:
    /// it has the same host.
    pub(super) fn on_https(&self, url: &Url) -> Option<String> {
        let base = self.base.url();
        let is_upgrade =
            (base.scheme(), url.scheme()) == ("http", "https") && base.host_str() == url.host_str();
        let mut https = base.clone();
        let is_set = https.set_scheme("https").and_then(|()| https.set_port(url.port())).is_ok();
        (is_upgrade && is_set).then(|| https.as_str().trim_end_matches('/').to_owned())
    }

    /// Returns the HTTP client for an address. Checks an IP address now. The resolver checks a name
    /// when the client connects.
    ///
    /// # Errors
    ///
    /// [`Error::AddressRefused`] if the client must not connect to the address.
    pub(super) fn client_for(&self, url: &Url) -> Result<&Client, Error> {
        let refused =
            |reason| Error::AddressRefused { url: redacted(url), reason: String::from(reason) };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("it is neither http nor https"));
        }
        if self.is_own(url) {
            return Ok(&self.own);
        }
        if self.base.url().scheme() == "https" && url.scheme() == "http" {
            return Err(refused("the registry uses https and this address does not"));
        }
        let own = self.base.url();
        let own_port = url.port_or_known_default() == own.port_or_known_default();
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        if let Some(address) = literal {
            let same_address = own_port && own.host() == url.host();
            if !same_address && !self.allowed.address(address) {
                return Err(refused(&not_public(&[address])));
            }
        }
        Ok(if own_port { &self.foreign_own_port } else { &self.foreign })
    }
}

/// Returns whether only the host of an address can read a password that is sent there.
pub(in crate::oci) fn is_safe_for_passwords(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || is_loopback
}

/// A resolver that returns only permitted addresses.
struct Checked {
    allowed: Arc<AllowedAddresses>,
    /// The host whose private addresses are permitted too.
    own_host: Option<String>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, own_host) = (Arc::clone(&self.allowed), self.own_host.clone());
        Box::pin(async move {
            let found: Vec<IpAddr> = look_up(name.as_str()).await?;
            if allowed.host(name.as_str()) {
                return Ok(addresses(found));
            }
            let (permitted, refused): (Vec<IpAddr>, Vec<IpAddr>) =
                found.into_iter().partition(|address| allowed.address(*address));
            if !permitted.is_empty() {
                return Ok(addresses(permitted));
            }
            let own = match own_host {
                Some(host) => look_up(&host).await.unwrap_or_default(),
                None => Vec::new(),
            };
            let (own, others): (Vec<IpAddr>, Vec<IpAddr>) =
                refused.into_iter().partition(|address| own.contains(address));
            if own.is_empty() {
                return Err(Refusal(not_public(&others)).into());
            }
            Ok(addresses(own))
        })
    }
}

async fn look_up(host: &str) -> std::io::Result<Vec<IpAddr>> {
    // A URL has brackets around an IPv6 address, and the system's resolver does not accept them.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
}

fn addresses(addresses: Vec<IpAddr>) -> Addrs {
    Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)))
}

fn not_public(addresses: &[IpAddr]) -> String {
    let shown: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    format!(
        "{} is not on the public internet; if you trust it, add it to ALLOWED_ADDRESSES",
        shown.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(base: &str, allowed: &str) -> Reach {
        let tls = crate::tls::client_config(None).unwrap();
        let builder = || reqwest::Client::builder().tls_backend_preconfigured(tls.clone());
        Reach::new(base.parse().unwrap(), Arc::new(allowed.parse().unwrap()), builder).unwrap()
    }

    /// Hostile input 24.
    #[test]
    fn private_address_is_refused_unless_it_is_the_registrys_own_or_allowed() {
        let table = [
            ("http://10.0.0.5:5000", "", "http://10.0.0.5:5000/token", true),
            ("http://10.0.0.5:5000", "", "http://10.0.0.5:22/", false),
            ("http://10.0.0.5:5000", "", "http://10.0.0.6:5000/", false),
            ("http://10.0.0.5:5000", "10.0.0.0/24", "http://10.0.0.6:80/", true),
            ("http://10.0.0.5:5000", "10.0.0.6", "http://10.0.0.6:80/", true),
            ("https://registry.example.com", "", "https://169.254.169.254/latest", false),
            ("https://registry.example.com", "", "https://[::ffff:127.0.0.1]/", false),
            ("https://registry.example.com", "", "https://2130706433/", false),
            ("https://registry.example.com", "", "https://1.1.1.1/", true),
            ("https://registry.example.com", "", "http://1.1.1.1/", false),
            ("https://registry.example.com", "", "file:///etc/passwd", false),
        ];
        for (base, allowed, target, permitted) in table {
            let outcome = reach(base, allowed).client_for(&Url::parse(target).unwrap()).map(|_| ());
            assert_eq!(outcome.is_ok(), permitted, "{base} {target}: {outcome:?}");
        }
    }

    /// Cases from the field 14 and 28.
    #[test]
    fn rule_that_forbids_a_realm_is_named() {
        let of = |host: &str| Some(RealmRule::ForeignHost(host.to_owned()));
        let table = [
            ("https://ghcr.io", "", "https://ghcr.io/token", None),
            ("https://ghcr.io", "ghcr.io", "http://ghcr.io/token", Some(RealmRule::NotHttps)),
            ("http://ghcr.io", "", "http://ghcr.io:81/token", Some(RealmRule::NotHttps)),
            ("https://ghcr.io", "", "https://auth.example/token", of("auth.example")),
            ("https://ghcr.io", "auth.example", "https://auth.example/token", None),
        ];
        for (base, allowed, realm, rule) in table {
            let found = reach(base, allowed).rule_against(&Url::parse(realm).unwrap());
            assert_eq!(found, rule, "{base} {realm}");
        }
        assert!(RealmRule::NotHttps.to_string().contains("which is not https"));
    }

    /// Case from the field 24.
    #[test]
    fn password_is_sent_unasked_only_where_no_other_host_can_read_it() {
        for (base, is_safe) in [
            ("https://registry.example", true),
            ("http://registry.example", false),
            ("http://10.0.0.5:5000", false),
            ("http://localhost:5000", true),
            ("http://127.0.0.1:5000", true),
            ("http://[::1]:5000", true),
        ] {
            assert_eq!(reach(base, "").is_safe_for_passwords(), is_safe, "{base}");
        }
    }

    /// Case from the field 15.
    #[test]
    fn registry_on_https_is_recognised_by_its_host() {
        for (base, target, https) in [
            ("http://r.example", "https://r.example/v2/", Some("https://r.example")),
            (
                "http://r.example:5000/x",
                "https://r.example:8443/",
                Some("https://r.example:8443/x"),
            ),
            ("http://r.example", "https://cdn.example/", None),
            ("http://r.example", "http://r.example/v2/", None),
            ("https://r.example", "https://r.example:8443/", None),
        ] {
            let found = reach(base, "").on_https(&Url::parse(target).unwrap());
            assert_eq!(found.as_deref(), https, "{base} {target}");
        }
    }

    /// Hostile input 25.
    #[test]
    fn credentials_go_only_to_the_registry_and_to_allowed_https_hosts() {
        let table = [
            ("https://ghcr.io", "", "https://ghcr.io/token", true),
            ("https://ghcr.io", "", "http://ghcr.io/token", false),
            ("https://ghcr.io", "", "https://ghcr.io:8443/token", true),
            ("https://registry-1.docker.io", "", "https://auth.docker.io/token", false),
            (
                "https://registry-1.docker.io",
                "auth.docker.io",
                "https://auth.docker.io/token",
                true,
            ),
            (
                "https://registry-1.docker.io",
                "auth.docker.io",
                "http://auth.docker.io/token",
                false,
            ),
            ("http://localhost:5000", "", "http://localhost:5000/token", true),
            ("http://localhost:5000", "", "http://localhost:5001/token", false),
        ];
        for (base, allowed, realm, permitted) in table {
            let outcome = reach(base, allowed).rule_against(&Url::parse(realm).unwrap()).is_none();
            assert_eq!(outcome, permitted, "{base} {realm}");
        }
    }
}
