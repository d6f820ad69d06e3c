//! One record's content, in the form that PowerDNS takes. What is not understood is refused, not passed on.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use pdm_model::RecordType;
use pdm_model::address::admit_address;

/// Octets of a TXT RRset's content; five character strings of full length.
const LONGEST: usize = 1500;

/// The content in canonical form, or what is wrong with it.
pub(super) fn content(rtype: &RecordType, text: &str, allowed: &[IpNet]) -> Result<String, String> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(format!("a content has at most {LONGEST} octets"));
    }
    let public = |address: std::net::IpAddr| match admit_address(address, allowed) {
        Ok(()) => Ok(address.to_string()),
        Err(what) => Err(format!("{address} is a {what} address, which this pool does not admit")),
    };
    match rtype {
        RecordType::A => public(text.parse::<Ipv4Addr>().map_err(|_| "not an IPv4 address")?.into()),
        RecordType::Aaaa => public(text.parse::<Ipv6Addr>().map_err(|_| "not an IPv6 address")?.into()),
        RecordType::Txt => txt(text),
        _ => {
            let mut words: Vec<&str> = text.split_ascii_whitespace().collect();
            let target = words.pop().ok_or("a name is missing")?;
            let numbers = if *rtype == RecordType::from("SRV".to_owned()) { 3 } else { 0 };
            if words.len() != numbers || words.iter().any(|word| word.parse::<u16>().is_err()) {
                return Err("write priority, weight, port and name for SRV, and a name for CNAME".into());
            }
            let target = target.to_ascii_lowercase();
            let name = target.strip_suffix('.').ok_or("a name ends with a dot")?;
            if !is_name(name) {
                return Err(format!("{target} is not a name"));
            }
            words.push(&target);
            Ok(words.join(" "))
        }
    }
}

/// One or more strings in double quotes, as RFC 1035 5.1 writes them.
fn txt(text: &str) -> Result<String, String> {
    let refuse = || "write TXT as one or more strings in double quotes".to_owned();
    let (mut inside, mut escaped, mut length, mut strings) = (false, false, 0, 0);
    for c in text.chars() {
        if !(' '..='~').contains(&c) {
            return Err("write octets beyond ASCII as \\DDD".into());
        }
        match (inside, escaped, c) {
            (true, true, _) => (escaped, length) = (false, length + 1),
            (true, false, '\\') => escaped = true,
            (true, false, '"') => (inside, strings) = (false, strings + 1),
            (true, false, _) => length += 1,
            (false, _, '"') => (inside, length) = (true, 0),
            (false, _, ' ') => {}
            (false, _, _) => return Err(refuse()),
        }
        // An escape by number counts a little too much here, which only refuses early.
        if length > 255 {
            return Err("a string has at most 255 octets".into());
        }
    }
    if inside || strings == 0 { Err(refuse()) } else { Ok(text.to_owned()) }
}

/// A name without its last dot: letters, digits, hyphens and underscores.
pub(super) fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rtype: &str, text: &str) -> Result<String, String> {
        content(&RecordType::from(rtype.to_owned()), text, &["192.0.2.0/24".parse().unwrap()])
    }

    #[test]
    fn contents_are_understood_or_refused() {
        for (rtype, text, canonical) in [
            ("A", "192.0.2.1", "192.0.2.1"),
            ("AAAA", "2606:4700:0::1", "2606:4700::1"),
            ("TXT", "\"abc\"", "\"abc\""),
            ("TXT", "\"a\\\"b\" \"c\"", "\"a\\\"b\" \"c\""),
            ("CNAME", "LB.Example.", "lb.example."),
            ("SRV", "1  2 443 a.example.", "1 2 443 a.example."),
        ] {
            assert_eq!(of(rtype, text).as_deref(), Ok(canonical), "{rtype} {text}");
        }
        for (rtype, text) in [
            ("A", "127.0.0.1"),
            ("A", "169.254.169.254"),
            ("A", "lb.example."),
            ("AAAA", "::1"),
            ("TXT", "abc"),
            ("TXT", "\"abc"),
            ("TXT", "\"a\\\""),
            ("TXT", "\"a\" b"),
            ("TXT", "\"ä\""),
            ("TXT", "\"a\nb\""),
            ("CNAME", "lb.example"),
            ("CNAME", "a b."),
            ("CNAME", "*.example."),
            ("CNAME", ""),
            ("SRV", "1 2 70000 a.example."),
            ("SRV", "a.example."),
        ] {
            assert!(of(rtype, text).is_err(), "{rtype} {text}");
        }
        assert!(of("TXT", &format!("\"{}\"", "x".repeat(256))).is_err());
    }
}
