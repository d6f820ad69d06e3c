//! Looks that were found good before. A judgement depends on nothing but what should be, what was answered, and the time:
//! the same answers are good again as long as all their signatures hold, and need no arithmetic.

use std::collections::HashMap;

use pdm_dnssec::{Answer, SignedSet};
use pdm_model::DsRecord;
use ring::digest::{Context, SHA256};

/// Looks remembered in each of two generations; together some two megabytes, however many names there are.
const ROOM: usize = 16_384;

/// What was judged, as one number.
pub(super) type Digest = [u8; 32];

/// Good looks, and until when. What was not seen in the last generation is forgotten with it.
#[derive(Default)]
pub(crate) struct Known {
    young: HashMap<Digest, u32>,
    old: HashMap<Digest, u32>,
}

impl Known {
    /// Whether it was good, and at `now` still is.
    pub(super) fn is_good(&mut self, digest: &Digest, now: u32) -> bool {
        let until = match self.young.get(digest) {
            Some(until) => *until,
            None => match self.old.remove(digest) {
                Some(until) => {
                    self.keep(*digest, until);
                    until
                }
                None => return false,
            },
        };
        // RFC 1982 arithmetic, as signatures count.
        until.wrapping_sub(now) < 0x8000_0000
    }

    /// It is good until then.
    pub(super) fn keep(&mut self, digest: Digest, until: u32) {
        if self.young.len() >= ROOM {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, until);
    }
}

/// Everything that a judgement depends on, put into one digest.
pub(super) struct Judged {
    context: Context,
    /// The first end of a signature in it.
    until: Option<u32>,
}

impl Judged {
    pub(super) fn new() -> Self {
        Self { context: Context::new(&SHA256), until: None }
    }

    fn part(&mut self, octets: &[u8]) {
        // Lengths keep the boundary between the parts unambiguous.
        self.context.update(&octets.len().to_be_bytes());
        self.context.update(octets);
    }

    /// DS records from which keys are trusted.
    pub(super) fn trust<'a>(&mut self, ds: impl ExactSizeIterator<Item = &'a DsRecord>) {
        self.part(&ds.len().to_be_bytes());
        for one in ds {
            self.part(one.to_string().as_bytes());
        }
    }

    /// A set with its signatures.
    pub(super) fn set(&mut self, set: &SignedSet) {
        self.part(set.owner.wire());
        self.part(&set.rtype.to_be_bytes());
        self.part(&set.ttl.to_be_bytes());
        self.part(&set.records.len().to_be_bytes());
        set.records.iter().for_each(|rdata| self.part(rdata));
        self.part(&set.signatures.len().to_be_bytes());
        for signature in &set.signatures {
            self.part(&[signature.algorithm, signature.labels]);
            let numbers = [signature.original_ttl, signature.expiration, signature.inception];
            numbers.iter().for_each(|number| self.part(&number.to_be_bytes()));
            self.part(&signature.key_tag.to_be_bytes());
            self.part(signature.signer.wire());
            self.part(&signature.octets);
            let end = signature.expiration;
            let first = self.until.is_none_or(|until| until.wrapping_sub(end) < 0x8000_0000);
            self.until = if first { Some(end) } else { self.until };
        }
    }

    /// Everything in a reply that could be signed.
    pub(super) fn answer(&mut self, answer: &Answer) {
        self.part(&answer.rcode.to_be_bytes());
        for section in [&answer.answers, &answer.authorities] {
            self.part(&section.len().to_be_bytes());
            section.iter().for_each(|set| self.set(set));
        }
    }

    /// The digest, and until when a good judgement holds; none without any signature.
    pub(super) fn finish(self) -> Option<(Digest, u32)> {
        let mut digest = [0u8; 32];
        digest.copy_from_slice(self.context.finish().as_ref());
        Some((digest, self.until?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_dnssec::{Name, Signature, rtype};

    fn set(last: u8, expiration: u32, octets: &[u8]) -> SignedSet {
        let owner = Name::parse("a.example.").unwrap();
        let signature = Signature {
            algorithm: 13,
            labels: 2,
            original_ttl: 60,
            expiration,
            inception: 0,
            key_tag: 7,
            signer: Name::parse("example.").unwrap(),
            octets: octets.to_vec(),
        };
        SignedSet {
            owner,
            rtype: rtype::A,
            ttl: 60,
            records: vec![vec![192, 0, 2, last]],
            signatures: vec![signature],
        }
    }

    fn judged(sets: &[SignedSet]) -> (Digest, u32) {
        let mut judged = Judged::new();
        sets.iter().for_each(|set| judged.set(set));
        judged.finish().unwrap()
    }

    #[test]
    fn the_same_is_good_until_the_first_signature_ends_and_anything_else_is_not_known() {
        let mut known = Known::default();
        let (digest, until) = judged(&[set(1, 900, b"x"), set(2, 500, b"y")]);
        assert_eq!(until, 500);
        assert!(!known.is_good(&digest, 400), "not seen before");
        known.keep(digest, until);
        assert!(known.is_good(&digest, 400) && known.is_good(&digest, 500));
        assert!(!known.is_good(&digest, 501), "expired meanwhile");
        for other in [
            [set(1, 900, b"x"), set(3, 500, b"y")],
            [set(1, 900, b"x"), set(2, 500, b"z")],
            [set(1, 900, b"x"), set(2, 501, b"y")],
            [set(2, 500, b"y"), set(1, 900, b"x")],
        ] {
            assert!(!known.is_good(&judged(&other).0, 400));
        }
        assert_eq!(Judged::new().finish(), None, "what nothing signs is never good");
    }

    #[test]
    fn it_stays_small_and_keeps_what_comes_again() {
        let mut known = Known::default();
        let digest = |n: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&n.to_be_bytes());
            digest
        };
        for n in 0..5 * ROOM {
            known.keep(digest(n), 10);
            assert!(known.is_good(&digest(0), 5), "asked for all the time");
        }
        assert!(known.young.len() <= ROOM && known.old.len() <= ROOM);
        assert!(!known.is_good(&digest(1), 5), "not seen for long");
    }
}
