//! DNSSEC13: not every algorithm of the keys signs everything.

use std::collections::BTreeSet;

use pdm_dnssec::Dnskey;
use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC13",
    alias: "DNSSEC13",
    title: "not every algorithm of the keys signs everything",
    severity: "warning when a set lacks a signature by an algorithm that the keys have",
    explanation: "A zone must be signed by every algorithm that its keys have (RFC 4035 2.2), or strict validators refuse it.",
    fix: "finish the algorithm roll",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Signed,
    because: &["DNSSEC04", "DNSSEC06", "DNSSEC08", "DNSSEC09"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let algorithms: BTreeSet<u8> = child.keys().iter().map(Dnskey::algorithm).collect();
        for probe in [Probe::Dnskey, Probe::Soa, Probe::Ns] {
            let Some(set) = child.set(&probe).filter(|set| !set.signatures.is_empty()) else { continue };
            let signed: BTreeSet<u8> = set.signatures.iter().map(|s| s.algorithm).collect();
            if let Some(missing) = algorithms.difference(&signed).next() {
                let kind = crate::types::TypeName(set.rtype);
                found
                    .add(Warning, format!("{kind} has no signature of algorithm {missing}"))
                    .shown_by(child, &probe);
                return;
            }
        }
    }
}
