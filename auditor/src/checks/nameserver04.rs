//! NAMESERVER04: a nameserver answers from another address than the one that was asked.

use pdm_model::audit::Severity::Error;

use crate::ask::came_from;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER04",
    alias: "Nameserver04",
    title: "a nameserver answers from another address",
    severity: "error for each address whose answers come from elsewhere",
    explanation: "Resolvers drop a reply that comes from another address than the one they asked (RFC 2181 4.1), so to them the server is silent. It happens to hosts with several addresses.",
    fix: "bind the server to the address it is asked at, or keep the source address in the network",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &["ADDRESS01"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in &facts.servers {
        let Some(Err(why)) = child.reply(&Probe::FromAnywhere).map(|reply| &reply.answer) else { continue };
        if let Some(from) = came_from(why) {
            let detail = format!("{} was asked, {from} answered", child.called());
            found.add(Error, detail).at(child, &Probe::FromAnywhere);
        }
    }
}
