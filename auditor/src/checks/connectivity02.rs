//! CONNECTIVITY02: a nameserver does not answer by TCP.

use pdm_model::audit::Severity::Error;

use super::shared::not_ours;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "CONNECTIVITY02",
    alias: "Connectivity02",
    title: "a nameserver does not answer by TCP",
    severity: "error for each address that answers no question by TCP",
    explanation: "Answers that do not fit a datagram are fetched by TCP; DNSSEC makes them large (RFC 7766).",
    fix: "open port 53 for TCP",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &["BASIC02", "CONNECTIVITY01", "ADDRESS01"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in &facts.servers {
        let Some(Err(why)) = child.reply(&Probe::SoaByTcp).map(|reply| &reply.answer) else { continue };
        if not_ours(why) {
            found.could_not_ask(why.clone());
            continue;
        }
        found.add(Error, format!("{}: {why}", child.called())).at(child, &Probe::SoaByTcp);
    }
}
