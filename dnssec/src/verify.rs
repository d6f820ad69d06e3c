//! One signature over one RRset (RFC 4035 section 5.3), and the first thing that is wrong with it.

use std::collections::HashSet;

use hickory_proto::dnssec::{Algorithm, PublicKey as _, PublicKeyBuf};
use pdm_model::Timestamp;
use ring::digest;

use crate::answer::{Signature, SignedSet};
use crate::ds::Dnskey;
use crate::name::Name;

/// Public-key operations spent on one RRset at most: colliding key tags must not buy work (CVE-2023-50387).
const MAX_ATTEMPTS: usize = 8;
/// Verified triples kept; then the set starts anew, so that it stays small.
const MAX_VERIFIED: usize = 4096;

/// What is wrong. The order is that of the checks: of several failed signatures the one that came furthest explains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Broken {
    /// Nothing signs the RRset.
    #[error("{owner} type {rtype} has no signature")]
    NoSignature {
        /// Owner.
        owner: Name,
        /// Type number.
        rtype: u16,
    },
    /// Signed by another zone.
    #[error("the signature is by {signer}, it must be by {zone}")]
    WrongSigner {
        /// Who signed.
        signer: Name,
        /// Who should have.
        zone: Name,
    },
    /// The owner lies outside the zone, or has fewer labels than were signed (RFC 4035 5.3.1).
    #[error("the signature over {0} cannot belong to that name")]
    WrongOwner(Name),
    /// An algorithm that ring does not know, or that is not trusted any more.
    #[error("algorithm {0} is not supported")]
    Algorithm(u8),
    /// The zone has no such key.
    #[error("there is no key {tag} of algorithm {algorithm} in {zone}; its keys are {keys:?}")]
    NoKey {
        /// Key tag of the signature.
        tag: u16,
        /// Algorithm of the signature.
        algorithm: u8,
        /// The zone.
        zone: Name,
        /// Tags of its keys.
        keys: Vec<u16>,
    },
    /// Over.
    #[error("the signature by key {tag} expired at {}", time(.at))]
    Expired {
        /// Key tag.
        tag: u16,
        /// Expiration, seconds.
        at: u32,
    },
    /// Not begun.
    #[error("the signature by key {tag} is not valid before {}", time(.at))]
    NotYetValid {
        /// Key tag.
        tag: u16,
        /// Inception, seconds.
        at: u32,
    },
    /// The answered TTL is longer than the signed one (RFC 4035 5.3.3).
    #[error("the TTL {ttl} is larger than the signed TTL {signed}")]
    Ttl {
        /// As answered.
        ttl: u32,
        /// As signed.
        signed: u32,
    },
    /// The octets do not verify.
    #[error("the signature by key {tag} over {owner} type {rtype} does not verify")]
    BadSignature {
        /// Key tag.
        tag: u16,
        /// Owner.
        owner: Name,
        /// Type number.
        rtype: u16,
    },
    /// No DS that could be trusted: none at all, or only unknown digests and algorithms.
    #[error("{0} has no DS of a supported digest and algorithm")]
    NoDs(Name),
    /// The chain ends here.
    #[error("no DS of {zone} ({ds:?}) matches one of its keys ({keys:?})")]
    DsMatchesNoKey {
        /// The zone.
        zone: Name,
        /// Tags of the DS records.
        ds: Vec<u16>,
        /// Tags of the keys.
        keys: Vec<u16>,
    },
    /// NSEC or NSEC3 records that should prove absence are missing or prove something else.
    #[error("no signed NSEC or NSEC3 record proves that {name} {what}")]
    NotDenied {
        /// Which name.
        name: Name,
        /// What had to be proved.
        what: &'static str,
    },
    /// More hashing than RFC 9276 3.2 lets a zone ask for.
    #[error("NSEC3 with {0} iterations")]
    Iterations(u16),
}

fn time(seconds: &u32) -> Timestamp {
    Timestamp(i64::from(*seconds) * 1000)
}

/// Triples of RRset, signature and key that were verified before. Signatures are deterministic facts: the same octets
/// from another server need no second look. What depends on the time is checked each time.
#[derive(Debug, Default)]
pub struct Verified {
    seen: HashSet<[u8; 32]>,
    /// Public-key operations done, for tests and measurements.
    pub operations: u64,
}

impl Verified {
    fn check(&mut self, key: &Dnskey, signed: &[u8], signature: &Signature) -> bool {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [key.rdata(), &signature.octets] {
            // Lengths keep the boundary between the parts unambiguous.
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        context.update(signed);
        let mut id = [0u8; 32];
        id.copy_from_slice(context.finish().as_ref());
        if self.seen.contains(&id) {
            return true;
        }
        self.operations += 1;
        let algorithm = Algorithm::from_u8(key.algorithm());
        let good =
            PublicKeyBuf::new(key.public_key().to_vec(), algorithm).verify(signed, &signature.octets).is_ok();
        if good {
            if self.seen.len() >= MAX_VERIFIED {
                self.seen.clear();
            }
            self.seen.insert(id);
        }
        good
    }
}

/// Keys of one zone that may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// The zone.
    pub zone: Name,
    /// Its keys; only those that may sign.
    pub keys: Vec<Dnskey>,
}

impl KeySet {
    /// The keys of a DNSKEY RRset that may sign. Says nothing about trust.
    #[must_use]
    pub fn of(set: &SignedSet) -> Self {
        let keys = set.records.iter().filter_map(|r| Dnskey::from_rdata(r)).filter(Dnskey::may_sign);
        Self { zone: set.owner.clone(), keys: keys.collect() }
    }

    /// Their tags.
    #[must_use]
    pub fn tags(&self) -> Vec<u16> {
        self.keys.iter().map(Dnskey::key_tag).collect()
    }
}

/// True for the algorithms that are trusted: RSA with SHA-2, ECDSA, Ed25519 (RFC 8624; ring has no Ed448).
#[must_use]
pub fn supported(algorithm: u8) -> bool {
    matches!(algorithm, 8 | 10 | 13 | 14 | 15)
}

/// How the owner name came to its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It stands in the zone.
    Exact,
    /// It was made from `*` under this name, the closest encloser (RFC 4592 3.3.1).
    Wildcard(Name),
}

/// Verify `set` with `keys` at `now` (seconds, RFC 1982 arithmetic).
///
/// # Errors
/// The [`Broken`] of the signature that came furthest.
pub fn verify(set: &SignedSet, keys: &KeySet, now: u32, verified: &mut Verified) -> Result<Origin, Broken> {
    let mut worst = Broken::NoSignature { owner: set.owner.clone(), rtype: set.rtype };
    let mut attempts = 0;
    for signature in &set.signatures {
        match verify_one(set, signature, keys, now, &mut attempts, verified) {
            Ok(origin) => return Ok(origin),
            Err(broken) => worst = worst.max(broken),
        }
    }
    Err(worst)
}

fn verify_one(
    set: &SignedSet,
    signature: &Signature,
    keys: &KeySet,
    now: u32,
    attempts: &mut usize,
    verified: &mut Verified,
) -> Result<Origin, Broken> {
    // RFC 4035 5.3.1, in its order.
    if signature.signer != keys.zone {
        return Err(Broken::WrongSigner { signer: signature.signer.clone(), zone: keys.zone.clone() });
    }
    let (depth, labels) = (set.owner.signed_depth(), usize::from(signature.labels));
    if !set.owner.is_at_or_below(&keys.zone) || labels > depth || labels < keys.zone.depth() {
        return Err(Broken::WrongOwner(set.owner.clone()));
    }
    if !supported(signature.algorithm) {
        return Err(Broken::Algorithm(signature.algorithm));
    }
    let fits = |key: &&Dnskey| key.algorithm() == signature.algorithm && key.key_tag() == signature.key_tag;
    let (tag, algorithm) = (signature.key_tag, signature.algorithm);
    if !keys.keys.iter().any(|key| fits(&key)) {
        return Err(Broken::NoKey { tag, algorithm, zone: keys.zone.clone(), keys: keys.tags() });
    }
    if is_before(signature.expiration, now) {
        return Err(Broken::Expired { tag, at: signature.expiration });
    }
    if is_before(now, signature.inception) {
        return Err(Broken::NotYetValid { tag, at: signature.inception });
    }
    if set.ttl > signature.original_ttl {
        return Err(Broken::Ttl { ttl: set.ttl, signed: signature.original_ttl });
    }
    let bad = || Broken::BadSignature { tag, owner: set.owner.clone(), rtype: set.rtype };
    let (owner, origin) = if labels < depth {
        let encloser = set.owner.trimmed(labels);
        (encloser.wildcard().ok_or_else(bad)?, Origin::Wildcard(encloser))
    } else {
        (set.owner.clone(), Origin::Exact)
    };
    let signed = signed_data(&owner, set, signature);
    for key in keys.keys.iter().filter(fits) {
        *attempts += 1;
        if *attempts > MAX_ATTEMPTS {
            break;
        }
        if verified.check(key, &signed, signature) {
            return Ok(origin);
        }
    }
    Err(bad())
}

/// The octets that are signed (RFC 4034 3.1.8.1): RRSIG RDATA without the signature, then each record.
#[must_use]
pub fn signed_data(owner: &Name, set: &SignedSet, signature: &Signature) -> Vec<u8> {
    let fixed = owner.wire().len() + 10;
    let size: usize = set.records.iter().map(|r| fixed + r.len()).sum();
    let mut octets = Vec::with_capacity(18 + signature.signer.wire().len() + size);
    octets.extend(set.rtype.to_be_bytes());
    octets.extend([signature.algorithm, signature.labels]);
    octets.extend(signature.original_ttl.to_be_bytes());
    octets.extend(signature.expiration.to_be_bytes());
    octets.extend(signature.inception.to_be_bytes());
    octets.extend(signature.key_tag.to_be_bytes());
    octets.extend_from_slice(signature.signer.wire());
    for record in &set.records {
        octets.extend_from_slice(owner.wire());
        octets.extend(set.rtype.to_be_bytes());
        octets.extend(1u16.to_be_bytes());
        octets.extend(signature.original_ttl.to_be_bytes());
        octets.extend(u16::try_from(record.len()).unwrap_or(u16::MAX).to_be_bytes());
        octets.extend_from_slice(record);
    }
    octets
}

/// `a` lies before `b` in serial number arithmetic (RFC 1982, asked for by RFC 4034 3.1.5).
fn is_before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) < 0x8000_0000
}
