//! NAMESERVER10: a nameserver mishandles an unknown version of EDNS.

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER10",
    alias: "Nameserver10",
    title: "a nameserver mishandles an unknown version of EDNS",
    severity: "warning for each server that does not answer BADVERS",
    explanation: "Future versions would fail there (RFC 6891 6.1.3).",
    fix: "update the server",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &["NAMESERVER02"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let answer = child.answer(&Probe::Version1);
        if answer.is_none_or(|answer| answer.rcode != 16) {
            found
                .add(Warning, format!("{} does not answer BADVERS", child.called()))
                .at(child, &Probe::Version1);
        }
    }
}
