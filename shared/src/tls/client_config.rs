//! The TLS configuration of every client in this process: rustls with the `ring` provider (see
//! `docs/decisions/0002-ring.md`). Certificates are verified with the system's roots or a PEM file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

use super::own_certificate::OwnCertificate;

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
/// roots without a file. A certificate in the file may also be the server's own.
///
/// # Errors
/// Fails if the file cannot be used, or if the system has no roots.
pub fn client_config(roots: Option<&Path>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let config = match roots {
        None => builder.with_platform_verifier()?.with_no_client_auth(),
        Some(path) => {
            let certificates = read_roots(path)?;
            let mut roots = RootCertStore::empty();
            for certificate in &certificates {
                roots.add(certificate.clone())?;
            }
            // Fails only without a root.
            let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
            let verifier =
                verifier.build().map_err(|_| Error::NoRoots { path: path.to_owned() })?;
            let verifier = Arc::new(OwnCertificate::new(verifier, certificates));
            // Only adds the server's own certificate to what rustls accepts.
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    };
    Ok(config)
}

fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = |source| Error::Roots { path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    certificates.map(|certificate| certificate.map_err(unreadable)).collect()
}
