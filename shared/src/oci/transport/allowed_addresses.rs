//! The private hosts and networks that the operator allows, and the rule for every other address.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::IpNet;
use url::Host;

/// The networks that are not public: IANA's special-purpose address registries (RFC 6890). An IPv6
/// address that contains an IPv4 address is checked as the IPv4 address.
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

/// The private hosts and networks of `ALLOWED_ADDRESSES`. The client may connect to them, and send
/// them credentials over https.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedAddresses {
    hosts: HashSet<String>,
    networks: Vec<IpNet>,
}

impl AllowedAddresses {
    /// Returns whether a host is listed, by its name or by its address.
    pub(super) fn host(&self, host: &str) -> bool {
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        self.hosts.contains(host) || literal.is_ok_and(|address| self.network(address))
    }

    pub(super) fn address(&self, address: IpAddr) -> bool {
        is_public(address) || self.network(address)
    }

    fn network(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// Parses hosts and CIDRs that are separated by commas or spaces.
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

/// Returns whether an address is on the public internet.
fn is_public(address: IpAddr) -> bool {
    let address = match address.to_canonical() {
        IpAddr::V6(v6) => embedded_v4(v6.segments()).map_or(IpAddr::V6(v6), IpAddr::V4),
        v4 @ IpAddr::V4(_) => v4,
    };
    let special = NOT_PUBLIC.iter().filter_map(|network| network.parse::<IpNet>().ok());
    !special.into_iter().any(|network| network.contains(&address))
}

/// Returns the IPv4 address that a NAT64 (RFC 6052) or 6to4 (RFC 3056) address leads to.
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

    /// Hostile input 24.
    #[test]
    fn non_public_addresses_are_recognised() {
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
    fn entry_that_is_neither_host_nor_network_is_named() {
        assert!("auth.example.com, 10.0.0.0/8 fd00::/8".parse::<AllowedAddresses>().is_ok());
        for bad in ["http://x/", "10.0.0.0/33", "a b/c"] {
            assert!(bad.parse::<AllowedAddresses>().is_err(), "{bad}");
        }
    }
}
