//! NAMESERVER07: a nameserver refers upwards.

use pdm_dnssec::{Name, SignedSet, rtype};
use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER07",
    alias: "Nameserver07",
    title: "a nameserver refers upwards",
    severity: "warning for each server that answers a foreign question with a referral to the root",
    explanation: "Such answers are of no use and amplify attacks.",
    fix: "let the server refuse names that it does not serve",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let Some(answer) = child.answer(&Probe::RootNs) else { continue };
        let root =
            |sets: &[SignedSet]| sets.iter().any(|set| set.rtype == rtype::NS && set.owner == Name::root());
        if answer.rcode == 0 && (root(&answer.answers) || root(&answer.authorities)) {
            found.add(Warning, format!("{} refers to the root", child.called())).at(child, &Probe::RootNs);
        }
    }
}
