//! What several checks have in common.

use std::collections::{BTreeMap, BTreeSet};

use pdm_dnssec::Name;
use pdm_model::audit::Severity;

use crate::audit::facts::{Child, Facts};
use crate::audit::found::Found;
use crate::audit::probe::Probe;
use crate::present::Soa;

/// The reason lies with us: an address that may not be asked, or a budget that is used up.
pub(super) fn not_ours(why: &str) -> bool {
    why.contains("is not allowed") || why.contains("used up its")
}

/// Servers differ in one part of the SOA.
pub(super) fn differs(
    facts: &Facts,
    found: &mut Found<'_>,
    severity: Severity,
    what: &str,
    part: impl Fn(&Soa) -> String,
) {
    let mut seen: BTreeMap<String, &Child> = BTreeMap::new();
    for (child, soa) in facts.soas() {
        seen.entry(part(&soa)).or_insert(child);
    }
    if seen.len() > 1 {
        let values: Vec<String> =
            seen.iter().map(|(value, child)| format!("{value} at {}", child.called())).collect();
        let mut draft = found.add(severity, format!("{what}: {}", values.join("; ")));
        for child in seen.values() {
            draft = draft.shown_by(child, &Probe::Soa);
        }
    }
}

/// Something about the SOA, told once.
pub(super) fn each_soa(
    facts: &Facts,
    found: &mut Found<'_>,
    severity: Severity,
    wrong: impl Fn(&Soa) -> Option<String>,
) {
    let first = facts.soas().into_iter().find_map(|(child, soa)| Some((child, wrong(&soa)?)));
    if let Some((child, detail)) = first {
        found.add(severity, detail).shown_by(child, &Probe::Soa);
    }
}

/// Labels as text.
pub(super) fn labels(name: &Name) -> Vec<String> {
    name.labels().map(|label| String::from_utf8_lossy(label).into_owned()).collect()
}

/// Letters, digits and hyphens only.
pub(super) fn is_ldh(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// A host name (RFC 1123 2.1): LDH labels, no hyphen at an end, and a last label that is not a number.
pub(super) fn is_host_name(name: &Name) -> bool {
    let labels = labels(name);
    let good = |label: &String| is_ldh(label) && !label.starts_with('-') && !label.ends_with('-');
    let number = labels.last().is_none_or(|label| label.bytes().all(|b| b.is_ascii_digit()));
    labels.iter().all(good) && !number
}

/// Records of the answer section as the header counts them.
pub(super) fn answer_count(octets: &[u8]) -> u16 {
    match octets.get(6..8) {
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        _ => 0,
    }
}

/// Contents in one line.
pub(super) fn joined(records: &BTreeSet<String>) -> String {
    records.iter().cloned().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_told_from_other_names() {
        for (text, good) in [
            ("ns1.example.", true),
            ("1ns.example.", true),
            ("n_s.example.", false),
            ("-ns.example.", false),
            ("ns-.example.", false),
            ("192.0.2.1.", false),
            (".", false),
        ] {
            assert_eq!(is_host_name(&Name::parse(text).unwrap()), good, "{text}");
        }
    }
}
