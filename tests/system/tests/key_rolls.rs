//! A year of key rolls in minutes: TTLs of a second, lifetimes of seconds, two nameservers of which one lags, a daemon
//! that is killed again and again; and two validating resolvers that never see anything wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use pdm_harness::powerdns::Caches;
use pdm_harness::story::fqdn;
use pdm_harness::{POOL, Plan, PowerDns, StoreKind, World, full, net, truth, until_within};
use pdm_lab::{Outcome, Resolver, watch};
use serde_json::{Value, json};

/// Lifetimes of seconds, so that every kind comes by itself.
const SHORT_LIVES: &str = "[pools.keys]\nzsk_lifetime = \"14s\"\nksk_lifetime = \"40s\"";

/// A resolver that trusts the pool's key and asks our servers for everything below it.
async fn resolver(world: &World, name: &str) -> Resolver {
    let dir = world.path(name);
    std::fs::create_dir_all(&dir).unwrap();
    let hints = dir.join("no.hints");
    std::fs::write(&hints, ". 3600 NS nowhere.\nnowhere. 3600 A 127.255.255.254\n").unwrap();
    let trust = dir.join("pool.key");
    let mut text = String::new();
    for ds in world.dns().ds_of_keys(POOL).await {
        text.push_str(&format!("{POOL}. IN DS {ds}\n"));
    }
    std::fs::write(&trust, text).unwrap();
    let mut more = format!(" harden-algo-downgrade: yes\nstub-zone:\n name: \"{POOL}\"\n");
    for server in &world.powerdns {
        more.push_str(&format!(" stub-addr: {}@{}\n", server.dns().ip(), server.dns().port()));
    }
    Resolver::start(&dir, net::port(net::address()), Path::new(&hints), &trust, &more, &[]).await
}

/// Ends of rolls of a label: kind and whether it was given up, as the audit log tells.
async fn rolled(world: &World, label: &str) -> Vec<String> {
    let Ok(answer) = world.api().try_get(&format!("/v1/audit-log?fqdn={}&limit=500", fqdn(label))).await
    else {
        return Vec::new();
    };
    let items = answer.body["items"].as_array().cloned().unwrap_or_default();
    let done = items.iter().filter(|e| e["action"] == "rolled");
    done.map(|e| e["detail"].as_str().unwrap_or("").to_owned()).collect()
}

async fn keys(world: &World, label: &str) -> Value {
    world.api().get(&format!("/v1/allocations/{}/keys", fqdn(label))).await.expect(&[200]).body
}

async fn roll(world: &World, label: &str, kind: &str) {
    let path = format!("/v1/allocations/{}/keys/roll", fqdn(label));
    let _ = world.api().post(&path, &json!({"kind": kind, "reason": "test"})).await.expect(&[200, 202]);
}

/// Wait until a roll of this kind has ended; it must not have been given up.
async fn until_rolled(world: &World, label: &str, kind: &str, limit: Duration) {
    until_within(&format!("{label}: {kind}"), limit, || async {
        let ends = rolled(world, label).await;
        if ends.iter().any(|end| end == kind) {
            Ok(())
        } else {
            Err(format!("{ends:?} {}", keys(world, label).await))
        }
    })
    .await;
}

fn questions(labels: &[String]) -> Vec<String> {
    let of = |label: &String| {
        let name = fqdn(label);
        [format!("console.{name} A"), format!("{name} SOA"), format!("anything.{name} A")]
    };
    labels.iter().flat_map(of).collect()
}

async fn two_servers(sections: &[&str]) -> World {
    let mut plan = Plan::new(StoreKind::Sqlite).instances(2, Caches::Short);
    for section in sections {
        plan = plan.section(section);
    }
    let mut world = plan.start().await;
    // The second remembers keys for a while after they changed, whatever it is told to forget.
    world.powerdns[1].setup().more = "dnssec-key-cache-ttl=2\n".into();
    world.powerdns[1].stop().await;
    world.powerdns[1].go().await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_of_rolls_is_never_bogus() {
    let mut world = two_servers(&[SHORT_LIVES]).await;
    let count = if full() { 50 } else { 3 };
    let labels: Vec<String> = (0..count).map(|n| format!("rolls-{n}")).collect();
    for label in &labels {
        let _ = world.api().lend(label, "192.0.2.10").await;
    }
    let (warm, cold) = (resolver(&world, "warm").await, resolver(&world, "cold").await);
    let asked = questions(&labels);
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let watcher = watch(warm.address(), &asked, Duration::from_millis(if full() { 1_000 } else { 250 }));
    let begun = Instant::now();
    let limit = Duration::from_secs(if full() { 1_500 } else { 240 });
    let mut killed = 0;
    let mut cold_asked = 0;
    loop {
        // Every zone went through both kinds, and one of them twice.
        let mut done = 0;
        for label in &labels {
            let ends = rolled(&world, label).await;
            assert!(ends.iter().all(|end| !end.contains(':')), "given up: {label} {ends:?}");
            let kinds: BTreeSet<_> = ends.iter().collect();
            done += usize::from(kinds.len() >= 2 && ends.len() >= 3);
        }
        if done == labels.len() {
            break;
        }
        assert!(begun.elapsed() < limit, "{done} of {} zones rolled: {}", labels.len(), watcher.report());
        for question in asked.iter().step_by(2) {
            let (name, rtype) = question.split_once(' ').unwrap();
            let outcome = cold.ask_cold(name, rtype).await;
            assert!(matches!(outcome, Outcome::Answer { .. }), "cold: {question}: {outcome}\n{}", cold.log());
            cold_asked += 1;
        }
        world.daemon().kill();
        world.daemon().go().await;
        killed += 1;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    let report = watcher.stop();
    report.must_be_unbroken();
    eprintln!(
        "{} zones in {:?}: {} warm answers, {cold_asked} cold ones, daemon killed {killed} times",
        labels.len(),
        begun.elapsed(),
        report.asked()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_roll_is_never_bogus() {
    let world = two_servers(&[]).await;
    let labels = ["all-kinds".to_owned()];
    let _ = world.api().lend("all-kinds", "192.0.2.10").await;
    let warm = resolver(&world, "warm").await;
    let asked = questions(&labels);
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let watcher = watch(warm.address(), &asked, Duration::from_millis(200));
    let limit = Duration::from_secs(90);
    for kind in ["ksk-double-ds", "emergency"] {
        roll(&world, "all-kinds", kind).await;
        until_rolled(&world, "all-kinds", kind, limit).await;
    }
    // Policies are followed: another algorithm, one key for everything, and KSK and ZSK again.
    let policy = format!("/v1/allocations/{}/keys/policy", fqdn("all-kinds"));
    for (settings, kinds) in [
        (json!({"algorithm": 15}), vec!["algorithm"]),
        (json!({"algorithm": 15, "layout": "csk"}), vec!["join"]),
        (json!({"algorithm": 15, "layout": "csk", "digest": "sha-384", "cds": true}), vec![]),
        (json!({"algorithm": 15}), vec!["split"]),
    ] {
        let _ = world.api().put(&policy, &json!({"policy": settings})).await.expect(&[200]);
        for kind in kinds {
            until_rolled(&world, "all-kinds", kind, limit).await;
        }
        if settings["layout"] == "csk" && settings["cds"] == true {
            roll(&world, "all-kinds", "csk").await;
            until_rolled(&world, "all-kinds", "csk", limit).await;
            let ds = keys(&world, "all-kinds").await["parentDs"].clone();
            assert!(ds[0].as_str().unwrap().contains(" 15 4 "), "{ds}");
            let cds = pdm_harness::dns::short(world.dns().dns(), &fqdn("all-kinds"), "CDS");
            assert!(cds.len() == 1 && cds[0].contains(" 15 4 "), "{cds:?}");
        }
    }
    for kind in ["insecure", "secure"] {
        roll(&world, "all-kinds", kind).await;
        until_rolled(&world, "all-kinds", kind, limit).await;
        let ds = world.dns().rrset(POOL, &fqdn("all-kinds"), "DS").await;
        assert_eq!(ds.is_empty(), kind == "insecure");
    }
    let report = watcher.stop();
    report.must_be_unbroken();
    until_within("everything to be as desired", Duration::from_secs(20), || async {
        let wrong = truth::differences(&world).await;
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_roll_is_held_goes_on_and_gives_way_to_a_release() {
    let world = Plan::new(StoreKind::Sqlite).ttl(2).start().await;
    let _ = world.api().lend("held", "192.0.2.10").await;
    let path = |what: &str| format!("/v1/allocations/{}/keys/{what}", fqdn("held"));
    roll(&world, "held", "ksk").await;
    let second = world.api().post(&path("roll"), &json!({"kind": "zsk"})).await;
    assert_eq!((second.status, second.code()), (409, "roll-under-way"));
    let hold = json!({"hold": true, "reason": "holidays"});
    let held = world.api().post(&path("hold"), &hold).await.expect(&[200]);
    assert_eq!(held.body["hold"]["reason"], "holidays");
    until_within("the roll to rest", Duration::from_secs(20), || async {
        let shown = keys(&world, "held").await;
        if shown["waits"]["reason"] == "roll-held" { Ok(()) } else { Err(shown.to_string()) }
    })
    .await;
    let stage = keys(&world, "held").await["roll"]["stage"].clone();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(keys(&world, "held").await["roll"]["stage"], stage);
    let _ = world.api().post(&path("hold"), &json!({"hold": false})).await.expect(&[200]);
    until_rolled(&world, "held", "ksk", Duration::from_secs(60)).await;

    // A change in the middle of a roll leaves the DS to the roll, and the roll goes on afterwards.
    roll(&world, "held", "ksk-double-ds").await;
    until_within("both DS", Duration::from_secs(20), || async {
        let ds = world.dns().rrset(POOL, &fqdn("held"), "DS").await;
        if ds.len() == 2 { Ok(()) } else { Err(format!("{ds:?}")) }
    })
    .await;
    let _ = world.api().retarget("held", "192.0.2.11").await;
    until_rolled(&world, "held", "ksk-double-ds", Duration::from_secs(60)).await;
    world.api().await_condition("held", "ChainSecure", "True").await;

    roll(&world, "held", "zsk").await;
    world.api().give_back("held").await;
    truth::must_hold(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_and_missing_keys_are_found_and_mended() {
    let world = Plan::new(StoreKind::Sqlite).start().await;
    let _ = world.api().lend("strange", "192.0.2.10").await;
    let zone = fqdn("strange");
    let before = keys(&world, "strange").await;
    assert_eq!(before["keys"].as_array().unwrap().len(), 2);
    // A key by hand, published and signing.
    let made = json!({"keytype": "ksk", "active": true, "published": true, "algorithm": 13});
    let _ =
        world.dns().api().post(&format!("{}/cryptokeys", PowerDns::path(&zone)), &made).await.expect(&[201]);
    until_rolled(&world, "strange", "tidy", Duration::from_secs(60)).await;
    assert_eq!(keys(&world, "strange").await["keys"], before["keys"]);
    let inventory = world.api().get("/v1/dnssec/inventory").await.expect(&[200]).body;
    let findings: Vec<_> = inventory["zones"].as_array().unwrap().iter().map(|z| &z["findings"]).collect();
    assert!(findings.len() == 2 && findings.iter().all(|f| f.as_array().unwrap().is_empty()), "{inventory}");
    assert!(!inventory.to_string().contains("rivate"), "no private key is ever shown");

    // The KSK removed by hand: the DS goes out before another key comes in.
    let ksk = world.dns().ds_of_keys(&zone).await;
    for key in world.dns().keys(&zone).await.iter().filter(|key| key["flags"] == 257) {
        let path = format!("{}/cryptokeys/{}", PowerDns::path(&zone), key["id"]);
        let _ = world.dns().api().delete(&path, None).await.expect(&[204]);
    }
    until_within("another key with its DS", Duration::from_secs(60), || async {
        let now = world.dns().ds_of_keys(&zone).await;
        let parent = world.dns().rrset(POOL, &zone, "DS").await;
        if !now.is_empty() && now != ksk && parent == now {
            Ok(())
        } else {
            Err(format!("{now:?} {parent:?}"))
        }
    })
    .await;
    world.api().await_condition("strange", "ChainSecure", "True").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_keys_from_a_backup_are_found_and_planned_out_of() {
    let mut world = Plan::new(StoreKind::Sqlite).ttl(2).start().await;
    let _ = world.api().lend("restored", "192.0.2.10").await;
    let zone = fqdn("restored");
    let rows = format!("domain_id = (SELECT id FROM domains WHERE name = '{zone}')");
    let _ = world.powerdns[0].sql(&format!("CREATE TABLE backup AS SELECT * FROM cryptokeys WHERE {rows}"));
    let before = world.dns().ds_of_keys(&zone).await;
    roll(&world, "restored", "ksk").await;
    until_rolled(&world, "restored", "ksk", Duration::from_secs(60)).await;
    let rolled = world.dns().rrset(POOL, &zone, "DS").await;
    assert!(rolled.len() == 1 && rolled != before, "{rolled:?}");

    // The DS at the parent belongs to a key that the backup does not have; nothing is left to sign with it.
    world.powerdns[0].stop().await;
    let _ = world.powerdns[0]
        .sql(&format!("DELETE FROM cryptokeys WHERE {rows}; INSERT INTO cryptokeys SELECT * FROM backup"));
    world.powerdns[0].go().await;
    let inventory = world.api().get("/v1/dnssec/inventory").await.expect(&[200]).body;
    // PDM may be at it already: then the DS is out, or another key is missing.
    assert!(inventory["zones"].as_array().unwrap().iter().any(|z| z["findings"] != json!([])), "{inventory}");
    until_within("the DS of the keys that are there", Duration::from_secs(60), || async {
        let parent = world.dns().rrset(POOL, &zone, "DS").await;
        if parent == before { Ok(()) } else { Err(format!("{parent:?}, not {before:?}")) }
    })
    .await;
    world.api().await_condition("restored", "ChainSecure", "True").await;
    let log = world.api().audit_of("restored").await;
    let told = |e: &&Value| {
        e["action"] == "drift" && e["detail"].as_str().is_some_and(|d| d.contains("keys-changed"))
    };
    assert!(log.iter().any(|e| told(&e)), "{log:?}");
    until_within("the inventory to be clean", Duration::from_secs(30), || async {
        let inventory = world.api().get("/v1/dnssec/inventory").await.expect(&[200]).body;
        let wrong = inventory["zones"].as_array().unwrap().iter().any(|z| z["findings"] != json!([]));
        if wrong { Err(inventory.to_string()) } else { Ok(()) }
    })
    .await;
}
