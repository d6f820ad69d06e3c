//! Contents with escapes (RFC 1035 section 5.1), in the form that a server takes.
//!
//! PowerDNS 5.1 undoes the escapes of what comes by its API, and then reads it, which undoes them again: `"a\\b"` is
//! stored and served as `"ab"`, `"a\"b"` is refused (measured on 5.1.5). There, every escape is escaped once more. What
//! later versions do nobody knows yet. So whatever has escapes is looked at after it was written; if it is not what was
//! meant, the other form is written, and used for that version from then on.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use pdm_model::ZoneName;
use pdm_model::canonical::Change;
use pdm_model::rrset::RRset;
use pdm_ports::{Class, Fault, Stamp, ZoneBackend as _};

use crate::answer::ApiError;
use crate::backend::{PowerDns, version};
use crate::client::Request;
use crate::preflight::release;

/// How contents with escapes are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In presentation form, as everywhere.
    Once,
    /// With every escape escaped again.
    Twice,
}

impl Form {
    fn other(self) -> Self {
        match self {
            Self::Once => Self::Twice,
            Self::Twice => Self::Once,
        }
    }

    /// A content in this form.
    pub(crate) fn of(self, content: &str) -> Cow<'_, str> {
        match self {
            Self::Twice if content.contains('\\') => Cow::Owned(again(content)),
            Self::Once | Self::Twice => Cow::Borrowed(content),
        }
    }
}

/// The form that a version was seen to take, where it is not the one to be expected.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Option<(String, Form)>>);

impl Seen {
    fn of(&self, version: &str) -> Form {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.as_ref().filter(|(known, _)| known == version) {
            Some((_, form)) => *form,
            None if release(version) >= Some((5, 1)) => Form::Twice,
            None => Form::Once,
        }
    }

    fn put(&self, version: String, form: Form) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, form));
    }
}

/// Whether an RRset has escapes.
pub(crate) fn has(rrset: &RRset) -> bool {
    rrset.records.iter().any(|content| content.contains('\\'))
}

fn with_escapes(changes: &[Change]) -> impl Iterator<Item = &RRset> {
    changes.iter().filter_map(|change| match change {
        Change::Replace(rrset) if has(rrset) => Some(rrset),
        Change::Replace(_) | Change::Delete(..) => None,
    })
}

/// Write changes, in the form that the server takes.
pub(crate) async fn change(
    dns: &PowerDns,
    zone: &ZoneName,
    changes: &[Change],
    stamp: &Stamp,
) -> Result<(), Fault> {
    if with_escapes(changes).next().is_none() {
        return dns.write_changes(zone, changes, stamp, Form::Once).await;
    }
    let begun = Instant::now();
    let reply = dns.instances.primary().call(Request::get("version", "")).await;
    let version = version(&reply.map_err(ApiError::into_fault)?.body)?;
    let form = dns.escapes.of(&version);
    dns.write_changes(zone, changes, stamp, form).await?;
    if holds(dns, zone, changes, stamp).await? {
        return Ok(());
    }
    tracing::warn!(%zone, version, "PowerDNS reads escapes in another way than was thought");
    dns.escapes.put(version, form.other());
    // Whoever calls is allowed to write for so long, and tries again.
    if begun.elapsed() > dns.instances.timeout() {
        return Err(Fault::transient("powerdns-busy", format!("a change of {zone} took too long")));
    }
    dns.write_changes(zone, changes, stamp, form.other()).await?;
    if holds(dns, zone, changes, stamp).await? {
        return Ok(());
    }
    let text = format!("PowerDNS took contents with escapes for {zone} and keeps others");
    Err(Fault::new(Class::Rejected, "powerdns-rejected", text))
}

/// Whether the zone has everything with escapes as it was meant.
async fn holds(dns: &PowerDns, zone: &ZoneName, changes: &[Change], stamp: &Stamp) -> Result<bool, Fault> {
    let there = dns.read_zone(zone).await?;
    // Somebody who may wrote after us: what is there is not ours to judge.
    let Some(there) = there.filter(|there| there.stamp.as_ref() == Some(stamp)) else {
        return Err(Fault::transient("powerdns-conflict", format!("the zone {zone} changed meanwhile")));
    };
    let meaning = |rrset: &RRset| rrset.records.iter().map(|content| plain(content)).collect::<BTreeSet<_>>();
    Ok(with_escapes(changes).all(|wanted| {
        there.rrsets.iter().any(|found| found.key() == wanted.key() && meaning(found) == meaning(wanted))
    }))
}

/// A content by its parts, each with whether it stands in quotes: an escape is one part, so is every other character.
fn parts(content: &str) -> impl Iterator<Item = (&str, bool)> {
    let (mut rest, mut quoted) = (content, false);
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let by_number = rest.get(1..4).is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let length = match first {
            '\\' if by_number => 4,
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            other => other.len_utf8(),
        };
        let (part, after) = rest.split_at(length);
        rest = after;
        quoted ^= part == "\"";
        Some((part, quoted))
    })
}

/// Every escape escaped once more.
fn again(content: &str) -> String {
    parts(content)
        .map(|(part, _)| match part {
            "\\\"" => r#"\\\""#.to_owned(),
            "\\\\" => r"\\\\".to_owned(),
            other => other.replace('\\', r"\\"),
        })
        .collect()
}

/// One of the ways to write the same: in quotes, what need not be escaped is not; between words stands one space. Outside
/// of quotes an escape may matter, as that of a dot within a label does.
fn plain(content: &str) -> String {
    let mut text = String::with_capacity(content.len());
    for (part, quoted) in parts(content) {
        let opens = quoted && part == "\"";
        let space = !quoted && matches!(part, " " | "\t");
        if space || opens && text.ends_with('"') {
            if !text.ends_with(' ') {
                text.push(' ');
            }
            if space {
                continue;
            }
        }
        let Some(escaped) = part.strip_prefix('\\').filter(|_| quoted) else {
            text.push_str(part);
            continue;
        };
        let octet = match escaped.as_bytes() {
            [octet] => Some(*octet),
            _ => escaped.parse::<u8>().ok(),
        };
        match octet {
            Some(octet @ (b'"' | b'\\')) => text.extend(['\\', char::from(octet)]),
            Some(octet @ 0x20..=0x7e) => text.push(char::from(octet)),
            Some(octet) => text.push_str(&format!("\\{octet:03}")),
            // Beyond 255 nobody knows what is meant; of any other character the escape says nothing.
            None if escaped.is_ascii() => text.push_str(part),
            None => text.push_str(escaped),
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_escape_once_more() {
        for (content, twice) in [
            (r#""v=spf1 -all" "x""#, r#""v=spf1 -all" "x""#),
            (r#""a\"b""#, r#""a\\\"b""#),
            (r#""a\\b""#, r#""a\\\\b""#),
            (r#""\200\\\"""#, r#""\\200\\\\\\\"""#),
            (r"a\.b.example.", r"a\\.b.example."),
            (r"a\", r"a\\"),
        ] {
            assert_eq!(Form::Twice.of(content), twice);
            assert_eq!(Form::Once.of(content), content);
        }
    }

    #[test]
    fn the_same_by_its_meaning() {
        assert_eq!(plain(r#""a\;b\065" "\034""#), plain(r#""a;bA" "\"""#));
        assert_eq!(plain(r#""a\\b""c"  "d" "#), plain(r#""a\\b" "c" "d""#));
        assert_eq!(plain(r#""a  b""#), r#""a  b""#);
        assert_ne!(plain(r#""a\\b""#), plain(r#""ab""#));
        // Octets of one character stay together, however many they are.
        assert_ne!(plain(r#""\é""#), plain(r#""\è""#));
        assert_eq!(plain(r#""\é\€""#), plain(r#""é€""#));
        assert_ne!(plain(r"a\.b."), plain("a.b."));
    }

    proptest! {
        /// What 5.1 does first takes away exactly what was added.
        #[test]
        fn undone_once_it_is_what_it_was(content in "[ -~é]{0,40}") {
            let twice = again(&content);
            let undone: String = parts(&twice).map(|(part, _)| part.strip_prefix('\\').unwrap_or(part)).collect();
            prop_assume!(!content.ends_with('\\'));
            prop_assert_eq!(undone, content);
        }

        #[test]
        fn garbage_never_panics(content in "\\PC{0,40}") {
            let _ = (again(&content), plain(&content));
        }
    }
}
