//! NAMESERVER13: a truncated answer comes without EDNS.

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER13",
    alias: "Nameserver13",
    title: "a truncated answer comes without EDNS",
    severity: "warning for each server that leaves the OPT record out when it truncates",
    explanation: "Resolvers take such a server for one without EDNS (RFC 6891 7).",
    fix: "update the server",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &["NAMESERVER02"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let lacks = child.answer(&Probe::Small).is_some_and(|answer| answer.edns.is_none());
        if lacks {
            found.add(Warning, format!("{} leaves it out", child.called())).at(child, &Probe::Small);
        }
    }
}
