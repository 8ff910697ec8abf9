//! Verifies that bytes match a digest, in pieces as they arrive.

use sha2::{Digest as _, Sha256, Sha512};

use super::Digest;

/// Computes the digest of the bytes that it receives. Compares it with the expected one at the end.
#[derive(Debug, Clone)]
pub struct Verifier {
    expected: Digest,
    hash: Hash,
}

#[derive(Debug, Clone)]
enum Hash {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Verifier {
    /// Makes a verifier for this digest, with the digest's own algorithm.
    #[must_use]
    pub fn of(expected: &Digest) -> Self {
        let is_512 = expected.as_str().starts_with("sha512:");
        let hash = if is_512 { Hash::Sha512(Sha512::new()) } else { Hash::Sha256(Sha256::new()) };
        Self { expected: expected.clone(), hash }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.hash {
            Hash::Sha256(hash) => hash.update(bytes),
            Hash::Sha512(hash) => hash.update(bytes),
        }
    }

    /// Compares the digests.
    ///
    /// # Errors
    ///
    /// The actual digest of the bytes, if it differs from the expected one.
    pub fn finish(self) -> Result<(), String> {
        let actual = match self.hash {
            Hash::Sha256(hash) => format!("sha256:{:x}", hash.finalize()),
            Hash::Sha512(hash) => format!("sha512:{:x}", hash.finalize()),
        };
        if actual == self.expected.as_str() { Ok(()) } else { Err(actual) }
    }
}

impl Digest {
    /// Returns whether the bytes have this digest, computed with its own algorithm.
    #[must_use]
    pub fn matches(&self, bytes: &[u8]) -> bool {
        let mut verifier = Verifier::of(self);
        verifier.update(bytes);
        verifier.finish().is_ok()
    }
}
