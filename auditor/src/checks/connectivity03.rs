//! CONNECTIVITY03: all nameservers are in one autonomous system.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "CONNECTIVITY03",
    alias: "Connectivity03",
    title: "all nameservers are in one autonomous system",
    severity: "warning when one autonomous system announces all addresses, as `audit.networks` tells",
    explanation: "One operator's routing mistake takes all of them away at once (RFC 2182 3.1). Which system announces a network is told by the configuration; nobody outside is asked.",
    fix: "put a nameserver into a network of another operator",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &["CONNECTIVITY04"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    if facts.request.networks.is_empty() {
        return found.skip("audit.networks does not tell which systems announce the nameservers' networks");
    }
    let addresses: Vec<_> = facts.servers.iter().map(|child| child.server.address.ip()).collect();
    let systems: BTreeSet<_> = addresses.iter().filter_map(|ip| system(facts, *ip)).collect();
    if systems.len() > 1 {
        return;
    }
    if let Some(ip) = addresses.iter().find(|ip| system(facts, **ip).is_none()) {
        return found.could_not_ask(format!("audit.networks does not tell which system announces {ip}"));
    }
    if let (true, Some(system)) = (addresses.len() > 1, systems.first()) {
        found.add(Warning, format!("AS{system} announces all {} addresses", addresses.len()));
    }
}

/// The system that announces an address: the longest prefix decides.
fn system(facts: &Facts, ip: IpAddr) -> Option<u32> {
    let around = facts.request.networks.iter().filter(|(network, _)| network.contains(&ip));
    around.max_by_key(|(network, _)| network.prefix_len()).map(|(_, system)| *system)
}
