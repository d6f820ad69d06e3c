//! Contents with escapes (RFC 1035 section 5.1), in the form that a server takes.
//!
//! PowerDNS 5.1 undoes the escapes of what comes by its API, and then reads it, which undoes them again: `"a\\b"` is
//! stored and served as `"ab"`, `"a\"b"` is refused (measured on 5.1.5). There, every escape is escaped once more. What
//! later versions do nobody knows yet. So whatever has escapes is looked at after it was written; if it is not what was
//! meant, the other form is tried, and the one that came back right is used from then on.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU8, Ordering};

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

/// The form that this server was seen to take.
#[derive(Debug, Default)]
pub(crate) struct Taken(AtomicU8);

impl Taken {
    fn get(&self) -> Option<Form> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Form::Once),
            2 => Some(Form::Twice),
            _ => None,
        }
    }

    fn put(&self, form: Form) {
        self.0.store(if form == Form::Once { 1 } else { 2 }, Ordering::Relaxed);
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
    let first = form(dns).await?;
    let mut told = None;
    for form in [first, first.other()] {
        let fault = match dns.write_changes(zone, changes, stamp, form).await {
            Ok(()) if holds(dns, zone, changes).await? => {
                dns.escapes.put(form);
                return Ok(());
            }
            Ok(()) => Fault::new(
                Class::Rejected,
                "powerdns-rejected",
                format!("PowerDNS took contents with escapes for {zone} and keeps others"),
            ),
            Err(fault) if fault.class == Class::Rejected => fault,
            Err(fault) => return Err(fault),
        };
        // What the likelier form met is what the content is to blame for.
        told.get_or_insert(fault);
    }
    Err(told.unwrap_or_else(|| Fault::new(Class::Bug, "powerdns-request", "no form was tried")))
}

async fn form(dns: &PowerDns) -> Result<Form, Fault> {
    if let Some(seen) = dns.escapes.get() {
        return Ok(seen);
    }
    let reply = dns.instances.primary().call(Request::get("version", "")).await;
    let version = version(&reply.map_err(ApiError::into_fault)?.body)?;
    Ok(if release(&version) >= Some((5, 1)) { Form::Twice } else { Form::Once })
}

/// Whether the zone has everything with escapes as it was meant.
async fn holds(dns: &PowerDns, zone: &ZoneName, changes: &[Change]) -> Result<bool, Fault> {
    let Some(there) = dns.read_zone(zone).await? else { return Ok(false) };
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
        let digits = rest.bytes().skip(1).take(3).take_while(u8::is_ascii_digit).count();
        let length = match first {
            '\\' if digits == 3 => 4,
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

/// One of the ways to write the same: in quotes, what need not be escaped is not. Outside of them an escape may matter,
/// as that of a dot within a label does.
fn plain(content: &str) -> String {
    let meant = |part: &str| -> Option<u8> {
        let escaped = part.strip_prefix('\\')?;
        if escaped.len() == 3 { escaped.parse().ok() } else { escaped.bytes().next() }
    };
    parts(content)
        .map(|(part, quoted)| match meant(part).filter(|_| quoted) {
            Some(octet @ (b'"' | b'\\')) => format!("\\{}", char::from(octet)),
            Some(octet @ 0x20..=0x7e) => char::from(octet).to_string(),
            Some(octet) => format!("\\{octet:03}"),
            None => part.to_owned(),
        })
        .collect()
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
        assert_ne!(plain(r#""a\\b""#), plain(r#""ab""#));
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
