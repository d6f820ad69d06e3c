//! ZONE10: there is more than one SOA.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "ZONE10",
    alias: "Zone10",
    title: "there is more than one SOA",
    severity: "error",
    explanation: "A zone has one (RFC 1035 5.2); whatever reads it may take either.",
    fix: "remove all but one",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        if let Some(set) = child.set(&Probe::Soa).filter(|set| set.records.len() > 1) {
            found.add(Error, format!("{} has {}", child.called(), set.records.len())).at(child, &Probe::Soa);
        }
    }
}
