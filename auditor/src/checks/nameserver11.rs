//! NAMESERVER11: a nameserver mishandles an unknown EDNS option.

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER11",
    alias: "Nameserver11",
    title: "a nameserver mishandles an unknown EDNS option",
    severity: "warning for each server that does not ignore it",
    explanation: "New options make its answers fail (RFC 6891 6.1.2).",
    fix: "update the server",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &["NAMESERVER02"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let good = child.answer(&Probe::UnknownOption).is_some_and(|answer| {
            answer.rcode == 0 && !answer.edns.as_ref().is_some_and(|edns| edns.options.contains(&137))
        });
        if !good {
            found
                .add(Warning, format!("{} does not ignore it", child.called()))
                .at(child, &Probe::UnknownOption);
        }
    }
}
