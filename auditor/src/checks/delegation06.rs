//! DELEGATION06: a nameserver has no SOA for the zone.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DELEGATION06",
    alias: "Delegation06",
    title: "a nameserver has no SOA for the zone",
    severity: "error for each server that answers with authority and without SOA",
    explanation: "A zone without SOA is none: negative answers cannot be cached and secondaries cannot follow.",
    fix: "load the zone anew on that server",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &["BASIC02"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.servers.iter().filter(|child| !child.speaks()) {
        let lacks = child.answer(&Probe::Soa).is_some_and(|a| a.authoritative && a.rcode == 0);
        if lacks {
            found.add(Error, format!("{} has no SOA", child.called())).at(child, &Probe::Soa);
        }
    }
}
