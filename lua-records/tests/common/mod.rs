//! Shared by the tests: a strategy that makes any policy, and an embedded Lua that behaves like PowerDNS.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod generate;
pub mod world;

use pdm_lua_records::{Admission, Failover, Server, Spec, Version};

/// The versions that golden files exist for.
pub const VERSIONS: [&str; 5] = ["4.7.3", "4.8.4", "4.9.5", "5.0.2", "5.1.4"];

pub const TENANT: &str = "omantel.omani.works";

/// A server of this version that can do everything its version can.
pub fn server(version: &str) -> Server {
    Server { version: version.parse().unwrap(), geoip: true, signed: false }
}

pub fn newest() -> Version {
    VERSIONS[VERSIONS.len() - 1].parse().unwrap()
}

/// What a trusting pool says.
pub fn admission(networks: &[ipnet::IpNet]) -> Admission<'_> {
    Admission { tenant: TENANT, allowed_networks: networks, allow_http_checks: true }
}

/// Every network.
pub fn anywhere() -> Vec<ipnet::IpNet> {
    vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]
}

/// The model of a JSON text, by a pool that admits every network.
pub fn failover(json: &str) -> Failover {
    let spec: Spec = serde_json::from_str(json).unwrap();
    Failover::build(&spec, &admission(&anywhere())).unwrap()
}

/// The policies under `tests/policies`, by name.
pub fn policies() -> Vec<(String, Failover)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies");
    let mut policies: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, failover(&std::fs::read_to_string(path).unwrap()))
        })
        .collect();
    policies.sort_by(|a, b| a.0.cmp(&b.0));
    policies
}
