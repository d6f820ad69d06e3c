//! Credentials of registrars at rest: sealed with AES-256-GCM under a key from a secret, or in memory only.
//!
//! A sealed text names its key, so that a store can be sealed anew while the old key still opens the rest. It is bound to
//! its allocation and registrar: moved to another row it does not open.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pdm_ports::store::SealedCredential;
use pdm_ports::{Class, Fault};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{hkdf, hmac};
use zeroize::{Zeroize as _, Zeroizing};

/// What a caller gave: named fields, not checked yet.
pub type Fields = BTreeMap<String, Zeroizing<String>>;

/// A key that seals.
pub struct SealKey {
    id: String,
    key: LessSafeKey,
}

impl SealKey {
    /// From at least 32 secret octets.
    ///
    /// # Errors
    /// `vault-key` when the secret cannot make a key.
    pub fn new(secret: &[u8]) -> Result<Self, Fault> {
        let bad = || Fault::new(Class::Rejected, "vault-key", "the key of credentials cannot be used");
        if secret.len() < 32 {
            return Err(bad());
        }
        let drawn = hkdf::Salt::new(hkdf::HKDF_SHA256, b"pdm credentials").extract(secret);
        let key = drawn.expand(&[b"seal"], &AES_256_GCM).map_err(|_| bad())?;
        let name =
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"pdm credentials: name of the key");
        let id: String = name.as_ref().iter().take(4).map(|b| format!("{b:02x}")).collect();
        Ok(Self { id, key: LessSafeKey::new(UnboundKey::from(key)) })
    }
}

/// Keeps credentials until they are no longer needed.
pub struct Vault {
    /// The first seals, all open; without any, nothing leaves the memory.
    keys: Vec<SealKey>,
    held: Mutex<HashMap<String, (String, Fields)>>,
}

impl Vault {
    /// The first key seals, all of them open. Without keys credentials stay in memory, and a restart asks for them again.
    #[must_use]
    pub fn new(keys: Vec<SealKey>) -> Self {
        Self { keys, held: Mutex::default() }
    }

    /// Take a credential. What has to be stored is answered; nothing is when it stays in memory.
    ///
    /// # Errors
    /// `vault-key` when it cannot be sealed.
    pub fn keep(
        &self,
        allocation: &str,
        registrar: &str,
        fields: Fields,
    ) -> Result<Option<SealedCredential>, Fault> {
        let Some(key) = self.keys.first() else {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.insert(allocation.to_owned(), (registrar.to_owned(), fields));
            return Ok(None);
        };
        let plain: BTreeMap<&str, &str> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let plain = serde_json::to_vec(&plain).map(Zeroizing::new).map_err(|_| unreadable())?;
        let sealed = seal(key, allocation, registrar, &plain)?;
        Ok(Some(SealedCredential {
            allocation: allocation.to_owned(),
            registrar: registrar.to_owned(),
            sealed,
        }))
    }

    /// The credential of an allocation for a registrar: from memory, or from what the store keeps.
    ///
    /// # Errors
    /// `credential-unreadable` when no key opens it.
    pub fn open(
        &self,
        allocation: &str,
        registrar: &str,
        stored: Option<&SealedCredential>,
    ) -> Result<Option<Fields>, Fault> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((whose, fields)) = held.get(allocation) {
            return Ok((whose == registrar).then(|| fields.clone()));
        }
        drop(held);
        let Some(stored) = stored.filter(|s| s.allocation == allocation && s.registrar == registrar) else {
            return Ok(None);
        };
        let plain = self.unseal(stored)?;
        let fields: BTreeMap<String, String> = serde_json::from_slice(&plain).map_err(|_| unreadable())?;
        Ok(Some(fields.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect()))
    }

    /// Seal with the first key what an older one opens; none when it is so already.
    ///
    /// # Errors
    /// `credential-unreadable` when no key opens it.
    pub fn again(&self, stored: &SealedCredential) -> Result<Option<SealedCredential>, Fault> {
        let first = self.keys.first().ok_or_else(unreadable)?;
        if stored.sealed.split(':').nth(1) == Some(first.id.as_str()) {
            return Ok(None);
        }
        let plain = self.unseal(stored)?;
        let sealed = seal(first, &stored.allocation, &stored.registrar, &plain)?;
        Ok(Some(SealedCredential { sealed, ..stored.clone() }))
    }

    /// Forget what is in memory.
    pub fn forget(&self, allocation: &str) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(allocation);
    }

    fn unseal(&self, stored: &SealedCredential) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let mut parts = stored.sealed.split(':');
        let (version, id, text) = (parts.next(), parts.next(), parts.next());
        let key = self.keys.iter().find(|key| version == Some("1") && Some(key.id.as_str()) == id);
        let (key, text) = key.zip(text).ok_or_else(unreadable)?;
        let mut octets = STANDARD_NO_PAD.decode(text).map_err(|_| unreadable())?;
        if octets.len() < NONCE_LEN {
            return Err(unreadable());
        }
        let mut sealed = octets.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&octets).map_err(|_| unreadable())?;
        let about = bound(&stored.allocation, &stored.registrar);
        let plain = key.key.open_in_place(nonce, Aad::from(about.as_bytes()), &mut sealed);
        let plain = Zeroizing::new(plain.map_err(|_| unreadable())?.to_vec());
        sealed.zeroize();
        Ok(plain)
    }
}

fn seal(key: &SealKey, allocation: &str, registrar: &str, plain: &[u8]) -> Result<String, Fault> {
    let failed = || Fault::new(Class::Bug, "vault-key", "the credential could not be sealed");
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).map_err(|_| failed())?;
    let mut text = plain.to_vec();
    let about = bound(allocation, registrar);
    key.key
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(about.as_bytes()), &mut text)
        .map_err(|_| failed())?;
    let octets: Vec<u8> = nonce.iter().chain(&text).copied().collect();
    Ok(format!("1:{}:{}", key.id, STANDARD_NO_PAD.encode(octets)))
}

fn bound(allocation: &str, registrar: &str) -> String {
    format!("{allocation}\n{registrar}")
}

fn unreadable() -> Fault {
    Fault::new(Class::Credential, "credential-unreadable", "no configured key opens the stored credential")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        Fields::from([("token".to_owned(), Zeroizing::new("hunter2-hunter2".to_owned()))])
    }

    fn key(byte: u8) -> SealKey {
        SealKey::new(&[byte; 32]).unwrap()
    }

    fn token(fields: Option<Fields>) -> Option<String> {
        fields.map(|f| f["token"].to_string())
    }

    #[test]
    fn a_sealed_credential_opens_with_its_key_at_its_place_only() {
        let vault = Vault::new(vec![key(1)]);
        let sealed = vault.keep("a", "ovh", fields()).unwrap().unwrap();
        assert!(!format!("{sealed:?} {}", sealed.sealed).contains("hunter2"));
        assert_eq!(token(vault.open("a", "ovh", Some(&sealed)).unwrap()).as_deref(), Some("hunter2-hunter2"));
        let moved = SealedCredential { allocation: "b".into(), ..sealed.clone() };
        assert_eq!(vault.open("b", "ovh", Some(&moved)).unwrap_err().code, "credential-unreadable");
        let other = Vault::new(vec![key(2)]);
        assert_eq!(other.open("a", "ovh", Some(&sealed)).unwrap_err().code, "credential-unreadable");
        for broken in ["", "1", "1:x", "1:::", "2:aa:bb"] {
            let broken = SealedCredential { sealed: broken.into(), ..sealed.clone() };
            assert!(vault.open("a", "ovh", Some(&broken)).is_err());
        }
    }

    #[test]
    fn a_new_key_takes_over_and_the_old_one_goes() {
        let sealed = Vault::new(vec![key(1)]).keep("a", "ovh", fields()).unwrap().unwrap();
        let both = Vault::new(vec![key(2), key(1)]);
        let again = both.again(&sealed).unwrap().unwrap();
        assert_eq!(both.again(&again).unwrap(), None);
        let new = Vault::new(vec![key(2)]);
        assert!(new.open("a", "ovh", Some(&again)).unwrap().is_some());
    }

    #[test]
    fn without_a_key_nothing_leaves_the_memory() {
        let vault = Vault::new(vec![]);
        assert_eq!(vault.keep("a", "ovh", fields()).unwrap(), None);
        assert!(vault.open("a", "ovh", None).unwrap().is_some());
        assert!(vault.open("a", "other", None).unwrap().is_none());
        vault.forget("a");
        assert!(vault.open("a", "ovh", None).unwrap().is_none());
    }
}
