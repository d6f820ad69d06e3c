//! CONNECTIVITY04: all nameservers are in one network.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "CONNECTIVITY04",
    alias: "Connectivity04",
    title: "all nameservers are in one network",
    severity: "warning when all addresses share one /24 or /48",
    explanation: "One broken link or one attack takes all of them away (RFC 2182).",
    fix: "put a nameserver into another network",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let networks: BTreeSet<String> =
        facts.servers.iter().map(|child| network(child.server.address.ip())).collect();
    if facts.servers.len() > 1 && networks.len() == 1 {
        found.add(
            Warning,
            format!(
                "all {} addresses are in {}",
                facts.servers.len(),
                networks.into_iter().collect::<String>()
            ),
        );
    }
}

/// The network that an address shares with its neighbours.
fn network(ip: IpAddr) -> String {
    let bits = if ip.is_ipv4() { 24 } else { 48 };
    ipnet::IpNet::new(ip, bits).map_or_else(|_| ip.to_string(), |net| net.trunc().to_string())
}
