//! Keys and their fingerprints: DNSKEY RDATA, key tag, DS (RFC 4034, RFC 4509, RFC 6605).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pdm_model::DsRecord;
use ring::digest;

use crate::name::Name;

/// DNSKEY flag: the key may sign the zone (RFC 4034 2.1.1).
pub const ZONE_KEY: u16 = 0x0100;
/// DNSKEY flag: a secure entry point, for which a DS is published (RFC 3757).
pub const ENTRY_POINT: u16 = 0x0001;
/// DNSKEY flag: the key was revoked and may sign nothing but its own revocation (RFC 5011).
pub const REVOKED: u16 = 0x0080;

/// The digests that PDM makes and trusts. SHA-1 is neither made nor trusted (RFC 8624 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DsDigest {
    /// Digest type 2 (RFC 4509).
    Sha256,
    /// Digest type 4 (RFC 6605).
    Sha384,
}

impl DsDigest {
    /// From its number; `None` for one that is not trusted.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            2 => Some(Self::Sha256),
            4 => Some(Self::Sha384),
            _ => None,
        }
    }

    /// Its number in the DS record.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Sha256 => 2,
            Self::Sha384 => 4,
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
        }
    }
}

/// One DNSKEY record, kept as the octets that are signed and hashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dnskey(Vec<u8>);

impl Dnskey {
    /// From RDATA; `None` when it is shorter than its fixed part or has no key.
    #[must_use]
    pub fn from_rdata(rdata: &[u8]) -> Option<Self> {
        (rdata.len() > 4).then(|| Self(rdata.to_vec()))
    }

    /// From presentation form: `257 3 13 base64...`, spaces allowed inside the key (RFC 4034 2.2).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split_ascii_whitespace();
        let flags: u16 = parts.next()?.parse().ok()?;
        let protocol: u8 = parts.next()?.parse().ok()?;
        let algorithm: u8 = parts.next()?.parse().ok()?;
        let key = STANDARD.decode(parts.collect::<String>()).ok()?;
        let mut rdata = flags.to_be_bytes().to_vec();
        rdata.extend([protocol, algorithm]);
        rdata.extend(key);
        Self::from_rdata(&rdata)
    }

    /// The RDATA.
    #[must_use]
    pub fn rdata(&self) -> &[u8] {
        &self.0
    }

    /// Flags.
    #[must_use]
    pub fn flags(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// Algorithm number.
    #[must_use]
    pub fn algorithm(&self) -> u8 {
        self.0[3]
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.0[4..]
    }

    /// True for a key that may sign zone data: zone flag set, not revoked, protocol 3 (RFC 4034 2.1).
    #[must_use]
    pub fn may_sign(&self) -> bool {
        self.flags() & ZONE_KEY != 0 && self.flags() & REVOKED == 0 && self.0[2] == 3
    }

    /// True for a secure entry point.
    #[must_use]
    pub fn is_entry_point(&self) -> bool {
        self.may_sign() && self.flags() & ENTRY_POINT != 0
    }

    /// The key tag (RFC 4034 appendix B).
    #[must_use]
    pub fn key_tag(&self) -> u16 {
        key_tag(&self.0)
    }

    /// The DS record for this key of `owner`: digest over owner name and RDATA (RFC 4034 5.1.4).
    #[must_use]
    pub fn ds(&self, owner: &Name, kind: DsDigest) -> DsRecord {
        let mut context = digest::Context::new(kind.algorithm());
        context.update(owner.wire());
        context.update(&self.0);
        DsRecord {
            key_tag: self.key_tag(),
            algorithm: self.algorithm(),
            digest_type: kind.number(),
            digest: hex(context.finish().as_ref()),
        }
    }

    /// True when `ds` is this key's, by a digest that is trusted.
    #[must_use]
    pub fn matches(&self, owner: &Name, ds: &DsRecord) -> bool {
        // Tag and algorithm first: hashing is the dear part.
        ds.algorithm == self.algorithm()
            && ds.key_tag == self.key_tag()
            && DsDigest::from_number(ds.digest_type).is_some_and(|kind| self.ds(owner, kind) == *ds)
    }
}

impl fmt::Display for Dnskey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode(self.public_key());
        write!(f, "{} {} {} {key}", self.flags(), self.0[2], self.algorithm())
    }
}

/// The key tag of DNSKEY RDATA (RFC 4034 appendix B). Algorithm 1 counts otherwise and is long dead.
#[must_use]
pub fn key_tag(rdata: &[u8]) -> u16 {
    let sum = rdata.iter().enumerate().fold(0u32, |sum, (index, byte)| {
        sum.wrapping_add(if index % 2 == 0 { u32::from(*byte) << 8 } else { u32::from(*byte) })
    });
    u16::try_from((sum + (sum >> 16)) & 0xffff).unwrap_or_default()
}

/// A DS record from RDATA; `None` when it is too short.
#[must_use]
pub fn ds_from_rdata(rdata: &[u8]) -> Option<DsRecord> {
    let (head, digest) = rdata.split_at_checked(4)?;
    (!digest.is_empty()).then(|| DsRecord {
        key_tag: u16::from_be_bytes([head[0], head[1]]),
        algorithm: head[2],
        digest_type: head[3],
        digest: hex(digest),
    })
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Owner, DNSKEY, DS: RFC 6605 6.1 and 6.2, RFC 8080 6.1 (both).
    const VECTORS: &[(&str, &str, &str)] = &[
        (
            "example.net.",
            "257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edb krSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
            "55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17",
        ),
        (
            "example.net.",
            "257 3 14 xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1 w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8 \
             /uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40",
            "10771 14 4 72d7b62976ce06438e9c0bf319013cf801f09ecc84b8d7e9495f27e305c6a9b0563a9b5f4d288405c3008a946df983d6",
        ),
        (
            "example.com.",
            "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
            "3613 15 2 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
        ),
        (
            "example.com.",
            "257 3 15 zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=",
            "35217 15 2 401781b934e392de492ec77ae2e15d70f6575a1c0bc59c5275c04ebe80c6614c",
        ),
    ];

    #[test]
    fn the_vectors_of_the_rfcs_hold() {
        for (owner, key, ds) in VECTORS {
            let (owner, key) = (Name::parse(owner).unwrap(), Dnskey::parse(key).unwrap());
            let ds: DsRecord = ds.parse().unwrap();
            let kind = DsDigest::from_number(ds.digest_type).unwrap();
            assert_eq!(key.ds(&owner, kind), ds);
            assert!(key.matches(&owner, &ds) && key.is_entry_point());
            assert!(!key.matches(&Name::parse("example.org.").unwrap(), &ds));
        }
    }

    #[test]
    fn tag_and_digest_of_rfc_4034_and_4509_hold() {
        // RFC 4034 5.4 gives key and tag, RFC 4509 2.3 the DS of the same key.
        let key = Dnskey::parse(
            "256 3 5 AQOeiiR0GOMYkDshWoSKz9Xz fwJr1AYtsmx3TGkJaNXVbfi/ 2pHm822aJ5iI9BMzNXxeYCmZ \
             DRD99WYwYqUSdjMmmAphXdvx egXd/M5+X7OrzKBaMbCVdFLU Uh6DhweJBjEVv5f2wwjM9Xzc nOf+EPbtG9DMBmADjFDc2w/r \
             ljwvFw==",
        )
        .unwrap();
        assert_eq!(key.key_tag(), 60485);
        let ds = "60485 5 2 D4B7D520E7BB5F0F67674A0C CEB1E3E0614B93C4F9E99B83 83F6A1E4469DA50A";
        assert_eq!(
            key.ds(&Name::parse("dskey.example.com.").unwrap(), DsDigest::Sha256),
            ds.parse().unwrap()
        );
        assert_eq!(Dnskey::parse(&key.to_string()).unwrap(), key);
    }

    #[test]
    fn sha_1_is_not_trusted() {
        let key = Dnskey::parse(VECTORS[0].1).unwrap();
        let ds = DsRecord { key_tag: 55648, algorithm: 13, digest_type: 1, digest: "00".repeat(20) };
        assert!(!key.matches(&Name::parse("example.net.").unwrap(), &ds));
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_panic(text in "\\PC{0,60}", rdata in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Dnskey::parse(&text);
            let _ = ds_from_rdata(&rdata);
            if let Some(key) = Dnskey::from_rdata(&rdata) {
                let _ = (key.flags(), key.algorithm(), key.key_tag(), key.public_key().len(), key.is_entry_point());
            }
        }
    }
}
