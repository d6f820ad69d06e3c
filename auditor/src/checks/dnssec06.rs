//! DNSSEC06: a nameserver leaves signatures out.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC06",
    alias: "DNSSEC06",
    title: "a nameserver leaves signatures out",
    severity: "error for each server that answers keys without signatures when asked for them",
    explanation: "A validator behind this server cannot validate anything.",
    fix: "switch DNSSEC on for the zone on that server",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Signed,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        if child.set(&Probe::Dnskey).is_some_and(|set| set.signatures.is_empty()) {
            found
                .add(Error, format!("{} sends DNSKEY without RRSIG", child.called()))
                .at(child, &Probe::Dnskey);
        }
    }
}
