//! The audit log as a chain of hashes: how a place is computed, and how a chain is verified. Pure; the store seals by it,
//! and whoever verifies a log, on the command line or on a page, does it here.
//!
//! `digest = SHA-256(fields)`, `hash = SHA-256(hash of the place before || digest)`; the first place stands on 32 zero
//! octets. Fields are netstrings (`length:octets,`) of place, seq, time in milliseconds, actor, action, name or nothing,
//! result and detail, so that no two entries read the same. Two steps, so that an extract can leave out the content of
//! other people's entries and still prove its own.

use pdm_model::AuditEntry;
use ring::digest::{Context, SHA256};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::audit_store::{Checkpoint, Link};

/// The digest of an entry in its place, hexadecimal.
#[must_use]
pub fn digest(place: i64, entry: &AuditEntry) -> String {
    let fqdn = entry.fqdn.as_ref().map(ToString::to_string).unwrap_or_default();
    let numbers = [place.to_string(), entry.seq.to_string(), entry.at.0.to_string()];
    let texts = [&entry.actor, &entry.action, &fqdn, &entry.result, &entry.detail];
    let mut context = Context::new(&SHA256);
    for field in numbers.iter().chain(texts) {
        context.update(format!("{}:", field.len()).as_bytes());
        context.update(field.as_bytes());
        context.update(b",");
    }
    hex(context.finish().as_ref())
}

/// The hash of a place from the hash before (empty for the first) and its digest.
///
/// `None` when one of them is not 32 octets in hexadecimal.
#[must_use]
pub fn hash(before: &str, digest: &str) -> Option<String> {
    let before = if before.is_empty() { vec![0; 32] } else { hash_octets(before)? };
    let mut context = Context::new(&SHA256);
    context.update(&before);
    context.update(&hash_octets(digest)?);
    Some(hex(context.finish().as_ref()))
}

/// Check links that follow `(place, hash)`; answers the new end, or the first place that does not hold, and why.
fn verify(end: (i64, String), links: &[Link]) -> Result<(i64, String), (i64, String)> {
    links.iter().try_fold(end, |(place, before), link| {
        let wrong = |why: &str| Err((link.place, why.to_owned()));
        if link.place != place + 1 {
            return wrong("a place is missing before it");
        }
        if digest(link.place, &link.entry) != link.digest {
            return wrong("the entry was changed");
        }
        if hash(&before, &link.digest).as_deref() != Some(&*link.hash) {
            return wrong("it does not follow from the place before");
        }
        Ok((link.place, link.hash.clone()))
    })
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn hash_octets(text: &str) -> Option<Vec<u8>> {
    octets(text).filter(|octets| octets.len() == 32)
}

/// A text of hexadecimal pairs; none for anything else.
#[must_use]
pub fn octets(text: &str) -> Option<Vec<u8>> {
    (text.len().is_multiple_of(2) && text.is_ascii()).then_some(())?;
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

/// The first place that does not hold, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The place in the chain.
    pub place: i64,
    /// What is wrong with it.
    pub why: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "place {} does not hold: {}", self.place, self.why)
    }
}

/// Verifies a chain, page by page from its first place.
#[derive(Debug, Clone, Default)]
pub struct Verifier {
    place: i64,
    hash: String,
    signed: i64,
    key: Option<String>,
}

impl Verifier {
    /// With the public key, hexadecimal, that must have signed; with none, any key may have.
    #[must_use]
    pub fn new(key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..Self::default() }
    }

    /// The next links, and the checkpoints whose places are among them.
    ///
    /// # Errors
    /// The first place that does not hold.
    pub fn page(&mut self, links: &[Link], checkpoints: &[Checkpoint]) -> Result<(), Broken> {
        let end = (self.place, std::mem::take(&mut self.hash));
        let first = self.place + 1;
        (self.place, self.hash) = verify(end, links).map_err(|(place, why)| Broken { place, why })?;
        for checkpoint in checkpoints {
            let at = usize::try_from(checkpoint.place - first).ok().and_then(|index| links.get(index));
            self.checkpoint(checkpoint, at)
                .map_err(|why| Broken { place: checkpoint.place, why: format!("its checkpoint: {why}") })?;
        }
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint, at: Option<&Link>) -> Result<(), &'static str> {
        if at.is_none_or(|link| link.hash != checkpoint.hash) {
            return Err("its hash is not that of the chain");
        }
        if self.key.as_ref().is_some_and(|key| !key.eq_ignore_ascii_case(&checkpoint.key)) {
            return Err("another key signed it");
        }
        let text = Checkpoint::signed(checkpoint.place, checkpoint.at, &checkpoint.hash);
        let (Some(signer), Some(signature)) = (octets(&checkpoint.key), octets(&checkpoint.signature)) else {
            return Err("it is not hexadecimal");
        };
        UnparsedPublicKey::new(&ED25519, signer)
            .verify(text.as_bytes(), &signature)
            .map_err(|_| "the signature is wrong")?;
        self.signed = self.signed.max(checkpoint.place);
        Ok(())
    }

    /// The last place that holds.
    #[must_use]
    pub fn place(&self) -> i64 {
        self.place
    }
}

impl std::fmt::Display for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { place, hash, signed, .. } = self;
        write!(f, "{place} entries hold, the last with hash {hash}; signed up to place {signed}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::{Timestamp, ZoneName};
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    fn links(count: i64) -> Vec<Link> {
        let mut before = String::new();
        (1..=count)
            .map(|place| {
                let fqdn = ZoneName::parse("a.example").unwrap();
                let entry = AuditEntry {
                    seq: place * 2,
                    at: Timestamp(place),
                    ..AuditEntry::new("me", "do", &fqdn, "ä")
                };
                let digest = digest(place, &entry);
                let hash = hash(&before, &digest).unwrap();
                before.clone_from(&hash);
                Link { place, entry, digest, hash }
            })
            .collect()
    }

    #[test]
    fn every_change_of_a_chain_is_seen_at_its_place() {
        let good = links(5);
        assert_eq!(verify((0, String::new()), &good).unwrap(), (5, good[4].hash.clone()));
        type Change = fn(&mut Vec<Link>);
        let changes: [(i64, Change); 5] = [
            (3, |l| l[2].entry.detail = "b".to_owned()),
            (3, |l| l[2].digest = digest(3, &l[1].entry)),
            (3, |l| l[2].hash = l[1].hash.clone()),
            (4, |l| drop(l.remove(2))),
            (4, |l| l.swap(2, 3)),
        ];
        for (at, change) in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert_eq!(verify((0, String::new()), &bad).unwrap_err().0, at);
        }
    }

    #[test]
    fn fields_cannot_run_into_each_other() {
        let mut one = links(1).remove(0).entry;
        let mut other = one.clone();
        (one.actor, one.action) = ("ab".to_owned(), "c".to_owned());
        (other.actor, other.action) = ("a".to_owned(), "bc".to_owned());
        assert_ne!(digest(1, &one), digest(1, &other));
        assert_eq!(hash("zz", &digest(1, &one)), None);
    }

    #[test]
    fn a_chain_is_verified_in_pages_with_its_signatures() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let (all, key) = (links(5), hex(pair.public_key().as_ref()));
        let sign = |place: i64| {
            let hash = all[usize::try_from(place - 1).unwrap()].hash.clone();
            let text = Checkpoint::signed(place, Timestamp(9), &hash);
            let signature = hex(pair.sign(text.as_bytes()).as_ref());
            Checkpoint { place, at: Timestamp(9), hash, key: key.clone(), signature }
        };
        let mut verifier = Verifier::new(Some(&key));
        verifier.page(&all[..3], &[sign(2)]).unwrap();
        verifier.page(&all[3..], &[sign(5)]).unwrap();
        assert!(
            verifier.to_string().starts_with("5 entries hold") && verifier.to_string().ends_with("place 5")
        );
        let refused = |key: Option<&str>, checkpoint: Checkpoint| {
            Verifier::new(key).page(&all, &[checkpoint]).unwrap_err().place
        };
        assert_eq!(refused(Some("00"), sign(3)), 3);
        assert_eq!(refused(None, Checkpoint { at: Timestamp(8), ..sign(3) }), 3);
        assert_eq!(refused(None, Checkpoint { place: 9, ..sign(3) }), 9);
        assert_eq!(refused(None, Checkpoint { signature: "zz".to_owned(), ..sign(3) }), 3);
    }
}
