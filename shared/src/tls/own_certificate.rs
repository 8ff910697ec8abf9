//! Trusts a server whose certificate is the configured one itself. Docker's guide makes such
//! certificates: self-signed, and marked as those of an authority. The verifier refuses them as the
//! certificate of a server.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

/// A verifier that knows the configured certificates.
#[derive(Debug)]
pub(super) struct OwnCertificate {
    verifier: Arc<WebPkiServerVerifier>,
    configured: Vec<CertificateDer<'static>>,
}

/// The server presents an authority's certificate that is not configured.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server presents the certificate of an authority (CA:TRUE) as its own: put this very \
     certificate into the file of trusted certificates, or give the server one with CA:FALSE"
)]
struct AuthorityAsServer;

impl OwnCertificate {
    pub(super) fn new(
        verifier: Arc<WebPkiServerVerifier>,
        configured: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self { verifier, configured }
    }

    /// Accepts the certificate if it is a configured one and has the server's name. The verifier
    /// has checked before that it is valid now.
    fn verify_own(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
    ) -> Result<ServerCertVerified, Error> {
        if !self.configured.iter().any(|configured| configured == certificate) {
            // Not `InvalidCertificate`, whose message would not have the remedy.
            return Err(Error::Other(OtherError(Arc::new(AuthorityAsServer))));
        }
        verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
        Ok(ServerCertVerified::assertion())
    }
}

impl ServerCertVerifier for OwnCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(error) if is_authority_as_server(&error) => {
                self.verify_own(end_entity, server_name)
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

fn is_authority_as_server(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(OtherError(error))) = error else {
        return false;
    };
    matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::{ClientConnection, ServerConfig, ServerConnection};

    use super::super::client_config;

    /// Performs a handshake in memory. The server presents the certificate `own.pem`.
    fn handshake(trusted: &str, name: &'static str) -> Result<(), String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tls/certificates");
        let at = |file: &str| folder.join(file);
        let certificate = super::CertificateDer::from_pem_file(at("own.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(at("own.key")).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let mut server = ServerConnection::new(server.into()).unwrap();
        let client = client_config(Some(&at(trusted))).unwrap();
        let mut client = ClientConnection::new(client.into(), name.try_into().unwrap()).unwrap();
        while client.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut bytes.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            bytes.clear();
            server.write_tls(&mut bytes).unwrap();
            client.read_tls(&mut bytes.as_slice()).unwrap();
            client.process_new_packets().map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Case from the field 13.
    #[test]
    fn own_certificate_is_trusted_if_it_is_configured_and_has_the_name() {
        assert_eq!(handshake("own.pem", "registry.example"), Ok(()));
        let wrong_name = handshake("own.pem", "other.example").unwrap_err();
        assert!(wrong_name.contains("not valid for name"), "{wrong_name}");
        let unknown = handshake("other.pem", "registry.example").unwrap_err();
        assert!(unknown.contains("put this very certificate into the file"), "{unknown}");
    }
}
