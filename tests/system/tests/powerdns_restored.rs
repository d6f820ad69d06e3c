//! PowerDNS comes back from an older copy: zones and keys are missing or old. A DS without its key goes out first.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use pdm_harness::dns;
use pdm_harness::story::fqdn;
use pdm_harness::{POOL, StoreKind, World, truth, until};

/// Wait until what the store says and what PowerDNS holds agree again.
async fn converge(world: &World) {
    until("PowerDNS to be as desired again", || async {
        let wrong = truth::differences(world).await;
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    })
    .await;
}

#[tokio::test]
async fn a_copy_from_before_the_zone_brings_the_zone_back() {
    let mut world = World::new(StoreKind::Sqlite).await;
    let _ = world.api().lend("older", "192.0.2.1").await;
    world.dns().save("copy");
    let _ = world.api().lend("newer", "192.0.2.2").await;
    let _ = world.api().retarget("older", "192.0.2.3").await;
    world.api().await_phase("older", "active").await;
    world.powerdns[0].restore("copy").await;
    converge(&world).await;
    for label in ["older", "newer"] {
        world.api().await_condition(label, "ChainSecure", "True").await;
        dns::must_validate(world.dns().dns(), &world.anchor(), POOL, &fqdn(label), "A");
    }
    let log = world.api().audit_of("newer").await;
    assert!(log.iter().any(|e| e["action"] == "drift"), "the loss is in the audit log: {log:?}");
}

#[tokio::test]
async fn a_ds_without_its_key_goes_out_before_anything_else() {
    let mut world = World::new(StoreKind::Sqlite).await;
    let _ = world.api().lend("omantel", "192.0.2.1").await;
    // The zone is lost with its keys, while the pool, with its DS, is kept.
    let id = world.powerdns[0].sql("select id from domains where name = 'omantel.omani.works'");
    world.powerdns[0].stop().await;
    for table in ["records", "comments", "domainmetadata", "cryptokeys"] {
        let _ = world.powerdns[0].sql(&format!("delete from {table} where domain_id = {id}"));
    }
    let _ = world.powerdns[0].sql(&format!("delete from domains where id = {id}"));
    let lost_ds = world.powerdns[0].sql("select content from records where type = 'DS'");
    assert!(!lost_ds.is_empty());
    world.powerdns[0].go().await;
    let before = world.proxy().seen().len();
    converge(&world).await;
    let seen = world.proxy().seen();
    let writes: Vec<_> =
        seen[before..].iter().filter(|r| !r.starts_with("GET ") && !r.contains("/cache/flush")).collect();
    assert!(
        writes[0].starts_with("PATCH") && writes[0].ends_with("/omani.works."),
        "the DS goes first: {writes:?}"
    );
    let position = |what: &str| writes.iter().position(|w| w.contains(what));
    assert!(position("POST").unwrap() > 0, "{writes:?}");
    let ds = world.dns().rrset(POOL, &fqdn("omantel"), "DS").await;
    assert!(!ds.contains(&lost_ds.to_lowercase()), "{ds:?}");
    dns::must_validate(world.dns().dns(), &world.anchor(), POOL, &fqdn("omantel"), "A");
}

#[tokio::test]
async fn a_copy_from_before_a_release_gives_orphans_which_are_reported_and_kept() {
    let mut world = World::new(StoreKind::Sqlite).await;
    let _ = world.api().lend("omantel", "192.0.2.1").await;
    world.dns().save("copy");
    world.api().give_back("omantel").await;
    world.powerdns[0].restore("copy").await;
    until("the orphan to be reported", || async {
        let metrics = world.api().get("/metrics").await.text;
        if metrics.lines().any(|l| l.starts_with("pdm_orphan_zones 1")) {
            Ok(())
        } else {
            Err("no orphan in the metrics")
        }
    })
    .await;
    assert!(world.dns().zone(&fqdn("omantel")).await.is_some(), "an orphan is never deleted by itself");
}
