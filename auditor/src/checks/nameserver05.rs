//! NAMESERVER05: a nameserver mishandles questions for AAAA.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER05",
    alias: "Nameserver05",
    title: "a nameserver mishandles questions for AAAA",
    severity: "error for each server that does not answer them like others",
    explanation: "Clients that ask for IPv6 addresses first run into errors or timeouts (RFC 4074).",
    fix: "update the server",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let good = child.answer(&Probe::Aaaa).is_some_and(|answer| answer.rcode == 0);
        if !good {
            found.add(Error, format!("{} does not answer NOERROR", child.called())).at(child, &Probe::Aaaa);
        }
    }
}
