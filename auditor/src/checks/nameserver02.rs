//! NAMESERVER02: a nameserver does not know EDNS.

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER02",
    alias: "Nameserver02",
    title: "a nameserver does not know EDNS",
    severity: "warning for each server that answers without an OPT record",
    explanation: "Without EDNS there is no DNSSEC and nothing beyond 512 octets (RFC 6891).",
    fix: "update the server or what stands in front of it",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &["BASIC02", "CONNECTIVITY01", "DELEGATION04", "DELEGATION06"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in &facts.servers {
        let plain = child.answer(&Probe::Plain).is_some_and(|answer| answer.rcode == 0);
        let with = child.answer(&Probe::Soa);
        let lacks = match with {
            Some(answer) => answer.edns.is_none(),
            None => true,
        };
        if plain && lacks {
            found.add(Warning, format!("{} answers without OPT", child.called())).at(child, &Probe::Soa);
        }
    }
}
