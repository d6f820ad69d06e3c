//! NAMESERVER09: a nameserver changes the case of the question.

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER09",
    alias: "Nameserver09",
    title: "a nameserver changes the case of the question",
    severity: "warning for each server that does not repeat the question as it was asked",
    explanation: "Resolvers compare the case to tell answers from forgeries.",
    fix: "update the server or what stands in front of it",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &["NAMESERVER08"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let Some(reply) = child.reply(&Probe::Odd).filter(|reply| reply.answer.is_ok()) else { continue };
        if !reply.question.is_echoed_by(&reply.octets) {
            found.add(Warning, format!("{} changes it", child.called())).at(child, &Probe::Odd);
        }
    }
}
