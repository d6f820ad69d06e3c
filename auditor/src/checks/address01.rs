//! ADDRESS01: a nameserver has an address that the internet cannot reach.

use pdm_model::address::special_range;
use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "ADDRESS01",
    alias: "Address01",
    title: "a nameserver has an address that the internet cannot reach",
    severity: "error for each address in a special range",
    explanation: "Private, loopback and documentation addresses lead resolvers nowhere, or to somebody else.",
    fix: "give the nameserver a public address",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in &facts.servers {
        if let Some(range) = special_range(child.server.address.ip()) {
            found.add(Error, format!("{} is {range}", child.called())).at(child, &Probe::Soa);
        }
    }
}
