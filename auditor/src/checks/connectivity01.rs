//! CONNECTIVITY01: a nameserver does not answer by UDP.

use pdm_model::audit::Severity::Error;

use super::shared::not_ours;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "CONNECTIVITY01",
    alias: "Connectivity01",
    title: "a nameserver does not answer by UDP",
    severity: "error for each address that does not answer for the zone by UDP",
    explanation: "Most questions come by UDP; a silent server costs every resolver seconds.",
    fix: "start the server, open port 53, or take it out of the NS set",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &["BASIC02", "NAMESERVER04", "ADDRESS01"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in &facts.servers {
        let Some(Err(why)) = child.reply(&Probe::Soa).map(|reply| &reply.answer) else { continue };
        if not_ours(why) {
            found.could_not_ask(why.clone());
            continue;
        }
        found.add(Error, format!("{}: {why}", child.called())).at(child, &Probe::Soa);
    }
}
