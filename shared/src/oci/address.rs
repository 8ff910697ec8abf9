//! Which addresses a registry may send us to. A redirect or a realm names any host it likes;
//! credentials of this network must not be read, nor its services be reached, through us.
//!
//! The configured registry is connected to wherever it is. Any other host is held against the rules
//! where its name is resolved for the connection, so that the address that was checked is the one
//! that is used.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};
use url::Host;

use super::Error;
use crate::domain::RegistryUrl;

/// What is not the public internet: the special-purpose address registries of IANA, RFC 6890.
/// Addresses that carry an IPv4 address are judged by that.
const NOT_PUBLIC: [&str; 21] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
];

/// Hosts and networks that may be reached although they are private, and credentials be sent to
/// over https: `ALLOWED_ADDRESSES`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedAddresses {
    hosts: HashSet<String>,
    networks: Vec<IpNet>,
}

/// The HTTP clients for one registry: one for the registry itself, one for where it sends us.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    base: RegistryUrl,
    allowed: Arc<AllowedAddresses>,
    own: Client,
    foreign: Client,
    /// For the registry's own port: another name may stand for the registry's own address there.
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

    /// Whether an address is the configured registry's: scheme, host and port.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.url().origin()
    }

    /// Whether the configured registry is ECR's own.
    pub(super) fn is_ecr(&self) -> bool {
        self.base.ecr().is_some()
    }

    /// Whether the registry's credentials may be sent to an address: the registry itself, over what
    /// it is configured with; or its host, or one that is allowed, over https.
    pub(super) fn may_have_credentials(&self, url: &Url) -> bool {
        let host = url.host_str();
        self.is_own(url)
            || url.scheme() == "https"
                && (host == self.base.url().host_str()
                    || host.is_some_and(|host| self.allowed.host(host)))
    }

    /// The client for an address. A name is judged when the client resolves it, an address here and
    /// now.
    ///
    /// # Errors
    /// [`Error::AddressRefused`].
    pub(super) fn client_for(&self, url: &Url) -> Result<&Client, Error> {
        let refused = |reason| Error::AddressRefused {
            url: super::transport::redacted(url),
            reason: String::from(reason),
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("it is neither http nor https"));
        }
        if self.is_own(url) {
            return Ok(&self.own);
        }
        if self.base.url().scheme() == "https" && url.scheme() == "http" {
            return Err(refused("the registry is https and this is not"));
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

impl AllowedAddresses {
    /// Whether a host is listed by its name, or by its address if that is what it is written as.
    fn host(&self, host: &str) -> bool {
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        self.hosts.contains(host) || literal.is_ok_and(|address| self.network(address))
    }

    fn address(&self, address: IpAddr) -> bool {
        is_public(address) || self.network(address)
    }

    fn network(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// Hosts and CIDRs with commas or spaces between.
impl FromStr for AllowedAddresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut allowed = Self::default();
        for entry in text.split([',', ' ']).filter(|entry| !entry.is_empty()) {
            let network =
                entry.parse::<IpNet>().or_else(|_| entry.parse::<IpAddr>().map(IpNet::from));
            match (network, Host::parse(entry)) {
                (Ok(network), _) => allowed.networks.push(network),
                (Err(_), Ok(Host::Domain(name))) => _ = allowed.hosts.insert(name),
                _ => {
                    return Err(format!(
                        "{entry:?} is neither a host such as auth.example.com nor a CIDR"
                    ));
                }
            }
        }
        Ok(allowed)
    }
}

/// Why a name may not be connected to. The client's error carries it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(pub(super) String);

/// Resolves a name, and gives only addresses that may be reached.
struct Checked {
    allowed: Arc<AllowedAddresses>,
    /// A host whose own addresses may be reached as well.
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
    // An IPv6 address stands in brackets in a URL, and the system's resolver wants none.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
}

fn addresses(addresses: Vec<IpAddr>) -> Addrs {
    Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)))
}

fn not_public(addresses: &[IpAddr]) -> String {
    let shown: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    format!(
        "{} is not on the public internet; if it is meant, add it to ALLOWED_ADDRESSES",
        shown.join(", ")
    )
}

/// Whether an address is on the public internet.
fn is_public(address: IpAddr) -> bool {
    let address = match address.to_canonical() {
        IpAddr::V6(v6) => embedded_v4(v6.segments()).map_or(IpAddr::V6(v6), IpAddr::V4),
        v4 @ IpAddr::V4(_) => v4,
    };
    let special = NOT_PUBLIC.iter().filter_map(|network| network.parse::<IpNet>().ok());
    !special.into_iter().any(|network| network.contains(&address))
}

/// The IPv4 address that NAT64 (RFC 6052) or 6to4 (RFC 3056) would connect to.
fn embedded_v4(segments: [u16; 8]) -> Option<Ipv4Addr> {
    let ([0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..]) = segments else {
        return None;
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(base: &str, allowed: &str) -> Reach {
        let tls = crate::tls::client_config(None).unwrap();
        let builder = || reqwest::Client::builder().tls_backend_preconfigured(tls.clone());
        Reach::new(base.parse().unwrap(), Arc::new(allowed.parse().unwrap()), builder).unwrap()
    }

    #[test]
    fn corpus_24_addresses_that_are_not_public_are_known() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "172.31.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:10.0.0.1",
            "fd00:ec2::254",
            "fe80::1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in
            ["1.1.1.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn corpus_24_an_address_is_refused_unless_it_is_the_registrys_own_or_allowed() {
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

    #[test]
    fn corpus_25_credentials_go_to_the_registry_and_to_allowed_hosts_over_https_only() {
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
            let outcome = reach(base, allowed).may_have_credentials(&Url::parse(realm).unwrap());
            assert_eq!(outcome, permitted, "{base} {realm}");
        }
    }

    #[test]
    fn what_is_no_host_and_no_network_is_named() {
        assert!("auth.example.com, 10.0.0.0/8 fd00::/8".parse::<AllowedAddresses>().is_ok());
        for bad in ["http://x/", "10.0.0.0/33", "a b/c"] {
            assert!(bad.parse::<AllowedAddresses>().is_err(), "{bad}");
        }
    }
}
