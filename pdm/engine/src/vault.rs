//! Credentials of registrars at rest: sealed with AES-256-GCM under a key from a secret, or in memory only.
//!
//! A sealed text names its key, so that a store can be sealed anew while the old key still opens the rest. It is bound to
//! its allocation and registrar: moved to another row it does not open.
//!
//! With a [`Shelf`] (a vault of the platform) the text goes there, and the row in the store only says so. It is put there
//! before the store's transaction: if the process dies in between, the next try puts it again. A shelf protects what it
//! keeps by itself, so a key of ours is a second lock there and may be missing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pdm_ports::store::SealedCredential;
use pdm_ports::{Class, Fault, Shelf};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{hkdf, hmac};
use zeroize::{Zeroize as _, Zeroizing};

/// What a caller gave: named fields, not checked yet.
pub type Fields = BTreeMap<String, Zeroizing<String>>;

/// What a row says whose text is on the shelf.
const SHELVED: &str = "shelf";
/// Before a text that only the shelf protects.
const UNSEALED: &str = "0:";

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
    /// The first seals, all open; without any (and without a shelf) nothing leaves the memory.
    keys: Vec<SealKey>,
    shelf: Option<Arc<dyn Shelf>>,
    held: Mutex<HashMap<String, (String, Fields)>>,
}

impl Vault {
    /// The first key seals, all of them open. Without keys credentials stay in memory, and a restart asks for them again.
    #[must_use]
    pub fn new(keys: Vec<SealKey>) -> Self {
        Self { keys, shelf: None, held: Mutex::default() }
    }

    /// The same with texts on a shelf. What the store keeps already stays there until it is replaced or sealed anew.
    #[must_use]
    pub fn on_shelf(self, shelf: Arc<dyn Shelf>) -> Self {
        Self { shelf: Some(shelf), ..self }
    }

    /// Take a credential. What has to be stored is answered; nothing is when it stays in memory.
    ///
    /// # Errors
    /// `vault-key` when it cannot be sealed, or why the shelf does not take it.
    pub async fn keep(
        &self,
        allocation: &str,
        registrar: &str,
        fields: Fields,
    ) -> Result<Option<SealedCredential>, Fault> {
        if self.keys.is_empty() && self.shelf.is_none() {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            held.insert(allocation.to_owned(), (registrar.to_owned(), fields));
            return Ok(None);
        }
        let plain: BTreeMap<&str, &str> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let plain = serde_json::to_vec(&plain).map(Zeroizing::new).map_err(|_| unreadable())?;
        let (allocation, registrar) = (allocation.to_owned(), registrar.to_owned());
        self.store(SealedCredential { allocation, registrar, sealed: String::new() }, &plain).await.map(Some)
    }

    /// Seal and put where it belongs; what the row holds.
    async fn store(&self, row: SealedCredential, plain: &[u8]) -> Result<SealedCredential, Fault> {
        let text = match self.keys.first() {
            Some(key) => seal(key, &row.allocation, &row.registrar, plain)?,
            None => format!("{UNSEALED}{}", STANDARD_NO_PAD.encode(plain)),
        };
        let Some(shelf) = &self.shelf else { return Ok(SealedCredential { sealed: text, ..row }) };
        shelf.put(&row.allocation, &Zeroizing::new(text)).await?;
        Ok(SealedCredential { sealed: SHELVED.to_owned(), ..row })
    }

    /// The credential of an allocation for a registrar: from memory, or from what the store keeps.
    ///
    /// # Errors
    /// `credential-unreadable` when no key opens it, or why the shelf does not answer.
    pub async fn open(
        &self,
        allocation: &str,
        registrar: &str,
        stored: Option<&SealedCredential>,
    ) -> Result<Option<Fields>, Fault> {
        if let Some((whose, fields)) = self.in_memory(allocation) {
            return Ok((whose == registrar).then_some(fields));
        }
        let Some(stored) = stored.filter(|s| s.allocation == allocation && s.registrar == registrar) else {
            return Ok(None);
        };
        let Some(text) = self.text(stored).await? else { return Ok(None) };
        let plain = self.unseal(stored, &text)?;
        let fields: BTreeMap<String, String> = serde_json::from_slice(&plain).map_err(|_| unreadable())?;
        Ok(Some(fields.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect()))
    }

    fn in_memory(&self, allocation: &str) -> Option<(String, Fields)> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).get(allocation).cloned()
    }

    /// The sealed text of a row, from wherever it is; none when somebody took it off the shelf.
    async fn text(&self, stored: &SealedCredential) -> Result<Option<Zeroizing<String>>, Fault> {
        match &self.shelf {
            _ if stored.sealed != SHELVED => Ok(Some(Zeroizing::new(stored.sealed.clone()))),
            Some(shelf) => shelf.get(&stored.allocation).await,
            None => Err(Fault::new(
                Class::Credential,
                "credential-unreadable",
                "the credential is in OpenBao, and credentials.openbao is not configured",
            )),
        }
    }

    /// Seal with the first key what an older one opens, and put it where credentials belong now; none when it is so
    /// already, or when there is nothing.
    ///
    /// # Errors
    /// `credential-unreadable` when no key opens it, or why the shelf does not answer.
    pub async fn again(&self, stored: &SealedCredential) -> Result<Option<SealedCredential>, Fault> {
        let Some(text) = self.text(stored).await? else { return Ok(None) };
        let sealed_now = self.keys.first().is_none_or(|key| text.split(':').nth(1) == Some(key.id.as_str()));
        if sealed_now && (stored.sealed == SHELVED) == self.shelf.is_some() {
            return Ok(None);
        }
        let plain = self.unseal(stored, &text)?;
        self.store(stored.clone(), &plain).await.map(Some)
    }

    /// Forget a credential in memory and on the shelf. Before the row goes, so that nothing is left behind.
    ///
    /// # Errors
    /// Why the shelf does not answer.
    pub async fn forget(&self, allocation: &str) -> Result<(), Fault> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(allocation);
        match &self.shelf {
            Some(shelf) => shelf.remove(allocation).await,
            None => Ok(()),
        }
    }

    fn unseal(&self, stored: &SealedCredential, text: &str) -> Result<Zeroizing<Vec<u8>>, Fault> {
        if let Some(plain) = text.strip_prefix(UNSEALED).filter(|_| stored.sealed == SHELVED) {
            return STANDARD_NO_PAD.decode(plain).map(Zeroizing::new).map_err(|_| unreadable());
        }
        let mut parts = text.split(':');
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

    #[tokio::test]
    async fn a_sealed_credential_opens_with_its_key_at_its_place_only() {
        let vault = Vault::new(vec![key(1)]);
        let sealed = vault.keep("a", "ovh", fields()).await.unwrap().unwrap();
        assert!(!format!("{sealed:?} {}", sealed.sealed).contains("hunter2"));
        assert_eq!(
            token(vault.open("a", "ovh", Some(&sealed)).await.unwrap()).as_deref(),
            Some("hunter2-hunter2")
        );
        let moved = SealedCredential { allocation: "b".into(), ..sealed.clone() };
        assert_eq!(vault.open("b", "ovh", Some(&moved)).await.unwrap_err().code, "credential-unreadable");
        let other = Vault::new(vec![key(2)]);
        assert_eq!(other.open("a", "ovh", Some(&sealed)).await.unwrap_err().code, "credential-unreadable");
        for broken in ["", "1", "1:x", "1:::", "2:aa:bb"] {
            let broken = SealedCredential { sealed: broken.into(), ..sealed.clone() };
            assert!(vault.open("a", "ovh", Some(&broken)).await.is_err());
        }
    }

    #[tokio::test]
    async fn a_new_key_takes_over_and_the_old_one_goes() {
        let sealed = Vault::new(vec![key(1)]).keep("a", "ovh", fields()).await.unwrap().unwrap();
        let both = Vault::new(vec![key(2), key(1)]);
        let again = both.again(&sealed).await.unwrap().unwrap();
        assert_eq!(both.again(&again).await.unwrap(), None);
        let new = Vault::new(vec![key(2)]);
        assert!(new.open("a", "ovh", Some(&again)).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn without_a_key_nothing_leaves_the_memory() {
        let vault = Vault::new(vec![]);
        assert_eq!(vault.keep("a", "ovh", fields()).await.unwrap(), None);
        assert!(vault.open("a", "ovh", None).await.unwrap().is_some());
        assert!(vault.open("a", "other", None).await.unwrap().is_none());
        vault.forget("a").await.unwrap();
        assert!(vault.open("a", "ovh", None).await.unwrap().is_none());
    }

    #[derive(Default)]
    struct Board(Mutex<BTreeMap<String, String>>);

    #[async_trait::async_trait]
    impl Shelf for Board {
        async fn put(&self, id: &str, text: &str) -> Result<(), Fault> {
            self.0.lock().unwrap().insert(id.to_owned(), text.to_owned());
            Ok(())
        }

        async fn get(&self, id: &str) -> Result<Option<Zeroizing<String>>, Fault> {
            Ok(self.0.lock().unwrap().get(id).cloned().map(Zeroizing::new))
        }

        async fn remove(&self, id: &str) -> Result<(), Fault> {
            self.0.lock().unwrap().remove(id);
            Ok(())
        }
    }

    #[tokio::test]
    async fn on_a_shelf_the_row_holds_nothing_and_the_key_is_a_second_lock() {
        for keys in [vec![], vec![key(1)]] {
            let (locked, board) = (!keys.is_empty(), Arc::new(Board::default()));
            let vault = Vault::new(keys).on_shelf(board.clone());
            let row = vault.keep("a", "ovh", fields()).await.unwrap().unwrap();
            assert_eq!(row.sealed, SHELVED);
            let text = board.0.lock().unwrap()["a"].clone();
            assert_eq!(text.starts_with("1:"), locked, "{text}");
            assert_eq!(
                token(vault.open("a", "ovh", Some(&row)).await.unwrap()).as_deref(),
                Some("hunter2-hunter2")
            );
            assert_eq!(vault.again(&row).await.unwrap(), None);
            let without = Vault::new(vec![key(1)]).open("a", "ovh", Some(&row)).await;
            assert_eq!(without.unwrap_err().code, "credential-unreadable");
            vault.forget("a").await.unwrap();
            assert!(vault.open("a", "ovh", Some(&row)).await.unwrap().is_none());
        }
    }

    #[tokio::test]
    async fn what_the_store_kept_moves_to_the_shelf_when_it_is_sealed_anew() {
        let row = Vault::new(vec![key(1)]).keep("a", "ovh", fields()).await.unwrap().unwrap();
        let vault = Vault::new(vec![key(1)]).on_shelf(Arc::new(Board::default()));
        assert!(vault.open("a", "ovh", Some(&row)).await.unwrap().is_some());
        let moved = vault.again(&row).await.unwrap().unwrap();
        assert_eq!(moved.sealed, SHELVED);
        assert!(vault.open("a", "ovh", Some(&moved)).await.unwrap().is_some());
        // A row cannot claim to be protected by a shelf that it is not on.
        let forged = SealedCredential { sealed: "0:e30".into(), ..row };
        assert_eq!(vault.open("a", "ovh", Some(&forged)).await.unwrap_err().code, "credential-unreadable");
    }
}
