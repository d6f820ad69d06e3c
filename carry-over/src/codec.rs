//! RDATA of the carried types, from octets to the text that PowerDNS takes and back. PowerDNS refuses a content that it
//! would write otherwise, so the text is exactly its own (measured on 4.7).

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pdm_dnssec::{Name, hex};

use crate::text::{Word, octets, quoted, words};
use crate::types::{CarriedType, Field};

/// Service parameters with a name (RFC 9460 14.3.2). PowerDNS knows no others.
const KEYS: [(u16, &str); 7] = [
    (0, "mandatory"),
    (1, "alpn"),
    (2, "no-default-alpn"),
    (3, "port"),
    (4, "ipv4hint"),
    (5, "ech"),
    (6, "ipv6hint"),
];

/// RDATA as text; none for what does not fit the type, or has no text that PowerDNS takes.
#[must_use]
pub fn presented(kind: &CarriedType, rdata: &[u8]) -> Option<String> {
    let (mut rest, mut parts) = (rdata, Vec::with_capacity(kind.fields.len()));
    for field in kind.fields {
        let (part, tail) = show(*field, rest)?;
        if !part.is_empty() {
            parts.push(part);
        }
        rest = tail;
    }
    rest.is_empty().then(|| parts.join(" "))
}

fn show(field: Field, rdata: &[u8]) -> Option<(String, &[u8])> {
    let all = |text: String| Some((text, &rdata[rdata.len()..]));
    match field {
        Field::V4 => {
            let (octets, tail) = rdata.split_first_chunk::<4>()?;
            Some((Ipv4Addr::from(*octets).to_string(), tail))
        }
        Field::V6 => {
            let (octets, tail) = rdata.split_first_chunk::<16>()?;
            let address = Ipv6Addr::from(*octets);
            // PowerDNS refuses what would be written with dots.
            let plain = !address.to_string().contains('.');
            plain.then(|| (address.to_string(), tail))
        }
        Field::U8 => rdata.split_first().map(|(n, tail)| (n.to_string(), tail)),
        Field::U16 => rdata.split_first_chunk().map(|(n, tail)| (u16::from_be_bytes(*n).to_string(), tail)),
        Field::Name => {
            let (name, length) = Name::from_wire(rdata)?;
            Some((name.to_string(), rdata.get(length..)?))
        }
        Field::Text => counted(rdata).map(|(text, tail)| (quoted(text), tail)),
        Field::Tag => {
            let (tag, tail) = counted(rdata)?;
            let plain = !tag.is_empty() && tag.iter().all(u8::is_ascii_alphanumeric);
            plain.then(|| (String::from_utf8_lossy(tag).into_owned(), tail))
        }
        Field::Texts => {
            let (mut rest, mut texts) = (rdata, Vec::new());
            while !rest.is_empty() {
                let (text, tail) = counted(rest)?;
                texts.push(quoted(text));
                rest = tail;
            }
            if texts.is_empty() { None } else { all(texts.join(" ")) }
        }
        Field::Value => all(quoted(rdata)),
        Field::Hex => {
            if rdata.is_empty() {
                None
            } else {
                all(hex(rdata))
            }
        }
        Field::Params => all(params(rdata)?),
    }
}

fn counted(rdata: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = rdata.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

fn params(mut rdata: &[u8]) -> Option<String> {
    let (mut texts, mut before) = (Vec::new(), None);
    while !rdata.is_empty() {
        let (key, rest) = rdata.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (value, tail) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let key = u16::from_be_bytes(*key);
        if before.is_some_and(|b| b >= key) {
            return None;
        }
        texts.push(param(key, value)?);
        (before, rdata) = (Some(key), tail);
    }
    Some(texts.join(" "))
}

fn param(key: u16, value: &[u8]) -> Option<String> {
    let name = key_name(key);
    let list = |parts: Vec<String>| (!parts.is_empty()).then(|| format!("{name}={}", parts.join(",")));
    match key {
        0 => {
            let (keys, odd) = value.as_chunks::<2>();
            odd.is_empty().then_some(())?;
            list(keys.iter().map(|k| key_name(u16::from_be_bytes(*k))).collect())
        }
        1 => {
            let (mut rest, mut ids) = (value, Vec::new());
            while !rest.is_empty() {
                let (id, tail) = counted(rest)?;
                let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-./_".contains(b);
                (!id.is_empty() && id.iter().all(plain)).then_some(())?;
                ids.push(String::from_utf8_lossy(id).into_owned());
                rest = tail;
            }
            list(ids)
        }
        2 => value.is_empty().then_some(name),
        3 => Some(format!("{name}={}", u16::from_be_bytes(value.try_into().ok()?))),
        4 => {
            let (all, odd) = value.as_chunks::<4>();
            odd.is_empty().then_some(())?;
            list(all.iter().map(|a| Ipv4Addr::from(*a).to_string()).collect())
        }
        5 => Some(format!("{name}=\"{}\"", STANDARD.encode(value))),
        6 => {
            let (all, odd) = value.as_chunks::<16>();
            odd.is_empty().then_some(())?;
            list(all.iter().map(|a| Ipv6Addr::from(*a).to_string()).collect())
        }
        _ => Some(format!("{name}={}", quoted(value))),
    }
}

fn key_name(key: u16) -> String {
    KEYS.iter().find(|(n, _)| *n == key).map_or_else(|| format!("key{key}"), |(_, name)| (*name).to_owned())
}

/// Text as RDATA: absolute names, or the form for unknown types (RFC 3597). None for what does not fit the type.
#[must_use]
pub fn rdata_of(kind: &CarriedType, text: &str) -> Option<Vec<u8>> {
    rdata_from(kind, &words(text)?, &Name::root())
}

/// The same from words, with names completed by `origin`.
pub(crate) fn rdata_from(kind: &CarriedType, words: &[Word], origin: &Name) -> Option<Vec<u8>> {
    if words.first()?.text == "\\#" {
        let digits: String = words.get(2..)?.iter().map(|w| w.text.as_str()).collect();
        let rdata = unhex(&digits)?;
        let length: usize = words.get(1)?.text.parse().ok()?;
        return (rdata.len() == length && presented(kind, &rdata).is_some()).then_some(rdata);
    }
    let (mut rest, mut rdata) = (words, Vec::new());
    for field in kind.fields {
        rest = write(*field, rest, origin, &mut rdata)?;
    }
    let fits = rest.is_empty() && rdata.len() <= usize::from(u16::MAX);
    fits.then_some(rdata)
}

fn write<'a>(field: Field, words: &'a [Word], origin: &Name, into: &mut Vec<u8>) -> Option<&'a [Word]> {
    match field {
        Field::Texts => {
            words.first()?;
            for word in words {
                put_texts(&octets(&word.text)?, into);
            }
            return Some(&[]);
        }
        Field::Hex => {
            let digits: String = words.iter().map(|w| w.text.as_str()).collect();
            let octets = unhex(&digits)?;
            (!octets.is_empty()).then_some(())?;
            into.extend(octets);
            return Some(&[]);
        }
        Field::Params => {
            into.extend(params_from(words)?);
            return Some(&[]);
        }
        _ => {}
    }
    let (word, rest) = words.split_first()?;
    match field {
        Field::V4 => into.extend(word.text.parse::<Ipv4Addr>().ok()?.octets()),
        Field::V6 => into.extend(word.text.parse::<Ipv6Addr>().ok()?.octets()),
        Field::U8 => into.push(word.text.parse().ok()?),
        Field::U16 => into.extend(word.text.parse::<u16>().ok()?.to_be_bytes()),
        Field::Name => into.extend(absolute(&word.text, origin)?.wire()),
        Field::Text | Field::Tag => {
            let text = octets(&word.text)?;
            into.push(u8::try_from(text.len()).ok()?);
            into.extend(text);
        }
        Field::Value => into.extend(octets(&word.text)?),
        Field::Texts | Field::Hex | Field::Params => {}
    }
    Some(rest)
}

/// Longer texts than one counted string holds are cut: exports of some operators write them in one piece.
fn put_texts(text: &[u8], into: &mut Vec<u8>) {
    let empty: &[u8] = &[];
    let pieces = text.chunks(255).chain(text.is_empty().then_some(empty));
    for piece in pieces {
        into.push(u8::try_from(piece.len()).unwrap_or(u8::MAX));
        into.extend(piece);
    }
}

/// A name as it stands in a zone file: `@` is the origin, and what does not end in a dot lies below it.
pub(crate) fn absolute(text: &str, origin: &Name) -> Option<Name> {
    if text == "@" {
        return Some(origin.clone());
    }
    let ends_in_dot = text.ends_with('.') && {
        let before = text[..text.len() - 1].bytes().rev().take_while(|b| *b == b'\\').count();
        before % 2 == 0
    };
    let name = Name::parse(text)?;
    if ends_in_dot { Some(name) } else { Name::from_labels(name.labels().chain(origin.labels())) }
}

fn params_from(words: &[Word]) -> Option<Vec<u8>> {
    let mut all = Vec::with_capacity(words.len());
    for word in words {
        let (key, value) = word.text.split_once('=').unwrap_or((&word.text, ""));
        let key = key_number(key)?;
        all.push((key, param_from(key, value)?));
    }
    all.sort();
    let mut rdata = Vec::new();
    for pair in all.windows(2) {
        (pair[0].0 != pair[1].0).then_some(())?;
    }
    for (key, value) in all {
        rdata.extend(key.to_be_bytes());
        rdata.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
        rdata.extend(value);
    }
    Some(rdata)
}

fn key_number(name: &str) -> Option<u16> {
    let known = KEYS.iter().find(|(_, known)| *known == name).map(|(n, _)| *n);
    known.or_else(|| name.strip_prefix("key")?.parse().ok())
}

fn param_from(key: u16, value: &str) -> Option<Vec<u8>> {
    let parts = || value.split(',');
    match key {
        0 => {
            let mut keys = parts().map(key_number).collect::<Option<Vec<_>>>()?;
            keys.sort_unstable();
            Some(keys.into_iter().flat_map(u16::to_be_bytes).collect())
        }
        1 => {
            let mut ids = Vec::new();
            for id in parts() {
                ids.push(u8::try_from(id.len()).ok().filter(|n| *n > 0)?);
                ids.extend(id.bytes());
            }
            Some(ids)
        }
        2 => value.is_empty().then(Vec::new),
        3 => Some(value.parse::<u16>().ok()?.to_be_bytes().to_vec()),
        4 => Some(parts().map(|a| a.parse::<Ipv4Addr>().ok()).collect::<Option<Vec<_>>>()?.concat_octets()),
        5 => STANDARD.decode(value).ok(),
        6 => Some(parts().map(|a| a.parse::<Ipv6Addr>().ok()).collect::<Option<Vec<_>>>()?.concat_octets()),
        _ => octets(value),
    }
}

trait ConcatOctets {
    fn concat_octets(self) -> Vec<u8>;
}

impl ConcatOctets for Vec<Ipv4Addr> {
    fn concat_octets(self) -> Vec<u8> {
        self.into_iter().flat_map(|a| a.octets()).collect()
    }
}

impl ConcatOctets for Vec<Ipv6Addr> {
    fn concat_octets(self) -> Vec<u8> {
        self.into_iter().flat_map(|a| a.octets()).collect()
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    odd.is_empty().then_some(())?;
    pairs.iter().map(|p| u8::from_str_radix(std::str::from_utf8(p).ok()?, 16).ok()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;
    use crate::types::{CARRIED, by_name};
    use proptest::prelude::*;

    /// Texts that PowerDNS 4.7 takes as they are.
    pub(crate) const TEXTS: &[(&str, &str)] = &[
        ("A", "192.0.2.1"),
        ("AAAA", "2001:db8::1"),
        ("CNAME", "_a\\032b.c."),
        ("MX", "0 ."),
        ("MX", "10 mx.example."),
        ("TXT", r#""a\"b\\c;d\200\000 e" "x""#),
        ("TXT", "\"\""),
        ("SRV", "1 2 3 ."),
        ("CAA", r#"128 issue "a\"b\\c;d; x=1""#),
        ("TLSA", "3 1 1 8b8be1ba"),
        ("SSHFP", "1 2 8b8be1ba"),
        ("HTTPS", "1 . alpn=h3,h2 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1"),
        ("HTTPS", "1 . mandatory=alpn alpn=h2 no-default-alpn port=8443"),
        ("HTTPS", "1 . ech=\"AAAA\" key65333=\"abc\""),
        ("HTTPS", "0 www.x."),
        ("SVCB", "1 . alpn=h2 ipv4hint=192.0.2.1,192.0.2.2"),
        ("NAPTR", r#"10 20 "u" "E2U+sip" "!^.*$!sip:a@b!" ."#),
        ("PTR", "a_b.c\\.d.e."),
    ];

    #[test]
    fn the_texts_of_powerdns_stay_what_they_are() {
        for (name, text) in TEXTS {
            let kind = by_name(name).unwrap();
            let rdata = rdata_of(kind, text).unwrap_or_else(|| panic!("{name} {text}"));
            assert_eq!(presented(kind, &rdata).as_deref(), Some(*text), "{name}");
            let unknown = format!("\\# {} {}", rdata.len(), hex(&rdata));
            assert_eq!(rdata_of(kind, &unknown), Some(rdata), "{name} {unknown}");
        }
    }

    #[test]
    fn other_ways_to_write_the_same_come_out_as_one() {
        for (name, text, canonical) in [
            ("TXT", "abc", "\"abc\""),
            ("HTTPS", "1 . ipv4hint=192.0.2.1 alpn=\"h2\"", "1 . alpn=h2 ipv4hint=192.0.2.1"),
            ("TLSA", "3 1 1 8B8B E1BA", "3 1 1 8b8be1ba"),
            ("CAA", "0 issue ca.example", "0 issue \"ca.example\""),
        ] {
            let kind = by_name(name).unwrap();
            assert_eq!(presented(kind, &rdata_of(kind, text).unwrap()).as_deref(), Some(canonical));
        }
        let long = format!("\"{}\"", "x".repeat(300));
        let kind = by_name("TXT").unwrap();
        assert_eq!(rdata_of(kind, &long).unwrap().len(), 302);
    }

    #[test]
    fn garbage_is_refused() {
        for (name, text) in [
            ("A", "1.2.3"),
            ("AAAA", "1.2.3.4"),
            ("MX", "mx."),
            ("MX", "10 mx. more"),
            ("TLSA", "3 1 1 abc"),
            ("HTTPS", "1 . alpn=h2 alpn=h3"),
            ("HTTPS", "1 . unknown=1"),
            ("A", "\\# 3 010203"),
            ("TXT", ""),
        ] {
            assert_eq!(rdata_of(by_name(name).unwrap(), text), None, "{name} {text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same(
            kind in 0..CARRIED.len(), rdata in proptest::collection::vec(any::<u8>(), 0..60)
        ) {
            let kind = &CARRIED[kind];
            if let Some(text) = presented(kind, &rdata) {
                let again = rdata_of(kind, &text).unwrap();
                prop_assert_eq!(presented(kind, &again), Some(text));
            }
        }
    }
}
