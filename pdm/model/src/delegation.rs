//! The parent's side of a zone cut: NS and DS.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::ZoneName;
use crate::time::Ttl;

/// The DS digest PDM writes unless told otherwise: SHA-256 (RFC 8624). SHA-1 is never written.
pub const SHA256: u8 = 2;

/// One DS record (RFC 4034 section 5).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DsRecord {
    /// Key tag.
    pub key_tag: u16,
    /// DNSSEC algorithm number.
    pub algorithm: u8,
    /// Digest type.
    pub digest_type: u8,
    /// Digest, lower-case hexadecimal.
    pub digest: String,
}

/// A text that is not a DS record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a DS record: {0}")]
pub struct DsError(String);

impl FromStr for DsRecord {
    type Err = DsError;

    fn from_str(text: &str) -> Result<Self, DsError> {
        let bad = || DsError(text.chars().take(100).collect());
        let mut parts = text.split_ascii_whitespace();
        let mut next = || parts.next().ok_or_else(bad);
        let key_tag = next()?.parse().map_err(|_| bad())?;
        let algorithm = next()?.parse().map_err(|_| bad())?;
        let digest_type = next()?.parse().map_err(|_| bad())?;
        // Long digests are shown with spaces inside.
        let digest: String = parts.collect::<String>().to_ascii_lowercase();
        let want = match digest_type {
            1 => 40,
            2 | 3 => 64,
            4 => 96,
            _ => digest.len().max(2),
        };
        if digest.len() != want
            || !digest.len().is_multiple_of(2)
            || !digest.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Err(bad());
        }
        Ok(Self { key_tag, algorithm, digest_type, digest })
    }
}

impl fmt::Display for DsRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.key_tag, self.algorithm, self.digest_type, self.digest)
    }
}

impl fmt::Debug for DsRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DsRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DsRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a parent holds for one child.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delegation {
    /// Nameserver names.
    pub ns: BTreeSet<ZoneName>,
    /// Delegation signers.
    pub ds: BTreeSet<DsRecord>,
    /// TTL of the NS set, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ns_ttl: Option<Ttl>,
    /// TTL of the DS set, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ds_ttl: Option<Ttl>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rfc_6605_vector_reads_and_prints() {
        let text = "55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17";
        let ds: DsRecord =
            "55648 13 2 B4C8C1FE2E7477127B27115656AD6256F424625BF5C1E2770 CE6D6E37DF61D17".parse().unwrap();
        assert_eq!(ds.to_string(), text);
    }

    proptest! {
        #[test]
        fn garbage_is_refused_without_panic(s in "\\PC{0,60}") {
            let _ = s.parse::<DsRecord>();
        }
    }

    #[test]
    fn a_short_digest_is_refused() {
        assert!("1 13 2 abcd".parse::<DsRecord>().is_err());
        assert!("1 13 2".parse::<DsRecord>().is_err());
    }
}
