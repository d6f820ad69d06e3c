//! Any valid policy, as its untrusted shape.

use std::net::{Ipv4Addr, Ipv6Addr};

use pdm_lua_records::spec::{CheckSpec, FailoverSpec, LoadBalancerSpec};
use pdm_lua_records::{Failover, Spec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const COUNTRIES: [&str; 12] = ["OM", "AE", "DE", "AT", "CH", "US", "BR", "ZA", "IN", "JP", "AU", "FR"];
const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "NA", "OC", "SA"];

/// How many addresses each region has of each family; never none of both.
fn shapes(max_regions: usize) -> impl Strategy<Value = Vec<(usize, usize)>> {
    let region = (0_usize..=2, 0_usize..=2).prop_filter("an address", |(v4, v6)| v4 + v6 > 0);
    proptest::collection::vec(region, 1..=max_regions)
}

fn check() -> impl Strategy<Value = CheckSpec> {
    let common = (
        proptest::option::of(1_i64..=3600),
        proptest::option::of(1_i64..=10),
        proptest::option::of(1_i64..=10),
        proptest::option::of(1_i64..=65535),
    );
    let url = (
        select(vec!["http", "https"]),
        proptest::option::of("/[a-zA-Z0-9._~?&=+-][a-zA-Z0-9._~/?&=+-]{0,40}(%[0-9a-f]{2})?"),
        proptest::option::of("[A-Za-z0-9._:=-]([A-Za-z0-9 ._:=-]{0,61}[A-Za-z0-9._:=-])?"),
        proptest::option::of(100_i64..=599),
        proptest::option::of("[A-Za-z0-9._:=-]([A-Za-z0-9 ._:=-]{0,61}[A-Za-z0-9._:=-])?"),
        select(vec!["omantel.omani.works", "health.omantel.omani.works"]),
    );
    (common, proptest::option::of(url)).prop_map(|((interval, timeout, failures, port), url)| {
        let common = CheckSpec { interval, timeout, failures, port, ..CheckSpec::default() };
        match url {
            None => CheckSpec { kind: Some("tcp".into()), ..common },
            Some((kind, path, expect_text, expect_status, user_agent, host)) => CheckSpec {
                kind: Some(kind.into()),
                host: Some(host.into()),
                path,
                expect_text,
                expect_status,
                user_agent,
                ..common
            },
        }
    })
}

/// A valid policy with at most `max_regions` regions of at most two addresses of each family.
pub fn any_failover(max_regions: usize) -> impl Strategy<Value = Failover> {
    (
        shapes(max_regions),
        select(vec!["ordered", "all", "roundRobin", "weighted", "hashed", "nearest", "geo"]),
        select(vec!["all", "first", "fallback", "empty"]),
        check(),
        any::<bool>(),
        1_i64..=3600,
        proptest::collection::vec(1_i64..=65535, max_regions),
        subsequence((0..max_regions).collect::<Vec<_>>(), 0..=max_regions).prop_shuffle(),
        (subsequence(COUNTRIES.to_vec(), 0..=12).prop_shuffle(), subsequence(CONTINENTS.to_vec(), 1..=7)),
        (any::<bool>(), subsequence((0..max_regions).collect::<Vec<_>>(), 0..=max_regions), any::<bool>()),
    )
        .prop_map(
            |(
                shapes,
                strategy,
                all_down,
                check,
                fail,
                ttl,
                weights,
                reserve,
                places,
                (hash_weights, up, force),
            )| {
                let count = shapes.len();
                let mut reserve: Vec<usize> = reserve.into_iter().filter(|index| *index < count).collect();
                reserve.truncate(count - 1);
                if ["ordered", "geo"].contains(&strategy) {
                    reserve.clear();
                }
                let by_weight = strategy == "weighted" || strategy == "hashed" && hash_weights;
                let mut load_balancers = Vec::new();
                for (index, (v4, v6)) in shapes.iter().enumerate() {
                    for row in 0..*v4.max(v6) {
                        load_balancers.push(LoadBalancerSpec {
                            region: Some(format!("r{index}")),
                            ipv4: (row < *v4)
                                .then(|| Ipv4Addr::new(192, 0, index as u8, row as u8).to_string()),
                            ipv6: (row < *v6).then(|| {
                                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, index as u16, row as u16).to_string()
                            }),
                            weight: (by_weight && !reserve.contains(&index)).then(|| weights[index]),
                            ..LoadBalancerSpec::default()
                        });
                    }
                }
                if strategy == "geo" {
                    let entries = load_balancers.len();
                    for (nth, code) in places.0.iter().enumerate() {
                        load_balancers[nth % entries].country.push((*code).into());
                    }
                    for (nth, code) in places.1.iter().enumerate() {
                        load_balancers[nth % entries].continent.push((*code).into());
                    }
                }
                let mut fallback = Vec::new();
                if all_down == "fallback" {
                    let has = |pick: fn(&LoadBalancerSpec) -> bool| load_balancers.iter().any(pick);
                    if has(|lb| lb.ipv4.is_some()) {
                        fallback.push("192.0.99.1".to_owned());
                    }
                    if has(|lb| lb.ipv6.is_some()) {
                        fallback.extend(["2001:db8::99".to_owned(), "2001:db8::9a".to_owned()]);
                    }
                }
                let spec = Spec {
                    load_balancers,
                    failover: FailoverSpec {
                        strategy: Some(strategy.into()),
                        reserve: reserve.iter().map(|index| format!("r{index}")).collect(),
                        check: Some(check),
                        when_all_down: Some(all_down.into()),
                        fallback,
                        until_checked: Some(if fail { "fail" } else { "open" }.into()),
                        ttl: Some(ttl),
                    },
                    forced_up: up
                        .into_iter()
                        .filter(|index| force && *index < count)
                        .map(|index| format!("r{index}"))
                        .collect(),
                    forced_down: Vec::new(),
                };
                Failover::build(&spec, &super::admission(&super::anywhere())).unwrap()
            },
        )
}
