//! Account and region, which are parts of an ECR registry's host name. Events name them, and the
//! client sends credentials to that host. So each part is checked against its grammar first.

use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// An AWS account id: twelve digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account(String);

/// An AWS region code such as `us-east-1` or `us-gov-west-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(String);

/// The prefix of the regions and the DNS suffix for ECR, for each partition except `aws`.
const PARTITIONS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
];

impl Region {
    /// Returns the domain in which this region's service endpoints end.
    #[must_use]
    pub fn dns_suffix(&self) -> &'static str {
        let partition = PARTITIONS.iter().find(|(prefix, _)| self.0.starts_with(prefix));
        partition.map_or("amazonaws.com", |(_, suffix)| suffix)
    }
}

impl FromStr for Account {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("account", text, "an AWS account id is twelve digits"))
        }
    }
}

impl FromStr for Region {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut parts = text.split('-').rev();
        let number = parts.next().unwrap_or_default();
        let words: Vec<&str> = parts.collect();
        let is_word =
            |word: &&str| word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let well_formed = text.len() <= 32
            && (1..=2).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && words.len() >= 2
            && words.iter().all(is_word);
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("region", text, "an AWS region looks like us-east-1"))
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_gives_the_suffix_of_its_partition() {
        let table = [
            ("us-east-1", "amazonaws.com"),
            ("ap-southeast-2", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("cn-northwest-1", "amazonaws.com.cn"),
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("eusc-de-east-1", "amazonaws.eu"),
        ];
        for (region, suffix) in table {
            assert_eq!(
                region.parse::<Region>().as_ref().map(Region::dns_suffix),
                Ok(suffix),
                "{region}"
            );
        }
    }

    #[test]
    fn names_that_would_change_the_host_are_refused() {
        for bad in [
            "",
            "us-east",
            "us-east-1.evil.com",
            "us-east-1/",
            "us_east_1",
            "US-EAST-1",
            "us--1",
            "1",
            "-1",
        ] {
            assert!(bad.parse::<Region>().is_err(), "{bad:?} was accepted");
        }
        for bad in ["", "12345678901", "1234567890123", "12345678901x", "evil.com/#"] {
            assert!(bad.parse::<Account>().is_err(), "{bad:?} was accepted");
        }
    }
}
