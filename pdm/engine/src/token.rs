//! Reservation tokens: HMAC(key, allocation id). Recomputed, never stored, never listed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use crate::audits::Signer;

/// Makes and checks reservation tokens.
pub struct TokenKey(hmac::Key);

impl TokenKey {
    /// From at least 32 secret octets.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Signs checkpoints of the audit log, with a key made from this one.
    #[must_use]
    pub fn signer(&self) -> Signer {
        Signer::new(hmac::sign(&self.0, b"pdm audit log checkpoint").as_ref())
    }

    /// The token of an allocation.
    #[must_use]
    pub fn token(&self, allocation: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, allocation.as_bytes()).as_ref())
    }

    /// The 128-bit token of a challenge that is bound to this text.
    #[must_use]
    pub fn challenge(&self, bound_to: &str) -> String {
        let whole = hmac::sign(&self.0, bound_to.as_bytes());
        URL_SAFE_NO_PAD.encode(&whole.as_ref()[..16])
    }

    /// The label of nameserver names that are issued for a claim that is bound to this text.
    #[must_use]
    pub fn issued_label(&self, bound_to: &str) -> String {
        let whole = hmac::sign(&self.0, format!("issued nameservers\n{bound_to}").as_bytes());
        whole.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether `token` belongs to the allocation; in constant time.
    #[must_use]
    pub fn fits(&self, allocation: &str, token: &str) -> bool {
        URL_SAFE_NO_PAD
            .decode(token.trim())
            .is_ok_and(|given| hmac::verify(&self.0, allocation.as_bytes(), &given).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_its_own_allocation_only() {
        let key = TokenKey::new(&[7; 32]);
        let token = key.token("a");
        assert!(key.fits("a", &token));
        assert!(!key.fits("b", &token));
        assert!(!TokenKey::new(&[8; 32]).fits("a", &token));
        assert!(!key.fits("a", "") && !key.fits("a", "%%%"));
    }
}
