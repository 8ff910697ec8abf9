//! The vendors that list repositories by a call of their own.

use std::fmt;

use crate::domain::RegistryUrl;

/// A vendor that lists repositories by a call of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// GitHub, whose registry is GHCR.
    GitHub,
    /// Docker Hub.
    DockerHub,
    /// GitLab, at gitlab.com or self-managed.
    GitLab,
    /// Harbor.
    Harbor,
    /// Quay, at quay.io or self-managed.
    Quay,
    /// Gitea and Forgejo.
    Gitea,
    /// Google's Artifact Registry.
    ArtifactRegistry,
}

impl Vendor {
    /// All vendors, by their names in the setting `catalog`.
    pub(super) const ALL: [(&'static str, Self); 7] = [
        ("github", Self::GitHub),
        ("dockerhub", Self::DockerHub),
        ("gitlab", Self::GitLab),
        ("harbor", Self::Harbor),
        ("quay", Self::Quay),
        ("gitea", Self::Gitea),
        ("artifactRegistry", Self::ArtifactRegistry),
    ];

    /// Returns the name in the setting `catalog`.
    #[must_use]
    pub fn setting(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, vendor)| *vendor == self);
        found.map_or("", |(name, _)| name)
    }

    /// Returns the vendor whose own registry is at an address. Without namespaces it is not Quay,
    /// because Quay's catalog then shows what the credentials can see, and its call does not.
    pub(super) fn of(registry: &RegistryUrl, has_namespaces: bool) -> Option<Self> {
        match registry.url().host_str()? {
            "ghcr.io" => Some(Self::GitHub),
            "registry-1.docker.io" | "index.docker.io" | "docker.io" => Some(Self::DockerHub),
            "registry.gitlab.com" => Some(Self::GitLab),
            "quay.io" => Some(Self::Quay).filter(|_| has_namespaces),
            host if host.ends_with(".pkg.dev") => Some(Self::ArtifactRegistry),
            _ => None,
        }
    }

    /// Returns the address of the vendor's API for a registry. `None` if only the setting
    /// `catalogUrl` can tell it. So no password of another registry is sent to a vendor.
    pub(super) fn api(self, registry: &RegistryUrl) -> Option<RegistryUrl> {
        let own = Self::of(registry, true) == Some(self);
        let address = match self {
            Self::GitHub => "https://api.github.com",
            Self::DockerHub => "https://hub.docker.com",
            Self::GitLab => "https://gitlab.com",
            Self::ArtifactRegistry => "https://artifactregistry.googleapis.com",
            Self::Harbor | Self::Quay | Self::Gitea => {
                return registry.url().origin().ascii_serialization().parse().ok();
            }
        };
        address.parse().ok().filter(|_| own)
    }

    /// Returns what a namespace is called, and whether one may have this many segments.
    pub(super) fn namespace_shape(self, segments: usize) -> (&'static str, bool) {
        match self {
            Self::GitHub | Self::DockerHub | Self::Quay => ("organisation or user", segments == 1),
            Self::GitLab => ("group or project", true),
            Self::Harbor => ("project", segments == 1),
            Self::Gitea => ("owner", segments == 1),
            Self::ArtifactRegistry => ("project/location/repository", segments == 3),
        }
    }
}

/// Writes the name that people use.
impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GitHub => "GitHub",
            Self::DockerHub => "Docker Hub",
            Self::GitLab => "GitLab",
            Self::Harbor => "Harbor",
            Self::Quay => "Quay",
            Self::Gitea => "Gitea",
            Self::ArtifactRegistry => "Artifact Registry",
        })
    }
}
