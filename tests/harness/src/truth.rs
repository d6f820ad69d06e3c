//! Is what is there what should be there? Compares the store, through the API, with PowerDNS, past the proxy.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::powerdns::contents;
use crate::world::{NAMESERVERS, POOL, World};

fn ips(allocation: &Value) -> Vec<String> {
    if allocation["suspended"].is_string() {
        return Vec::new();
    }
    let list = allocation["loadBalancers"].as_array().cloned().unwrap_or_default();
    let mut all: Vec<String> = list.iter().filter_map(|lb| lb["ipv4"].as_str()).map(str::to_owned).collect();
    all.sort();
    all
}

/// Every way in which PowerDNS and the store disagree; empty when all is well. Nothing may be under way.
pub async fn differences(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut by_name: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for one in world.api().allocations().await {
        by_name.entry(one["fqdn"].as_str().unwrap_or("").to_owned()).or_default().push(one);
    }
    let zones: BTreeSet<String> = world.dns().zones().await.into_iter().collect();
    let pool = world.dns().zone(POOL).await.unwrap_or(Value::Null);
    let nameservers: Vec<String> = NAMESERVERS.iter().map(|n| format!("{n}.")).collect();
    if contents(&pool, POOL, "SOA").len() != 1 {
        wrong.push(format!("the pool has {} SOA records", contents(&pool, POOL, "SOA").len()));
    }
    let mut expected = BTreeSet::from([POOL.to_owned()]);
    for (name, rows) in &by_name {
        let live: Vec<_> = rows.iter().filter(|a| a["phase"] != "freed").collect();
        if live.len() > 1 {
            wrong.push(format!("{name} is lent {} times", live.len()));
        }
        let Some(one) = live.first() else { continue };
        if one["phase"] == "active" {
            expected.insert(name.clone());
            wrong.extend(zone_differences(world, name, one, &pool, &nameservers).await);
        } else if one["phase"] != "reserved" && one["phase"] != "quarantined" {
            wrong.push(format!("{name} is still {}", one["phase"]));
        }
    }
    wrong.extend(zones.difference(&expected).map(|z| format!("the zone {z} belongs to no active name")));
    for set in pool["rrsets"].as_array().into_iter().flatten() {
        let owner = set["name"].as_str().unwrap_or("").trim_end_matches('.');
        let (rtype, records) =
            (set["type"].as_str().unwrap_or(""), set["records"].as_array().map_or(0, Vec::len));
        if matches!(rtype, "NS" | "DS") && owner != POOL && records > 0 && !expected.contains(owner) {
            wrong.push(format!("the pool holds {rtype} for {owner}, which is not active"));
        }
    }
    wrong
}

async fn zone_differences(
    world: &World,
    name: &str,
    allocation: &Value,
    pool: &Value,
    nameservers: &[String],
) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some(zone) = world.dns().zone(name).await else { return vec![format!("{name} has no zone")] };
    let mut same = |what: String, seen: Vec<String>, want: &[String]| {
        if seen != want {
            wrong.push(format!("{what}: {seen:?} instead of {want:?}"));
        }
    };
    // Where nameservers compute the answers, all six names hold the same policy and no address beside it.
    let policy = contents(&zone, name, "LUA");
    let want = if policy.is_empty() { ips(allocation) } else { Vec::new() };
    for label in ["", "*.", "console.", "api.", "gitea.", "harbor."] {
        let owner = format!("{label}{name}");
        same(format!("{owner} A"), contents(&zone, &owner, "A"), &want);
        same(format!("{owner} LUA"), contents(&zone, &owner, "LUA"), &policy);
    }
    same(format!("{name} NS"), contents(&zone, name, "NS"), nameservers);
    same(format!("{name} NS in the pool"), contents(pool, name, "NS"), nameservers);
    let ds = world.dns().ds_of_keys(name).await;
    if ds.is_empty() {
        same(format!("{name} keys"), Vec::new(), &["an entry-point key".to_owned()]);
    }
    same(format!("{name} DS"), contents(pool, name, "DS"), &ds);
    let soa = contents(&zone, name, "SOA").len();
    if soa != 1 {
        wrong.push(format!("{name} has {soa} SOA records"));
    }
    wrong
}

/// Panic unless everything is as it should be.
///
/// # Panics
/// With the list of differences.
pub async fn must_hold(world: &World) {
    let wrong = differences(world).await;
    assert!(wrong.is_empty(), "the end state is not consistent:\n  {}", wrong.join("\n  "));
}
