//! Two PowerDNS instances on one PostgreSQL, with the caches that PowerDNS comes with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::time::Duration;

use pdm_harness::dns::{self, names_of};
use pdm_harness::powerdns::Caches;
use pdm_harness::story::fqdn;
use pdm_harness::{POOL, Plan, StoreKind, World, full, truth};

fn both_answer(world: &World, label: &str, address: &str) {
    for server in &world.powerdns {
        for name in names_of(&fqdn(label)) {
            assert_eq!(dns::short(server.dns(), &name, "A"), [address], "{name} at {}", server.dns());
        }
    }
}

#[tokio::test]
async fn active_means_that_both_answer() {
    let world = Plan::new(StoreKind::Postgres).instances(2, Caches::Short).start().await;
    let _ = world.api().lend("omantel", "192.0.2.10").await;
    both_answer(&world, "omantel", "192.0.2.10");
    for server in &world.powerdns {
        let anchor = world.anchor();
        dns::must_validate(server.dns(), &anchor, POOL, &fqdn("omantel"), "A");
        dns::must_validate(server.dns(), &anchor, POOL, &fqdn("omantel"), "DS");
    }
    let shown = world.api().allocation("omantel").await;
    let addresses: std::collections::BTreeSet<_> = shown["receipts"][0]["servers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["address"].to_string())
        .collect();
    assert_eq!(addresses.len(), 2, "{shown}");
    let _ = world.api().retarget("omantel", "192.0.2.11").await;
    world.api().await_phase("omantel", "active").await;
    both_answer(&world, "omantel", "192.0.2.11");
    world.api().give_back("omantel").await;
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn one_that_is_down_holds_the_proof_back() {
    let mut world = Plan::new(StoreKind::Postgres).instances(2, Caches::Short).start().await;
    world.powerdns[1].stop().await;
    let token = world.api().reserve("omantel").await;
    let _ = world.api().commit("omantel", &token, "192.0.2.10").await.expect(&[202]);
    world
        .api()
        .await_that("omantel", "to wait for the second instance", Duration::from_secs(60), |a| {
            let steps = a["operation"]["steps"].as_array().cloned().unwrap_or_default();
            steps.iter().any(|s| s["waitReason"].is_object())
        })
        .await;
    assert!(
        world.dns().rrset(POOL, &fqdn("omantel"), "DS").await.is_empty(),
        "no DS before every instance answers"
    );
    world.powerdns[1].go().await;
    world.api().await_phase("omantel", "active").await;
    both_answer(&world, "omantel", "192.0.2.10");
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn no_proof_and_no_ds_before_both_answer_with_the_caches_of_powerdns() {
    // The second instance learns of a new zone at its next refresh, up to five minutes later: only the long run waits.
    if !full() {
        return;
    }
    let world = Plan::new(StoreKind::Postgres).instances(2, Caches::Default).start().await;
    let token = world.api().reserve("omantel").await;
    let _ = world.api().commit("omantel", &token, "192.0.2.10").await;
    world.api().await_phase_within("omantel", "active", Duration::from_secs(600)).await;
    both_answer(&world, "omantel", "192.0.2.10");
    let anchor = world.anchor();
    for server in &world.powerdns {
        dns::must_validate(server.dns(), &anchor, POOL, &fqdn("omantel"), "A");
    }
}
