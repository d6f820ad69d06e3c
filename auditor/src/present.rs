//! RDATA in presentation form, as PowerDNS and zone files write it; what has no form here is written by RFC 3597.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pdm_carry_over::carried_type;
use pdm_dnssec::{Name, hex, rtype};

use crate::types::number;

/// RDATA (canonical, names not compressed) as text.
pub(crate) fn presented(rtype: u16, rdata: &[u8]) -> String {
    let text = match carried_type(rtype) {
        Some(kind) => pdm_carry_over::presented(kind, rdata),
        None => known(rtype, rdata),
    };
    text.unwrap_or_else(|| format!("\\# {} {}", rdata.len(), hex(rdata)))
}

/// Types that are not carried over.
fn known(kind: u16, rdata: &[u8]) -> Option<String> {
    match kind {
        rtype::NS | rtype::DNAME => whole_name(rdata),
        rtype::SOA => Soa::read(rdata).map(|soa| soa.to_string()),
        rtype::DS | number::CDS => {
            let (head, digest) = rdata.split_at_checked(4)?;
            let tag = u16::from_be_bytes([head[0], head[1]]);
            let digest = if digest.is_empty() { return None } else { hex(digest) };
            Some(format!("{tag} {} {} {digest}", head[2], head[3]))
        }
        rtype::DNSKEY | number::CDNSKEY => {
            let (head, key) = rdata.split_at_checked(4)?;
            let flags = u16::from_be_bytes([head[0], head[1]]);
            Some(format!("{flags} {} {} {}", head[2], head[3], STANDARD.encode(key)))
        }
        number::NSEC3PARAM => {
            let (head, salt) = rdata.split_at_checked(5)?;
            let iterations = u16::from_be_bytes([head[2], head[3]]);
            let salt = if salt.is_empty() { "-".to_owned() } else { hex(salt) };
            Some(format!("{} {} {iterations} {salt}", head[0], head[1]))
        }
        _ => None,
    }
}

/// A name and nothing behind it.
fn whole_name(rdata: &[u8]) -> Option<String> {
    let (name, length) = Name::from_wire(rdata)?;
    (length == rdata.len()).then(|| name.to_string())
}

/// A SOA record (RFC 1035 3.3.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Soa {
    pub(crate) mname: Name,
    pub(crate) rname: Name,
    pub(crate) serial: u32,
    pub(crate) refresh: u32,
    pub(crate) retry: u32,
    pub(crate) expire: u32,
    pub(crate) minimum: u32,
}

impl Soa {
    pub(crate) fn read(rdata: &[u8]) -> Option<Self> {
        let (mname, first) = Name::from_wire(rdata)?;
        let (rname, second) = Name::from_wire(rdata.get(first..)?)?;
        let numbers = rdata.get(first + second..)?;
        let field = |at: usize| Some(u32::from_be_bytes(numbers.get(at..at + 4)?.try_into().ok()?));
        (numbers.len() == 20).then_some(())?;
        Some(Self {
            mname,
            rname,
            serial: field(0)?,
            refresh: field(4)?,
            retry: field(8)?,
            expire: field(12)?,
            minimum: field(16)?,
        })
    }
}

impl std::fmt::Display for Soa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mname, rname, serial, refresh, retry, expire, minimum } = self;
        write!(f, "{mname} {rname} {serial} {refresh} {retry} {expire} {minimum}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn types_are_written_as_zone_files_write_them() {
        for (kind, rdata, text) in [
            (rtype::A, vec![192, 0, 2, 1], "192.0.2.1"),
            (rtype::TXT, b"\x02a\"\x01\xff".to_vec(), r#""a\"" "\255""#),
            (number::MX, [&[0u8, 10][..], b"\x02mx\x01a\x00"].concat(), "10 mx.a."),
            (33, [&[0u8, 1, 0, 2, 0, 53][..], b"\x01a\x00"].concat(), "1 2 53 a."),
            (number::CAA, b"\x00\x05issueca.example".to_vec(), "0 issue \"ca.example\""),
            (rtype::DS, vec![0, 1, 13, 2, 0xab], "1 13 2 ab"),
            (rtype::DNSKEY, vec![1, 1, 3, 13, 0xff], "257 3 13 /w=="),
            (number::NSEC3PARAM, vec![1, 0, 0, 0, 0], "1 0 0 -"),
            (rtype::A, vec![1], "\\# 1 01"),
            (9999, vec![1, 2], "\\# 2 0102"),
        ] {
            assert_eq!(presented(kind, &rdata), text);
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(kind in 0u16..300, rdata in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (presented(kind, &rdata), Soa::read(&rdata));
        }
    }
}
