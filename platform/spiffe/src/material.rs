//! What PDM shows, and whom it trusts.

use std::collections::BTreeMap;
use std::sync::Arc;

use pdm_ports::{Class, Fault};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, TrustAnchor};
use rustls::sign::CertifiedKey;
use webpki::{EndEntityCert, anchor_from_trusted_cert};

use crate::der;
use crate::id::{SpiffeId, TrustDomain};
use crate::verify;

/// A certificate chain with its key, and what it says.
pub struct Svid {
    /// Who we are.
    pub id: SpiffeId,
    /// For rustls.
    pub(crate) key: Arc<CertifiedKey>,
    /// When it ends, in seconds since the epoch; none when the certificate does not say it readably.
    pub ends: Option<i64>,
}

impl Svid {
    /// From PEM: the chain with the leaf first, and its key.
    ///
    /// # Errors
    /// `spiffe-svid`: it makes no sense, or the key is another certificate's.
    pub fn from_pem(chain: &[u8], key: &[u8], provider: &CryptoProvider) -> Result<Self, Fault> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| wrong("the key is no PEM key"))?;
        Self::new(chain, key, provider)
    }

    /// From DER: certificates one after the other, and a key in PKCS #8.
    ///
    /// # Errors
    /// As [`Svid::from_pem`].
    pub fn from_der(chain: &[u8], key: &[u8], provider: &CryptoProvider) -> Result<Self, Fault> {
        let chain = der::split(chain).ok_or_else(|| wrong("the chain is cut off"))?;
        let key =
            PrivateKeyDer::try_from(key.to_vec()).map_err(|_| wrong("the key is none that is known"))?;
        Self::new(chain.into_iter().map(CertificateDer::from).collect(), key, provider)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        provider: &CryptoProvider,
    ) -> Result<Self, Fault> {
        let leaf = chain.first().ok_or_else(|| wrong("there is no certificate"))?;
        let parsed = EndEntityCert::try_from(leaf).map_err(|e| wrong(&e.to_string()))?;
        let id = verify::id(&parsed).map_err(|refused| wrong(&refused.to_string()))?;
        let ends = der::not_after(leaf);
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|e| wrong(&e.to_string()))?;
        Ok(Self { id, key: Arc::new(key), ends })
    }
}

/// The authorities of each trust domain.
#[derive(Default, Clone)]
pub struct Bundles(BTreeMap<TrustDomain, Vec<TrustAnchor<'static>>>);

impl Bundles {
    /// Add a trust domain from PEM.
    ///
    /// # Errors
    /// `spiffe-bundle`: no certificate, or one that is none.
    pub fn add_pem(&mut self, domain: TrustDomain, pem: &[u8]) -> Result<(), Fault> {
        self.add(domain, certificates(pem)?)
    }

    /// Add a trust domain from DER, certificates one after the other.
    ///
    /// # Errors
    /// As [`Bundles::add_pem`].
    pub fn add_der(&mut self, domain: TrustDomain, der: &[u8]) -> Result<(), Fault> {
        let all = der::split(der).ok_or_else(|| wrong("the bundle is cut off"))?;
        self.add(domain, all.into_iter().map(CertificateDer::from).collect())
    }

    fn add(&mut self, domain: TrustDomain, all: Vec<CertificateDer<'static>>) -> Result<(), Fault> {
        let bad = |why: &str| {
            Fault::new(Class::Rejected, "spiffe-bundle", format!("the bundle of {domain}: {why}"))
        };
        let anchors = all.iter().map(|one| anchor_from_trusted_cert(one).map(|anchor| anchor.to_owned()));
        let anchors = anchors.collect::<Result<Vec<_>, _>>().map_err(|e| bad(&e.to_string()))?;
        if anchors.is_empty() {
            return Err(bad("there is no certificate"));
        }
        self.0.insert(domain, anchors);
        Ok(())
    }

    pub(crate) fn of(&self, domain: &TrustDomain) -> Option<&[TrustAnchor<'static>]> {
        self.0.get(domain).map(Vec::as_slice)
    }

    /// The trust domains.
    pub fn domains(&self) -> impl Iterator<Item = &TrustDomain> {
        self.0.keys()
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong("a certificate is no PEM"))
}

fn wrong(why: &str) -> Fault {
    Fault::new(Class::Rejected, "spiffe-svid", why)
}
