//! Record types by number and by mnemonic: one table for both directions.

use std::fmt;

use pdm_model::RecordType;

/// Mnemonic and number of the types that anything here speaks of.
const TYPES: &[(&str, u16)] = &[
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("HINFO", 13),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("NAPTR", 35),
    ("DNAME", 39),
    ("OPT", 41),
    ("DS", 43),
    ("SSHFP", 44),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("NSEC3", 50),
    ("NSEC3PARAM", 51),
    ("TLSA", 52),
    ("CDS", 59),
    ("CDNSKEY", 60),
    ("CSYNC", 62),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("AXFR", 252),
    ("CAA", 257),
    ("LUA", 65402),
];

/// Type numbers beyond those of the `dnssec` crate.
pub(crate) mod number {
    pub(crate) const MX: u16 = 15;
    pub(crate) const CDS: u16 = 59;
    pub(crate) const CDNSKEY: u16 = 60;
    pub(crate) const NSEC3PARAM: u16 = 51;
    pub(crate) const PTR: u16 = 12;
    pub(crate) const AXFR: u16 = 252;
    pub(crate) const CAA: u16 = 257;
    pub(crate) const HINFO: u16 = 13;
}

/// The number of a type; `TYPE1234` is read as RFC 3597 writes it. `None` for a mnemonic that is not in the table.
pub(crate) fn number_of(rtype: &RecordType) -> Option<u16> {
    let text = rtype.as_str();
    let known = TYPES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
    known.or_else(|| text.strip_prefix("TYPE")?.parse().ok())
}

/// A type number by its mnemonic.
pub(crate) struct TypeName(pub(crate) u16);

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match TYPES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_agree() {
        for (name, number) in TYPES {
            assert_eq!(number_of(&RecordType::from((*name).to_owned())), Some(*number));
            assert_eq!(TypeName(*number).to_string(), *name);
        }
        assert_eq!(number_of(&RecordType::from("type99".to_owned())), Some(99));
        assert_eq!(number_of(&RecordType::from("NONSENSE".to_owned())), None);
    }
}
