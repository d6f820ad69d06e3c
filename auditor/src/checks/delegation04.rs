//! DELEGATION04: a nameserver does not serve the zone.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DELEGATION04",
    alias: "Delegation04",
    title: "a nameserver does not serve the zone",
    severity: "error for each server that answers without authority",
    explanation: "A lame server: resolvers are sent there and get nothing (RFC 1912 2.8).",
    fix: "let the server load the zone, or take it out of the NS set",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &["BASIC02"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.servers.iter().filter(|child| !child.speaks()) {
        let Some(answer) = child.answer(&Probe::Soa) else { continue };
        if answer.authoritative && answer.rcode == 0 {
            continue;
        }
        let what = if answer.rcode == 0 {
            "without authority".to_owned()
        } else {
            crate::judge::rcode(answer.rcode)
        };
        found.add(Error, format!("{} answers {what}", child.called())).at(child, &Probe::Soa);
    }
}
