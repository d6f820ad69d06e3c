//! rustls configurations that look at a source at every handshake.
//!
//! Sessions are not resumed: a resumed one would carry an identity that was verified against the authorities of some
//! time ago.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError,
    ServerConfig, SignatureScheme,
};
use webpki::KeyUsage;

use crate::id::SpiffeId;
use crate::source::Source;
use crate::verify::{Refused, id, verify};

/// Whether clients must show who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    /// They may, and who does not needs another proof later.
    Optional,
    /// Who does not is refused at the handshake.
    Required,
}

/// Makes configurations of a source.
#[derive(Clone)]
pub struct Tls {
    source: Arc<Source>,
    provider: Arc<CryptoProvider>,
}

impl Tls {
    /// With this source.
    #[must_use]
    pub fn new(source: Arc<Source>, provider: Arc<CryptoProvider>) -> Self {
        Self { source, provider }
    }

    /// For a listener. `shown` is what it shows in place of the SVID, if anything.
    ///
    /// # Errors
    /// The crypto provider lacks what TLS needs.
    pub fn server(
        &self,
        clients: Clients,
        shown: Option<Arc<dyn ResolvesServerCert>>,
    ) -> Result<ServerConfig, Error> {
        let peers = Peers { tls: self.clone(), expected: None, clients };
        let shown = shown.unwrap_or_else(|| Arc::new(Shown(self.source.clone())));
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::new(peers))
            .with_cert_resolver(shown);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// For calls to one workload, whatever its host is called.
    ///
    /// # Errors
    /// The crypto provider lacks what TLS needs.
    pub fn client(&self, expected: SpiffeId) -> Result<ClientConfig, Error> {
        let peers = Peers { tls: self.clone(), expected: Some(expected), clients: Clients::Required };
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(peers))
            .with_client_cert_resolver(Arc::new(Shown(self.source.clone())));
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// The id in a certificate that was verified in a handshake.
    #[must_use]
    pub fn verified(chain: &[CertificateDer<'_>]) -> Option<SpiffeId> {
        id(&webpki::EndEntityCert::try_from(chain.first()?).ok()?).ok()
    }

    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        usage: KeyUsage,
        expected: Option<&SpiffeId>,
    ) -> Result<SpiffeId, Refused> {
        let state = self.source.state().ok_or(Refused::NotReady)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let id = verify(&state.bundles, leaf, intermediates, now, usage, algorithms)?;
        match expected {
            Some(expected) if *expected != id => Err(Refused::Another(id)),
            Some(_) | None => Ok(id),
        }
    }
}

/// What we show.
struct Shown(Arc<Source>);

impl Shown {
    fn key(&self) -> Option<Arc<CertifiedKey>> {
        self.0.state().map(|state| state.svid.key.clone())
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.key()
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.key()
    }

    fn has_certs(&self) -> bool {
        self.0.state().is_some()
    }
}

/// Whom we accept.
struct Peers {
    tls: Tls,
    expected: Option<SpiffeId>,
    clients: Clients,
}

impl Peers {
    fn tls12(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.tls.provider.signature_verification_algorithms)
    }

    fn tls13(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.tls.provider.signature_verification_algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.tls.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The other side learns it by an alert; we write it down.
fn alert(side: &'static str, refused: Refused) -> Error {
    metrics::counter!("pdm_spiffe_refused_total", "side" => side, "reason" => refused.as_str()).increment(1);
    tracing::info!(side, reason = refused.as_str(), "a certificate is refused: {refused}");
    Error::InvalidCertificate(match refused {
        Refused::Expired => CertificateError::Expired,
        Refused::NotYet => CertificateError::NotValidYet,
        Refused::NotVouchedFor | Refused::UnknownDomain(_) => CertificateError::UnknownIssuer,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    })
}

impl ClientCertVerifier for Peers {
    fn client_auth_mandatory(&self) -> bool {
        self.clients == Clients::Required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let checked = self.tls.check(leaf, intermediates, now, KeyUsage::client_auth(), None);
        checked.map(|_| ClientCertVerified::assertion()).map_err(|refused| alert("client", refused))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ServerCertVerifier for Peers {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked =
            self.tls.check(leaf, intermediates, now, KeyUsage::server_auth(), self.expected.as_ref());
        checked.map(|_| ServerCertVerified::assertion()).map_err(|refused| alert("server", refused))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls12(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.tls13(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

impl fmt::Debug for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peers").field("expected", &self.expected).finish_non_exhaustive()
    }
}
