//! TLS towards mail hosts: with any certificate, or with one that must verify.
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What to do about TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    /// Use it where it is offered; any certificate will do.
    Opportunistic,
    /// Do not, because the handshake failed before.
    Off,
    /// Only with it; any certificate will do.
    Required,
    /// Only with it, and with a certificate that verifies.
    Verified,
}

/// Both ways to shake hands. One for the process: sessions with a host are resumed.
pub(super) struct Handshakes {
    any: TlsConnector,
    verified: TlsConnector,
}

impl std::fmt::Debug for Handshakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshakes").finish_non_exhaustive()
    }
}

impl Handshakes {
    pub(super) fn new() -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let versions = || ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let any = versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider.clone())))
            .with_no_client_auth();
        let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        let verified = versions()?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { any: TlsConnector::from(Arc::new(any)), verified: TlsConnector::from(Arc::new(verified)) })
    }

    /// Shakes hands with `host`, a name or an address.
    pub(super) async fn begin(&self, socket: TcpStream, host: &str, how: Tls) -> std::io::Result<TlsStream<TcpStream>> {
        let connector = if how == Tls::Verified { &self.verified } else { &self.any };
        let name = match ServerName::try_from(host.to_owned()) {
            Ok(name) => name,
            // A name that no certificate could have, such as one with an underscore.
            Err(_) if how != Tls::Verified => ServerName::from(socket.peer_addr()?.ip()),
            Err(error) => return Err(std::io::Error::other(error)),
        };
        connector.connect(name, socket).await
    }
}

/// Takes every certificate. Without DANE or MTA-STS nothing says whose it should be (RFC 7435); what the peer signs in the
/// handshake must fit it all the same.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
