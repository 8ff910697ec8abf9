//! What the registry of the poller's law has, and which charts follow from that. Changes are
//! random.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use serde_json::{Value, json};
use shared::domain::Digest;
use shared::helm::{CHART_MEDIA_TYPE, CONFIG_MEDIA_TYPE};
use tests::chart::{Archive, CHART_YAML};

/// The repositories of a history.
pub(crate) const REPOSITORIES: [&str; 6] = ["a", "b", "team/a", "team/b", "team/b/c", "z"];

/// The tags of a repository.
pub(crate) const TAGS: [&str; 5] = ["1.0.0", "1.1.0", "2.0.0-rc.1", "latest", "edge"];

/// The different contents of each kind. There are few, so that tags share digests.
const CONTENTS: u8 = 4;

/// The content whose chart is BROKEN.
const BROKEN: u8 = 3;

/// The bytes of a manifest past the limit.
const HUGE: usize = 4 * 1024 * 1024 + 1;

/// What a tag resolves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Artifact {
    Chart(u8),
    Image(u8),
    /// An index with a chart.
    Index(u8),
    /// An index with an image.
    ImageIndex(u8),
    /// A manifest past the limit.
    Huge(u8),
}

/// A repository.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownRepository {
    pub(crate) tags: BTreeMap<&'static str, Artifact>,
    /// Tags that the list names although their manifest is deleted.
    pub(crate) ghosts: BTreeSet<&'static str>,
    /// The contents whose chart is not there, although an index lists it.
    missing: BTreeSet<u8>,
}

/// What a registry has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) repositories: BTreeMap<&'static str, KnownRepository>,
    /// Whether a list names a tag after its manifest was deleted, as Docker Distribution does.
    pub(crate) keeps_ghosts: bool,
}

/// A manifest, or a part of one.
pub(crate) struct KnownManifest {
    pub(crate) media_type: &'static str,
    pub(crate) digest: Digest,
    pub(crate) body: Vec<u8>,
}

impl Artifact {
    fn any(rng: &mut Rng) -> Self {
        let content = rng.u8(..CONTENTS);
        match rng.u8(..12) {
            0..7 => Self::Chart(content),
            7 => Self::Image(content),
            8 | 9 => Self::Index(content),
            10 => Self::ImageIndex(content),
            _ => Self::Huge(content),
        }
    }

    /// Returns the digest that a tag with this artifact resolves to.
    pub(crate) fn digest(self) -> Digest {
        self.manifest().digest
    }

    pub(crate) fn manifest(self) -> KnownManifest {
        let of = |media_type, body: Value| {
            let body = body.to_string().into_bytes();
            KnownManifest { media_type, digest: Digest::sha256(&body), body }
        };
        match self {
            Self::Chart(content) => {
                let layer = layer(content);
                let digest = Digest::sha256(&layer);
                let layer = json!({
                    "mediaType": CHART_MEDIA_TYPE, "digest": digest.as_str(), "size": layer.len(),
                });
                of(
                    MANIFEST,
                    json!({
                        "config": {"mediaType": CONFIG_MEDIA_TYPE}, "layers": [layer],
                        "annotations": {"content": content.to_string()},
                    }),
                )
            }
            Self::Image(content) => of(
                MANIFEST,
                json!({
                    "config": {"mediaType": IMAGE}, "layers": [],
                    "annotations": {"content": content.to_string()},
                }),
            ),
            Self::Index(content) => of(INDEX, index(Self::Chart(content), CONFIG_MEDIA_TYPE)),
            Self::ImageIndex(content) => of(INDEX, index(Self::Image(content), IMAGE)),
            Self::Huge(content) => KnownManifest {
                media_type: MANIFEST,
                digest: Digest::sha256(&[b'h', content]),
                body: vec![b' '; HUGE],
            },
        }
    }
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const IMAGE: &str = "application/vnd.oci.image.config.v1+json";

/// Returns an index with one manifest.
fn index(of: Artifact, artifact_type: &str) -> Value {
    let KnownManifest { media_type, digest, body } = of.manifest();
    let entry = json!({
        "mediaType": media_type, "artifactType": artifact_type, "digest": digest.as_str(),
        "size": body.len(),
    });
    json!({"mediaType": INDEX, "manifests": [entry]})
}

/// Returns the layer of a chart.
pub(crate) fn layer(content: u8) -> Vec<u8> {
    if content == BROKEN {
        return b"this is no archive".to_vec();
    }
    let readme = format!("content {content}");
    Archive::new().file("chart/Chart.yaml", CHART_YAML).file("chart/README.md", readme).pack()
}

/// Returns the layer with this digest.
pub(crate) fn layer_with(digest: &str) -> Option<Vec<u8>> {
    (0..CONTENTS).map(layer).find(|layer| Digest::sha256(layer).as_str() == digest)
}

impl KnownRepository {
    /// Returns whether the chart in an index is there.
    fn has_child(&self, child: u8) -> bool {
        let is_tagged = self.tags.values().any(|artifact| *artifact == Artifact::Chart(child));
        is_tagged || !self.missing.contains(&child)
    }

    /// Returns the manifest that a tag or a digest resolves to.
    pub(crate) fn manifest(&self, reference: &str) -> Option<KnownManifest> {
        if let Some(artifact) = self.tags.get(reference) {
            return Some(artifact.manifest());
        }
        let children = self.tags.values().filter_map(|artifact| match artifact {
            Artifact::Index(content) if self.has_child(*content) => Some(Artifact::Chart(*content)),
            Artifact::ImageIndex(content) => Some(Artifact::Image(*content)),
            _ => None,
        });
        let mut all = self.tags.values().copied().chain(children);
        all.find(|artifact| artifact.digest().as_str() == reference).map(Artifact::manifest)
    }

    /// Returns the tags that resolve to a chart, each with the digest.
    fn charts(&self) -> impl Iterator<Item = (&'static str, Digest)> {
        self.tags.iter().filter_map(|(tag, artifact)| match artifact {
            Artifact::Index(content) if !self.has_child(*content) => None,
            Artifact::Chart(_) | Artifact::Index(_) => Some((*tag, artifact.digest())),
            _ => None,
        })
    }
}

impl Known {
    /// Lists the charts as `repository:tag@digest`.
    pub(crate) fn charts(&self) -> BTreeSet<String> {
        let of = |(name, repository): (&&str, &KnownRepository)| {
            let line = |(tag, digest)| format!("{name}:{tag}@{digest}");
            repository.charts().map(line).collect::<Vec<_>>()
        };
        self.repositories.iter().flat_map(of).collect()
    }

    /// Makes one random change. Returns it in words.
    pub(crate) fn change(&mut self, rng: &mut Rng) -> String {
        let name = REPOSITORIES[rng.usize(..REPOSITORIES.len())];
        let tag = TAGS[rng.usize(..TAGS.len())];
        let keeps_ghosts = self.keeps_ghosts;
        let there = self.repositories.get_mut(name);
        match (rng.u8(..20), there) {
            (0, Some(_)) => {
                self.repositories.remove(name);
                format!("delete {name}")
            }
            (1, _) => {
                let left = rng.usize(..=2);
                while self.repositories.len() > left {
                    self.repositories.pop_last();
                }
                format!("delete all but {left} repositories")
            }
            (2..5, Some(repository)) => {
                repository.tags.remove(tag);
                repository.ghosts.remove(tag);
                format!("delete {name}:{tag}")
            }
            // A deletion by digest deletes all its tags.
            (5..8, Some(repository)) => {
                let Some(digest) = repository.tags.get(tag).copied() else {
                    return format!("nothing at {name}:{tag}");
                };
                let ghosts = repository.tags.iter().filter(|(_, artifact)| **artifact == digest);
                if keeps_ghosts {
                    repository.ghosts.extend(ghosts.map(|(tag, _)| *tag));
                }
                repository.tags.retain(|_, artifact| *artifact != digest);
                format!("delete {name}@{digest:?}")
            }
            (8..10, Some(repository)) => {
                let content = rng.u8(..CONTENTS);
                if !repository.missing.remove(&content) {
                    repository.missing.insert(content);
                }
                format!("toggle the chart {content} in the indexes of {name}")
            }
            _ => {
                let artifact = Artifact::any(rng);
                let repository = self.repositories.entry(name).or_default();
                repository.tags.insert(tag, artifact);
                repository.ghosts.remove(tag);
                format!("push {name}:{tag} {artifact:?}")
            }
        }
    }
}
