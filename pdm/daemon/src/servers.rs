//! Which addresses a proof asks: those of every nameserver, and every PowerDNS instance.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use pdm_model::ZoneName;
use pdm_ports::Server;

use crate::config::Config;
use crate::failure::Failure;

const PATIENCE: Duration = Duration::from_secs(5);

/// Configured addresses first, then the system's resolver, then glue.
///
/// # Errors
/// A nameserver whose address nobody knows: a proof that leaves it out in silence would be none.
pub async fn find(config: &Config) -> Result<Vec<Server>, Failure> {
    let mut by_address: BTreeMap<SocketAddr, BTreeSet<String>> = BTreeMap::new();
    let asked: Vec<&ZoneName> =
        config.dns.nameservers.iter().filter(|n| !config.dns.maintenance.contains(n)).collect();
    let found = futures_util::future::join_all(asked.iter().map(|name| addresses(config, name))).await;
    let mut unknown = Vec::new();
    for (name, addresses) in asked.iter().zip(found) {
        if addresses.is_empty() {
            unknown.push(name.to_string());
        }
        for address in addresses {
            by_address.entry(address).or_default().insert(name.to_string());
        }
    }
    if !unknown.is_empty() {
        return Err(Failure::Refused(format!(
            "the addresses of {} cannot be found by the system's resolver\n  \
             next step: give them in dns.nameserver_addresses, or as dns.glue when they lie inside a pool",
            unknown.join(", ")
        )));
    }
    for instance in &config.powerdns {
        if let Some(address) = instance.dns {
            by_address.entry(address).or_default().insert(instance.url.clone());
        }
    }
    let server = |(address, names): (_, BTreeSet<_>)| Server { names: names.into_iter().collect(), address };
    Ok(by_address.into_iter().map(server).collect())
}

async fn addresses(config: &Config, name: &ZoneName) -> Vec<SocketAddr> {
    if let Some(given) = config.dns.nameserver_addresses.get(name) {
        return given.clone();
    }
    let host = format!("{name}.");
    let resolved = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host.as_str(), 53))).await;
    if let Ok(Ok(resolved)) = resolved {
        let all: BTreeSet<SocketAddr> = resolved.collect();
        if !all.is_empty() {
            return all.into_iter().collect();
        }
    }
    config.dns.glue.get(name).cloned().unwrap_or_default()
}
