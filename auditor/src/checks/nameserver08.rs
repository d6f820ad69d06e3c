//! NAMESERVER08: a nameserver minds upper and lower case.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::{Facts, texts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER08",
    alias: "Nameserver08",
    title: "a nameserver minds upper and lower case",
    severity: "error for each server that answers differently",
    explanation: "Names are compared without case (RFC 4343); resolvers vary it on purpose.",
    fix: "update the server",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking().filter(|child| child.set(&Probe::Soa).is_some()) {
        let same = child.set(&Probe::Odd).map(texts) == child.set(&Probe::Soa).map(texts);
        if !same {
            found.add(Error, format!("{} answers differently", child.called())).at(child, &Probe::Odd);
        }
    }
}
