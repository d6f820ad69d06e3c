//! An uploaded zone file (RFC 1035 section 5.1, with `$TTL` of RFC 2308). It is a stranger's text: it includes nothing
//! and generates nothing, and a record of an unknown type is noted and passed over.

use pdm_dnssec::Name;
use pdm_model::ZoneName;

use crate::codec::{absolute, rdata_from};
use crate::collect::{Collector, MAX_OCTETS};
use crate::text::{Broken, Entries, Entry, Word};
use crate::types::by_name;

/// TTL where the file says none.
const DEFAULT_TTL: u32 = 3600;

/// Where a file cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Malformed {
    /// Counted from one.
    pub line: usize,
    /// What is wrong, for people.
    pub what: String,
}

/// Read a file.
///
/// # Errors
/// The first line that cannot be understood, or that the file is too large.
pub fn read(zone: &ZoneName, text: &str) -> Result<Collector, Malformed> {
    if text.len() > MAX_OCTETS {
        return Err(Malformed { line: 1, what: format!("the file is larger than {MAX_OCTETS} octets") });
    }
    let mut reader = Reader {
        collector: Collector::new(zone),
        origin: Name::from(zone),
        owner: None,
        default_ttl: None,
        last_ttl: None,
    };
    for entry in Entries::new(text) {
        let entry = entry.map_err(|(line, broken)| {
            let what = match broken {
                Broken::Quote => "a quote is not closed on its line",
                Broken::Parenthesis => "a parenthesis has no partner",
            };
            Malformed { line, what: what.to_owned() }
        })?;
        let line = entry.line;
        reader.entry(&entry).map_err(|what| Malformed { line, what })?;
    }
    Ok(reader.collector)
}

struct Reader {
    collector: Collector,
    origin: Name,
    owner: Option<Name>,
    default_ttl: Option<u32>,
    last_ttl: Option<u32>,
}

impl Reader {
    fn entry(&mut self, entry: &Entry) -> Result<(), String> {
        let Some((first, rest)) = entry.words.split_first() else { return Ok(()) };
        if !first.quoted && first.text.starts_with('$') {
            return self.directive(&first.text, rest);
        }
        let words = if entry.indented {
            &entry.words[..]
        } else {
            let owner = absolute(&first.text, &self.origin)
                .ok_or_else(|| format!("{:?} is not a name", first.text))?;
            self.owner = Some(owner);
            rest
        };
        self.record(words)
    }

    fn directive(&mut self, name: &str, rest: &[Word]) -> Result<(), String> {
        let value = || rest.first().map(|w| w.text.as_str()).ok_or_else(|| format!("{name} says nothing"));
        match name.to_ascii_uppercase().as_str() {
            "$ORIGIN" => {
                self.origin = absolute(value()?, &self.origin).ok_or("$ORIGIN is not a name")?;
                Ok(())
            }
            "$TTL" => {
                self.default_ttl = Some(ttl(value()?).ok_or("$TTL is not a time")?);
                Ok(())
            }
            _ => Err(format!("{name} is not taken: write the records out")),
        }
    }

    fn record(&mut self, mut words: &[Word]) -> Result<(), String> {
        let owner = self.owner.clone().ok_or("the first record has no owner")?;
        let (mut own_ttl, mut class) = (None, false);
        let kind = loop {
            let (word, rest) = words.split_first().ok_or("a record without a type")?;
            words = rest;
            let text = word.text.as_str();
            if own_ttl.is_none() && text.starts_with(|c: char| c.is_ascii_digit()) {
                own_ttl = Some(ttl(text).ok_or_else(|| format!("{text:?} is not a time"))?);
            } else if !class && ["IN", "CH", "HS"].iter().any(|c| c.eq_ignore_ascii_case(text)) {
                if !text.eq_ignore_ascii_case("IN") {
                    return Err(format!("class {text} is not taken"));
                }
                class = true;
            } else {
                break text.to_ascii_uppercase();
            }
        };
        let ttl = own_ttl.or(self.default_ttl).or(self.last_ttl).unwrap_or(DEFAULT_TTL);
        self.last_ttl = Some(ttl);
        self.put(&owner, &kind, ttl, words)
    }

    fn put(&mut self, owner: &Name, kind: &str, ttl: u32, words: &[Word]) -> Result<(), String> {
        let added = match (by_name(kind), other_number(kind)) {
            (Some(row), _) => {
                let rdata = rdata_from(row, words, &self.origin)
                    .ok_or_else(|| format!("this is no content of type {kind}"))?;
                self.collector.add(owner, row.number, ttl, &rdata)
            }
            (None, Some(number)) => self.collector.add(owner, number, ttl, &[]),
            (None, None) if kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => {
                self.collector.add_unknown(owner, kind)
            }
            (None, None) => return Err(format!("{kind:?} is no record type")),
        };
        added.map_err(|e| e.to_string())
    }
}

/// Numbers of types that are not carried and mean something here all the same.
fn other_number(kind: &str) -> Option<u16> {
    let known =
        [("NS", 2), ("SOA", 6), ("DNAME", 39), ("DS", 43), ("RRSIG", 46), ("NSEC", 47), ("DNSKEY", 48)];
    let more = [("NSEC3", 50), ("NSEC3PARAM", 51), ("CDS", 59), ("CDNSKEY", 60)];
    let named = known.iter().chain(&more).find(|(name, _)| *name == kind).map(|(_, n)| *n);
    named.or_else(|| kind.strip_prefix("TYPE")?.parse().ok())
}

/// `3600`, `1h`, `1h30m`.
fn ttl(text: &str) -> Option<u32> {
    let (mut total, mut number) = (0u32, None::<u32>);
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
            continue;
        }
        let unit = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    total.checked_add(number.unwrap_or(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;
    use crate::carried::Source;
    use pdm_model::Timestamp;
    use proptest::prelude::*;

    fn zone() -> ZoneName {
        ZoneName::parse("acme.com").unwrap()
    }

    const FILE: &str = r#"
$ORIGIN acme.com.
$TTL 1h
@       IN SOA ns1.old. host.old. ( 1 7200 ; refresh
                3600 1209600 300 )
        IN NS  ns1.old.
@       300 IN A 192.0.2.80
        MX 10 mx1
        TXT "v=spf1 mx -all"
www     1d CNAME @
mx1     A 192.0.2.25
sub     NS ns.elsewhere.
ns.sub  A 192.0.2.99
app     ALIAS lb.example.
loc     LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
_sip._tcp SRV 10 60 5060 mx1
other.org. A 192.0.2.1
a.*.b   A 192.0.2.1
both    CNAME www
both    TXT "x"
"#;

    #[test]
    fn a_file_as_people_have_it() {
        let carried = read(&zone(), FILE).unwrap().finish(Source::Upload, Timestamp(0));
        let sets: Vec<_> = carried
            .sets
            .iter()
            .map(|s| {
                let all: Vec<_> = s.records.iter().map(String::as_str).collect();
                format!("{} {} {} {}", s.owner, s.ttl.seconds(), s.rtype, all.join("|"))
            })
            .collect();
        assert_eq!(
            sets,
            [
                "acme.com. 300 A 192.0.2.80",
                "acme.com. 3600 MX 10 mx1.acme.com.",
                "acme.com. 3600 TXT \"v=spf1 mx -all\"",
                "_sip._tcp.acme.com. 3600 SRV 10 60 5060 mx1.acme.com.",
                "both.acme.com. 3600 TXT \"x\"",
                "mx1.acme.com. 3600 A 192.0.2.25",
                "www.acme.com. 86400 CNAME acme.com.",
            ]
        );
        let left: Vec<_> = carried.left_out.iter().map(|l| format!("{} {}", l.owner, l.rtype)).collect();
        for expected in [
            "sub.acme.com. NS",
            "ns.sub.acme.com. A",
            "app.acme.com. ALIAS",
            "loc.acme.com. LOC",
            "other.org. A",
        ] {
            assert!(left.iter().any(|l| l == expected), "{expected}: {left:?}");
        }
        assert_eq!((carried.left_out_counts["SOA"], carried.left_out_counts["CNAME"]), (1, 1));
        assert!(left.iter().any(|l| l == "a.*.b.acme.com. A"));
    }

    #[test]
    fn garbage_is_refused_with_its_line() {
        for (text, line, word) in [
            ("@ A 192.0.2.1\n$INCLUDE /etc/passwd\n", 2, "$INCLUDE"),
            ("$include x\n", 1, "$include"),
            ("$GENERATE 1-9 a$ A 192.0.2.$\n", 1, "$GENERATE"),
            ("@ A 1.2.3\n", 1, "type A"),
            ("\n\n@ TXT \"open\n", 3, "quote"),
            ("@ CH TXT x\n", 1, "class"),
            (" A 192.0.2.1\n", 1, "owner"),
            ("@ 99999999999 A 192.0.2.1\n", 1, "time"),
            ("@\n", 1, "type"),
            ("@ A! x\n", 1, "record type"),
        ] {
            let refused = read(&zone(), text).unwrap_err();
            assert_eq!(refused.line, line, "{text}");
            assert!(refused.what.contains(word), "{text}: {refused}");
        }
    }

    #[test]
    fn too_many_records_are_refused() {
        let text = "@ 1 A 192.0.2.1\n".repeat(crate::MAX_RECORDS + 1);
        assert!(read(&zone(), &text).unwrap_err().what.contains("more than"));
    }

    #[test]
    fn times_have_units() {
        assert_eq!(["60", "1h", "1h30m", "2W"].map(ttl), [Some(60), Some(3600), Some(5400), Some(1_209_600)]);
        assert_eq!([ttl("h"), ttl("1x"), ttl("9999999999")], [None; 3]);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "[\\PC\n\t@$(); .A-Z0-9\"\\\\]{0,200}") {
            let _ = read(&zone(), &text).map(|c| c.finish(Source::Upload, Timestamp(0)));
        }
    }
}
