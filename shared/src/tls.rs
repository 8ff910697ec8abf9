//! The TLS configuration of every client in this process: rustls with the `ring` provider (see
//! `docs/decisions/0002-ring.md`). Certificates are verified with the system's roots or a PEM file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// The reason why a TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The PEM file cannot be read, or holds something else.
    #[error("cannot read certificates from {}", path.display())]
    Roots {
        /// The file that the settings name.
        path: PathBuf,
        /// The parser's error.
        source: rustls::pki_types::pem::Error,
    },
    /// The PEM file holds no usable certificate.
    #[error("{} holds no usable certificate", path.display())]
    NoRoots {
        /// The file that the settings name.
        path: PathBuf,
    },
    /// The system's roots cannot be used.
    #[error("cannot set up TLS")]
    Setup(#[from] rustls::Error),
}

/// Makes a client configuration that trusts the certificates in the file `roots`, or the system's
/// roots without a file.
///
/// # Errors
/// Fails if the file cannot be used, or if the system has no roots.
pub fn client_config(roots: Option<&Path>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = match roots {
        None => builder.with_platform_verifier()?.with_no_client_auth(),
        Some(path) => builder.with_root_certificates(read_roots(path)?).with_no_client_auth(),
    };
    Ok(config)
}

fn read_roots(path: &Path) -> Result<RootCertStore, Error> {
    let unreadable = |source| Error::Roots { path: path.to_owned(), source };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        store.add(certificate.map_err(unreadable)?)?;
    }
    if store.is_empty() {
        return Err(Error::NoRoots { path: path.to_owned() });
    }
    Ok(store)
}
