//! The settings that decide how an instance lists its repositories.

use anyhow::{Context as _, bail};

use super::vendor::Vendor;
use crate::domain::RegistryUrl;
use crate::oci::transport::is_safe_for_passwords;

/// Longest namespace, in bytes.
const NAMESPACE_MAX: usize = 255;

/// How an instance lists its repositories: the setting `catalog`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatalogChoice {
    /// By the vendor's call if the registry's host is the vendor's own. Else by the registry's
    /// catalog, or by the vendor's call if the registry denies that and shows its vendor.
    Auto,
    /// By the registry's catalog.
    Oci,
    /// By a vendor's call.
    Of(Vendor),
    /// Not at all: the instance names its repositories.
    None,
}

/// The settings that decide how an instance lists its repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogSettings {
    /// How it lists them.
    pub choice: CatalogChoice,
    /// The organisations, users, groups or projects to list. Without any, what the credentials can
    /// see.
    pub namespaces: Vec<String>,
    /// The address of the vendor's API, if it is not the usual one.
    pub url: Option<RegistryUrl>,
}

/// The fields of `oci` that decide how the instance lists its repositories.
#[derive(Debug, Default)]
pub struct CatalogFields<'a> {
    /// The field `catalog`.
    pub catalog: Option<&'a str>,
    /// The field `namespaces`.
    pub namespaces: Option<&'a [String]>,
    /// The field `catalogUrl`.
    pub url: Option<&'a str>,
}

impl CatalogSettings {
    /// Reads the settings of an instance for a registry. `needs_catalog` says whether the instance
    /// lists repositories at all.
    ///
    /// # Errors
    /// Names the field that cannot be used, and the remedy.
    pub fn read(
        fields: &CatalogFields<'_>,
        registry: &RegistryUrl,
        needs_catalog: bool,
    ) -> anyhow::Result<Self> {
        let choice = choice(fields.catalog)?;
        if choice == CatalogChoice::None && needs_catalog {
            bail!(
                "oci.catalog is \"none\", so nothing finds repositories: name all of them in \
                 oci.repositories, without globs"
            );
        }
        let namespaces = fields.namespaces.unwrap_or_default().to_vec();
        if fields.namespaces.is_some_and(<[String]>::is_empty) {
            bail!("oci.namespaces is empty: leave it out to list what the credentials can see");
        }
        let url = fields.url.map(address).transpose()?;
        let settings = Self { choice, namespaces, url };
        match settings.vendor(registry) {
            Some(vendor) => settings.check(vendor, registry)?,
            None => settings.check_unused()?,
        }
        Ok(settings)
    }

    /// Returns the vendor whose call lists the registry's repositories. `None` if it is the
    /// registry's own catalog, at least at first.
    #[must_use]
    pub fn vendor(&self, registry: &RegistryUrl) -> Option<Vendor> {
        match self.choice {
            CatalogChoice::Of(vendor) => Some(vendor),
            CatalogChoice::Auto => Vendor::of(registry, !self.namespaces.is_empty()),
            CatalogChoice::Oci | CatalogChoice::None => None,
        }
    }

    /// Returns what tells these settings from the usual ones, or nothing for the usual ones.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let choice = match self.choice {
            CatalogChoice::Auto => None,
            CatalogChoice::Oci => Some("oci"),
            CatalogChoice::Of(vendor) => Some(vendor.setting()),
            CatalogChoice::None => Some("none"),
        };
        let url = self.url.iter().map(ToString::to_string);
        let choice = choice.into_iter().map(str::to_owned);
        choice.chain(url).chain(self.namespaces.iter().cloned()).collect()
    }
}

fn choice(text: Option<&str>) -> anyhow::Result<CatalogChoice> {
    match text {
        None | Some("auto") => return Ok(CatalogChoice::Auto),
        Some("oci") => return Ok(CatalogChoice::Oci),
        Some("none") => return Ok(CatalogChoice::None),
        Some(other) => {
            if let Some((_, vendor)) = Vendor::ALL.iter().find(|(name, _)| *name == other) {
                return Ok(CatalogChoice::Of(*vendor));
            }
        }
    }
    let vendors: Vec<&str> = Vendor::ALL.iter().map(|(name, _)| *name).collect();
    bail!(
        "oci.catalog {:?} is none of auto, oci, {}, none",
        text.unwrap_or_default(),
        vendors.join(", ")
    )
}

fn address(text: &str) -> anyhow::Result<RegistryUrl> {
    let url: RegistryUrl = text.parse().context("oci.catalogUrl cannot be used")?;
    if !is_safe_for_passwords(url.url()) {
        bail!("oci.catalogUrl {url} must be on https, because the listing token is sent there");
    }
    Ok(url)
}

impl CatalogSettings {
    fn check(&self, vendor: Vendor, registry: &RegistryUrl) -> anyhow::Result<()> {
        if self.url.is_none() && vendor.api(registry).is_none() {
            bail!(
                "oci.catalogUrl is missing: {registry} is not {vendor}'s own registry, so set it \
                 to the address of {vendor}'s API"
            );
        }
        for namespace in &self.namespaces {
            let is_clean = namespace
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-/:+@".contains(&byte));
            let has_segments = namespace
                .split('/')
                .all(|segment| !segment.is_empty() && segment != "." && segment != "..");
            let (shape, is_shaped) = vendor.namespace_shape(namespace.split('/').count());
            if !is_clean || !has_segments || !is_shaped || namespace.len() > NAMESPACE_MAX {
                bail!("oci.namespaces has {namespace:?}, which is no {shape} of {vendor}");
            }
        }
        Ok(())
    }

    fn check_unused(&self) -> anyhow::Result<()> {
        let field = match (self.namespaces.as_slice(), &self.url) {
            ([], None) => return Ok(()),
            (_, Some(_)) => "oci.catalogUrl",
            (_, None) => "oci.namespaces",
        };
        match self.choice {
            CatalogChoice::Auto => bail!(
                "{field} needs oci.catalog, because the registry's address does not tell its \
                 vendor: set oci.catalog to the vendor, or use globs in oci.repositories"
            ),
            _ => bail!("{field} has no use, because oci.catalog names no vendor: leave it out"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GHCR: &str = "https://ghcr.io";

    /// The registry, `catalog`, `namespaces` and `catalogUrl`.
    type Written<'a> = (&'a str, Option<&'a str>, &'a [&'a str], Option<&'a str>);

    fn read(registry: &str, fields: &CatalogFields<'_>) -> Result<CatalogSettings, String> {
        CatalogSettings::read(fields, &registry.parse().unwrap(), true)
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn host_decides_the_vendor_unless_the_setting_does() {
        let google = "https://europe-west1-docker.pkg.dev";
        for (registry, catalog, expected) in [
            (GHCR, None, Some(Vendor::GitHub)),
            (GHCR, Some("auto"), Some(Vendor::GitHub)),
            (GHCR, Some("oci"), None),
            ("https://registry-1.docker.io", None, Some(Vendor::DockerHub)),
            ("https://registry.gitlab.com", None, Some(Vendor::GitLab)),
            (google, None, Some(Vendor::ArtifactRegistry)),
            ("https://pkg.dev.example.com", None, None),
            ("https://quay.io", None, None),
            ("https://registry.example.com", None, None),
            ("https://registry.example.com", Some("harbor"), Some(Vendor::Harbor)),
        ] {
            let settings = read(registry, &CatalogFields { catalog, ..CatalogFields::default() });
            let vendor = settings.unwrap().vendor(&registry.parse().unwrap());
            assert_eq!(vendor, expected, "{registry} {catalog:?}");
        }
        let quay: RegistryUrl = "https://quay.io".parse().unwrap();
        let namespaces = ["acme".to_owned()];
        let fields = CatalogFields { namespaces: Some(&namespaces), ..CatalogFields::default() };
        let settings = CatalogSettings::read(&fields, &quay, true).unwrap();
        assert_eq!(settings.vendor(&quay), Some(Vendor::Quay));
    }

    #[test]
    fn api_of_a_vendor_is_only_asked_for_its_own_registry() {
        let proxy: RegistryUrl = "https://proxy.example.com:8443/ghcr".parse().unwrap();
        for (vendor, expected) in [
            (Vendor::GitHub, None),
            (Vendor::DockerHub, None),
            (Vendor::GitLab, None),
            (Vendor::ArtifactRegistry, None),
            (Vendor::Harbor, Some("https://proxy.example.com:8443")),
            (Vendor::Gitea, Some("https://proxy.example.com:8443")),
        ] {
            let api = vendor.api(&proxy).map(|url| url.to_string());
            assert_eq!(api.as_deref(), expected, "{vendor}");
        }
    }

    #[test]
    fn unusable_field_is_named_with_its_remedy() {
        let own = "https://registry.example.com";
        let one = ["acme".to_owned()];
        let google = "https://us-docker.pkg.dev";
        let table: [(Written<'_>, &str); 10] = [
            ((google, None, &["my-project"], None), "no project/location/repository of Artifact"),
            (
                (GHCR, Some("gitub"), &[], None),
                "oci.catalog \"gitub\" is none of auto, oci, github",
            ),
            ((GHCR, Some("none"), &[], None), "oci.catalog is \"none\""),
            ((GHCR, None, &["a/b"], None), "oci.namespaces has \"a/b\""),
            ((GHCR, None, &["a b"], None), "oci.namespaces has \"a b\""),
            ((GHCR, None, &[".."], None), "oci.namespaces has \"..\""),
            ((GHCR, None, &["acme"], Some("http://api.example.com")), "must be on https"),
            ((own, Some("github"), &["acme"], None), "oci.catalogUrl is missing"),
            ((own, None, &["acme"], None), "oci.namespaces needs oci.catalog"),
            ((own, Some("oci"), &[], Some("https://x")), "oci.catalogUrl has no use"),
        ];
        for ((registry, catalog, namespaces, url), expected) in table {
            let namespaces: Vec<String> = namespaces.iter().map(|&name| name.to_owned()).collect();
            let namespaces = Some(namespaces.as_slice()).filter(|names| !names.is_empty());
            let error = read(registry, &CatalogFields { catalog, namespaces, url }).unwrap_err();
            assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        }
        let empty = CatalogFields { namespaces: Some(&[]), ..CatalogFields::default() };
        assert!(read(GHCR, &empty).unwrap_err().contains("oci.namespaces is empty"));
        let loopback = CatalogFields {
            namespaces: Some(&one),
            url: Some("http://127.0.0.1:8080/api/v3"),
            ..CatalogFields::default()
        };
        assert!(read(GHCR, &loopback).is_ok());
    }
}
