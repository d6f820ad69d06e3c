//! NAMESERVER12: a nameserver mishandles unknown EDNS flags.

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER12",
    alias: "Nameserver12",
    title: "a nameserver mishandles unknown EDNS flags",
    severity: "warning for each server that repeats or refuses them",
    explanation: "Flags that nobody assigned must be zero in answers (RFC 6891 6.1.4).",
    fix: "update the server",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &["NAMESERVER02"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let good = child.answer(&Probe::UnknownFlags).is_some_and(|answer| {
            answer.rcode == 0 && answer.edns.as_ref().is_none_or(|edns| edns.unassigned == 0)
        });
        if !good {
            found
                .add(Warning, format!("{} does not clear them", child.called()))
                .at(child, &Probe::UnknownFlags);
        }
    }
}
