//! NAMESERVER03: a nameserver gives the whole zone to anybody.

use pdm_model::audit::Severity::Warning;

use super::shared::answer_count;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER03",
    alias: "Nameserver03",
    title: "a nameserver gives the whole zone to anybody",
    severity: "warning for each server that allows AXFR",
    explanation: "Everybody can list every name.",
    fix: "allow AXFR for the secondaries only",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        // The first message of a transfer may be larger than any answer, so that only its header is read.
        let open = child.reply(&Probe::Axfr).is_some_and(|reply| {
            reply.octets.get(3).is_some_and(|code| code & 15 == 0) && answer_count(&reply.octets) > 0
        });
        if open {
            found.add(Warning, format!("{} allows it", child.called())).at(child, &Probe::Axfr);
        }
    }
}
