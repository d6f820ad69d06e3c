//! The record types that are carried over, by number. Everything else is shown and not imported: it is ours to write
//! (SOA, NS, DNSSEC), or nobody can say what it means at another operator's.

use pdm_model::RecordType;

/// One part of RDATA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// IPv4 address.
    V4,
    /// IPv6 address.
    V6,
    /// One octet as a number.
    U8,
    /// Two octets as a number.
    U16,
    /// A name.
    Name,
    /// One counted string.
    Text,
    /// Counted strings to the end, at least one.
    Texts,
    /// A counted word without quotes.
    Tag,
    /// Octets to the end, in quotes.
    Value,
    /// Octets to the end, as hexadecimal digits.
    Hex,
    /// Service parameters to the end (RFC 9460).
    Params,
}

/// A type that is carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarriedType {
    /// Mnemonic.
    pub name: &'static str,
    /// Number.
    pub number: u16,
    /// The change of NS waits until this type agrees, or is waived by name: mail and web depend on it.
    pub locks: bool,
    /// It says where a name leads, so that it competes with the addresses that PDM writes at the same name.
    pub leads: bool,
    pub(crate) fields: &'static [Field],
}

const fn row(
    name: &'static str,
    number: u16,
    locks: bool,
    leads: bool,
    fields: &'static [Field],
) -> CarriedType {
    CarriedType { name, number, locks, leads, fields }
}

/// The list, in the order in which people read a zone.
pub const CARRIED: &[CarriedType] = &[
    row("A", 1, true, true, &[Field::V4]),
    row("AAAA", 28, true, true, &[Field::V6]),
    row("CNAME", 5, true, true, &[Field::Name]),
    row("MX", 15, true, false, &[Field::U16, Field::Name]),
    row("TXT", 16, true, false, &[Field::Texts]),
    row("SRV", 33, false, false, &[Field::U16, Field::U16, Field::U16, Field::Name]),
    row("CAA", 257, false, false, &[Field::U8, Field::Tag, Field::Value]),
    row("TLSA", 52, false, false, &[Field::U8, Field::U8, Field::U8, Field::Hex]),
    row("SSHFP", 44, false, false, &[Field::U8, Field::U8, Field::Hex]),
    row("HTTPS", 65, true, true, &[Field::U16, Field::Name, Field::Params]),
    row("SVCB", 64, true, true, &[Field::U16, Field::Name, Field::Params]),
    row(
        "NAPTR",
        35,
        false,
        false,
        &[Field::U16, Field::U16, Field::Text, Field::Text, Field::Text, Field::Name],
    ),
    row("PTR", 12, false, false, &[Field::Name]),
];

/// The row of a type number.
#[must_use]
pub fn carried_type(number: u16) -> Option<&'static CarriedType> {
    CARRIED.iter().find(|t| t.number == number)
}

/// The row of a mnemonic.
pub(crate) fn by_name(name: &str) -> Option<&'static CarriedType> {
    CARRIED.iter().find(|t| t.name.eq_ignore_ascii_case(name))
}

/// The row of a record type.
pub(crate) fn of(rtype: &RecordType) -> Option<&'static CarriedType> {
    by_name(rtype.as_str())
}

impl CarriedType {
    /// The type as the model writes it.
    #[must_use]
    pub fn record_type(&self) -> RecordType {
        RecordType::from(self.name.to_owned())
    }
}
