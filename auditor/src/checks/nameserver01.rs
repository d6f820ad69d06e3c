//! NAMESERVER01: a nameserver resolves for everybody.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER01",
    alias: "Nameserver01",
    title: "a nameserver resolves for everybody",
    severity: "error for each server that offers recursion",
    explanation: "Open resolvers are used for attacks, and mix cached data into authoritative answers.",
    fix: "switch recursion off",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in &facts.servers {
        if child.answer(&Probe::Recurse).is_some_and(|answer| answer.recursion_available) {
            found.add(Error, format!("{} says that it recurses", child.called())).at(child, &Probe::Recurse);
        }
    }
}
