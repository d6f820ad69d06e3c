//! The truth table says what clients get; an execution of the rendered text says what they get. All combinations of
//! addresses up and down, on every version, must be equal.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests may fail a test")]

mod common;

use std::collections::BTreeSet;
use std::net::IpAddr;

use common::generate::any_failover;
use common::world::World;
use common::{VERSIONS, newest, policies, server};
use pdm_lua_records::{
    Answer, Checking, Client, Continent, Failover, Rendered, UntilChecked, Version, answer, possible,
    probe_load, render, truth_table,
};
use proptest::prelude::*;

/// The places that a policy distinguishes, and one that it does not.
fn places(failover: &Failover) -> Vec<Client<'_>> {
    let mut places = vec![Client::default(), Client { country: Some("XX"), continent: Some(Continent::AN) }];
    for region in failover.regions() {
        for country in &region.countries {
            // A client of a listed country is also of a continent: the country goes first.
            places.extend(
                [None, Some(Continent::EU)]
                    .map(|continent| Client { country: Some(country.as_str()), continent }),
            );
        }
        places.extend(region.continents.iter().map(|c| Client { country: None, continent: Some(*c) }));
    }
    places
}

/// Compare for one record, one client and one set of addresses that are up.
fn compare(failover: &Failover, record: &Rendered, world: &World, client: Client<'_>, up: &BTreeSet<IpAddr>) {
    world.set_up(up.iter().copied());
    world.set_client(client.country, client.continent.map(Continent::as_str));
    let executed: Answer = world.answers(&record.content);
    let computed = answer(failover, record.rtype, client, &|address| up.contains(&address));
    assert_eq!(executed, computed, "up: {up:?}, client: {client:?}, text: {}", record.content);
}

/// Compare for every combination of addresses.
fn compare_all(failover: &Failover, version: Version) {
    let Ok(records) = render(failover, &pdm_lua_records::Server { version, geoip: true, signed: false })
    else {
        return;
    };
    for record in &records {
        let addresses = failover.addresses(record.rtype);
        for client in places(failover) {
            for bits in 0..1_u32 << addresses.len() {
                let chosen = addresses.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
                let up = chosen.map(|(_, address)| *address).collect();
                compare(failover, record, &World::new(version), client, &up);
            }
        }
    }
}

#[test]
fn every_policy_in_every_version_does_what_its_table_says() {
    for (_, failover) in policies() {
        for version in VERSIONS {
            compare_all(&failover, version.parse().unwrap());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_policy_does_what_its_table_says(failover in any_failover(6), bits in any::<[u32; 6]>()) {
        let version = newest();
        let records = render(&failover, &server("5.1.4")).unwrap();
        for record in &records {
            let addresses = failover.addresses(record.rtype);
            let world = World::new(version);
            for client in places(&failover) {
                for bits in bits.into_iter().chain([0, u32::MAX]) {
                    let up = addresses.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, a)| *a);
                    compare(&failover, record, &world, client, &up.collect());
                }
            }
        }
    }

    #[test]
    fn any_small_policy_does_so_in_every_combination(failover in any_failover(2)) {
        compare_all(&failover, Version::new(5, 0));
    }

    /// What a nameserver's answer is held to is what some situation gives, and nothing else.
    #[test]
    fn what_is_possible_is_what_the_tables_give(failover in any_failover(3), odd in any::<u8>()) {
        let forced = failover.regions().iter().any(|region| region.forced_up);
        for rtype in failover.record_types() {
            let addresses = failover.addresses(rtype);
            let mut given = BTreeSet::new();
            for client in places(&failover) {
                for bits in 0..1_u32 << addresses.len() {
                    let up: BTreeSet<_> =
                        addresses.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, a)| *a).collect();
                    let answer = answer(&failover, rtype, client, &|address| up.contains(&address));
                    given.extend(answer.choices.iter().map(|c| c.addresses.iter().copied().collect::<BTreeSet<_>>()));
                }
            }
            let possible = possible(&failover, rtype);
            for one in &given {
                prop_assert!(possible.admits(one), "{one:?}");
            }
            let stranger: BTreeSet<IpAddr> = [IpAddr::from([203, 0, 113, odd])].into();
            prop_assert!(!possible.admits(&stranger) && !possible.admits(&[&stranger, &given.first().cloned().unwrap_or_default()].into_iter().flatten().copied().collect()));
            for bits in 1..1_u32 << addresses.len() {
                let subset: BTreeSet<_> =
                    addresses.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, a)| *a).collect();
                prop_assert!(forced || possible.admits(&subset) == given.contains(&subset), "{subset:?}");
            }
        }
    }

    /// A policy without its choices always says the same, and no other does.
    #[test]
    fn a_constant_policy_has_one_answer(failover in any_failover(2)) {
        let table = truth_table(&failover);
        let rows: BTreeSet<String> = table.rows.iter().map(|row| format!("{:?}", row.answers)).collect();
        prop_assert!(!failover.is_constant() || rows.len() == 1);
    }

    /// One question starts the check of every address, and of no address twice.
    #[test]
    fn every_standby_is_checked_and_no_check_is_doubled(failover in any_failover(6), old in any::<bool>()) {
        let version = if old { Version::new(5, 0) } else { newest() };
        let server = pdm_lua_records::Server { version, geoip: true, signed: false };
        let world = World::new(version);
        world.restart();
        let records = render(&failover, &server).unwrap();
        for record in &records {
            let first = world.ask(&record.content);
            match failover.until_checked() {
                UntilChecked::Open => prop_assert!(first.is_ok()),
                UntilChecked::Fail => prop_assert!(first.unwrap_err().contains("not completed")),
            }
            prop_assert!(world.ask(&record.content).is_ok());
        }
        let checking = Checking { nameservers: 1, server_interval: 5, slowest: 0 };
        prop_assert_eq!(world.checks(), probe_load(&failover, checking).addresses);
    }
}

/// What the other tests rest on: the world stops endless text, knows no other function, and tells versions apart.
#[test]
fn the_world_is_strict() {
    let (old, new) = (World::new(Version::new(4, 7)), World::new(newest()));
    let ask = |world: &World, code: &str| world.ask(&format!("A \"{code}\""));
    assert!(ask(&new, ";while true do end").unwrap_err().contains("too long"));
    assert!(ask(&new, "os.execute('true')").unwrap_err().contains("global os"));
    assert!(ask(&old, "ifportup(443,{{'192.0.2.1'}},{})").unwrap_err().contains("sets"));
    let empty = "ifportup(443,{'192.0.2.1'},{backupSelector='empty'})";
    assert_eq!(ask(&old, empty).unwrap().len(), 1);
    assert_eq!(ask(&new, empty).unwrap().len(), 0);
}

/// Before the first check ends, clients get what they get when all are down.
#[test]
fn the_first_answer_is_the_last_row() {
    let (_, failover) = policies().into_iter().find(|(name, _)| name == "ordered-first").unwrap();
    let world = World::new(newest());
    world.restart();
    world.set_up(failover.addresses(pdm_lua_records::RecordType::A));
    let records = render(&failover, &server("4.7.3")).unwrap();
    let first = world.ask(&records[0].content).unwrap();
    let table = truth_table(&failover);
    assert_eq!(table.rows.last().unwrap().answers[0].answer.choices[0].addresses, first);
}

/// The largest policy stays under the default `lua-records-exec-limit` (the world stops at it), and with everything forced
/// up under 8 kB, which is what the writer lets through.
#[test]
fn the_largest_policy_fits() {
    let codes = ["A", "B"].iter().flat_map(|a| ('A'..='Z').map(move |b| format!("{a}{b}")));
    let codes: Vec<String> = codes.chain(('A'..='L').map(|b| format!("C{b}"))).collect();
    let mut body = String::new();
    for n in 0..12 {
        let region = format!("{}-{}", "r".repeat(30), n / 2);
        let country: Vec<String> = codes.iter().skip(n).step_by(12).map(|c| format!("\"{c}\"")).collect();
        let sep = if n == 0 { "" } else { "," };
        body += &format!(
            r#"{sep}{{"region":"{region}","ipv4":"192.168.100.1{n:02}","ipv6":"2001:db8:ffff:ffff:ffff:ffff:ffff:ff{n:02}","country":[{}]}}"#,
            country.join(",")
        );
    }
    let long = "x".repeat(64);
    let host = format!("{}.omantel.omani.works", [const { "h" }; 3].map(|h| h.repeat(63)).join("."));
    let forced: Vec<String> = (0..6).map(|n| format!("\"{}-{n}\"", "r".repeat(30))).collect();
    let json = format!(
        r#"{{"loadBalancers":[{body}],"forcedUp":[{}],"failover":{{"strategy":"geo","untilChecked":"fail","check":{{"type":"https",
        "host":"{host}","port":65535,"path":"/{}","expectText":"{long}","userAgent":"{long}","expectStatus":200,"interval":3600,
        "failures":10,"timeout":10}}}}}}"#,
        forced.join(","),
        "p".repeat(255)
    );
    let failover = common::failover(&json);
    assert_eq!(failover.regions().iter().map(|region| region.countries.len()).sum::<usize>(), 64);
    for version in ["5.0.2", "5.1.4"] {
        for record in render(&failover, &server(version)).unwrap() {
            assert!(record.content.len() <= 8192, "{}", record.content.len());
            let world = World::new(version.parse().unwrap());
            for up in [vec![], failover.addresses(record.rtype)] {
                world.set_up(up);
                assert!(!world.ask(&record.content).unwrap().is_empty());
            }
        }
    }
}
