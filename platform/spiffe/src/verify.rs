//! Is this certificate an SVID of a trust domain that we know? (X509-SVID, section 5.)

use std::fmt;

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use crate::id::{SpiffeId, TrustDomain};
use crate::material::Bundles;

/// Why a certificate is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It is no SVID.
    NotAnSvid(&'static str),
    /// We have no authorities of its trust domain.
    UnknownDomain(TrustDomain),
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYet,
    /// No authority of its trust domain vouches for it.
    NotVouchedFor,
    /// It is somebody else's.
    Another(SpiffeId),
    /// Anything else that webpki finds.
    Invalid(Error),
    /// Nothing is known yet of whom to trust.
    NotReady,
}

impl Refused {
    /// The word in metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotAnSvid(_) => "not-an-svid",
            Self::UnknownDomain(_) => "unknown-trust-domain",
            Self::Expired => "expired",
            Self::NotYet => "not-yet-valid",
            Self::NotVouchedFor => "not-vouched-for",
            Self::Another(_) => "another-id",
            Self::Invalid(_) => "invalid",
            Self::NotReady => "not-ready",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnSvid(why) => write!(f, "the certificate is no SVID: {why}"),
            Self::UnknownDomain(domain) => write!(f, "the trust domain {domain} is not known here"),
            Self::Expired => f.write_str("the certificate has expired"),
            Self::NotYet => f.write_str("the certificate is not valid yet"),
            Self::NotVouchedFor => {
                f.write_str("no authority of its trust domain vouches for the certificate")
            }
            Self::Another(id) => write!(f, "the certificate is that of {id}"),
            Self::Invalid(error) => write!(f, "the certificate is not valid: {error}"),
            Self::NotReady => f.write_str("nobody is trusted yet"),
        }
    }
}

impl std::error::Error for Refused {}

/// The one id that an SVID has.
pub(crate) fn id(leaf: &EndEntityCert<'_>) -> Result<SpiffeId, Refused> {
    let mut names = leaf.valid_uri_names();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(Refused::NotAnSvid("it does not have exactly one URI as subject alternative name"));
    };
    name.parse().map_err(Refused::NotAnSvid)
}

/// Verify a chain against the authorities of the trust domain that its leaf names, and no other.
pub(crate) fn verify(
    bundles: &Bundles,
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
    usage: KeyUsage,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<SpiffeId, Refused> {
    let parsed = EndEntityCert::try_from(leaf).map_err(Refused::Invalid)?;
    let id = id(&parsed)?;
    let anchors = bundles.of(id.domain()).ok_or_else(|| Refused::UnknownDomain(id.domain().clone()))?;
    let path = parsed.verify_for_usage(algorithms, anchors, intermediates, now, usage, None, None);
    match path {
        Ok(_) => Ok(id),
        Err(Error::CertExpired { .. }) => Err(Refused::Expired),
        Err(Error::CertNotValidYet { .. }) => Err(Refused::NotYet),
        Err(Error::UnknownIssuer | Error::InvalidSignatureForPublicKey) => Err(Refused::NotVouchedFor),
        Err(Error::CaUsedAsEndEntity) => Err(Refused::NotAnSvid("it is an authority's")),
        Err(other) => Err(Refused::Invalid(other)),
    }
}
