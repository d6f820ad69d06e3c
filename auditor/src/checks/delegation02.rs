//! DELEGATION02: nameservers share one address.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "DELEGATION02",
    alias: "Delegation02",
    title: "nameservers share one address",
    severity: "warning when two names or more stand for one address",
    explanation: "Several names for one machine are one machine.",
    fix: "give every nameserver an address of its own",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let addresses: BTreeSet<IpAddr> = facts.servers.iter().map(|child| child.server.address.ip()).collect();
    if addresses.len() == 1 && facts.delegated_to().len() > 1 {
        found.add(Warning, format!("{} names have one address", facts.delegated_to().len()));
    }
}
