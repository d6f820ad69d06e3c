//! RRsets: all records of one owner name and type, compared as a set.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::ZoneName;
use crate::time::Ttl;

/// The record types PDM writes or reads. Anything else is somebody else's and is carried by its text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum RecordType {
    /// IPv4 address.
    A,
    /// IPv6 address.
    Aaaa,
    /// Nameserver.
    Ns,
    /// Delegation signer.
    Ds,
    /// Start of authority.
    Soa,
    /// Text.
    Txt,
    /// PowerDNS's computed record.
    Lua,
    /// DNSSEC public key.
    Dnskey,
    /// Any other type, upper case.
    Other(String),
}

impl RecordType {
    /// The mnemonic.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Ns => "NS",
            Self::Ds => "DS",
            Self::Soa => "SOA",
            Self::Txt => "TXT",
            Self::Lua => "LUA",
            Self::Dnskey => "DNSKEY",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for RecordType {
    fn from(text: String) -> Self {
        match text.to_ascii_uppercase().as_str() {
            "A" => Self::A,
            "AAAA" => Self::Aaaa,
            "NS" => Self::Ns,
            "DS" => Self::Ds,
            "SOA" => Self::Soa,
            "TXT" => Self::Txt,
            "LUA" | "TYPE65402" => Self::Lua,
            "DNSKEY" => Self::Dnskey,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl From<RecordType> for String {
    fn from(kind: RecordType) -> Self {
        kind.as_str().to_owned()
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// All records of one name and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RRset {
    /// Owner name, lower case, with the trailing dot; may start with `*.` or `_`.
    pub owner: String,
    /// Type.
    pub rtype: RecordType,
    /// Time to live.
    pub ttl: Ttl,
    /// Contents in canonical presentation form.
    pub records: BTreeSet<String>,
}

impl RRset {
    /// One RRset from its parts; contents are brought to their canonical form.
    pub fn new<I, S>(owner: impl Into<String>, rtype: RecordType, ttl: Ttl, records: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<str>,
    {
        let records = records.into_iter().map(|r| canonical_content(&rtype, r.as_ref())).collect();
        Self { owner: owner.into().to_ascii_lowercase(), rtype, ttl, records }
    }

    /// Owner and type: what identifies the set inside its zone.
    #[must_use]
    pub fn key(&self) -> (&str, &RecordType) {
        (&self.owner, &self.rtype)
    }
}

/// The form in which two contents are compared: PowerDNS 5.1 gives back a normalised text, older ones what was sent.
#[must_use]
pub fn canonical_content(rtype: &RecordType, content: &str) -> String {
    match rtype {
        RecordType::A | RecordType::Aaaa => content
            .trim()
            .parse::<std::net::IpAddr>()
            .map_or_else(|_| content.trim().to_owned(), |address| address.to_string()),
        RecordType::Ns | RecordType::Ds | RecordType::Soa => content.trim().to_ascii_lowercase(),
        RecordType::Txt | RecordType::Lua | RecordType::Dnskey | RecordType::Other(_) => content.to_owned(),
    }
}

/// The owner name of `label` in `zone`: `@` is the apex.
#[must_use]
pub fn owner_in(zone: &ZoneName, label: &str) -> String {
    if label == "@" { zone.dotted() } else { format!("{label}.{zone}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_compare_by_meaning() {
        let a = RRset::new("a.example.", RecordType::Aaaa, Ttl::new(300), ["2001:DB8:0::1"]);
        let b = RRset::new("A.example.", RecordType::Aaaa, Ttl::new(300), ["2001:db8::1"]);
        assert_eq!(a, b);
        let ds = RRset::new("a.example.", RecordType::Ds, Ttl::new(1), ["1 13 2 ABCD"]);
        assert!(ds.records.contains("1 13 2 abcd"));
    }

    #[test]
    fn lua_has_two_names() {
        assert_eq!(RecordType::from("TYPE65402".to_owned()), RecordType::Lua);
    }
}
