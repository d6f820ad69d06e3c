//! Somebody edits or deletes by hand what PDM wrote: found, named, repaired or reported.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use pdm_harness::dns;
use pdm_harness::story::{condition, fqdn};
use pdm_harness::{Fault, POOL, Plan, StoreKind, World, truth, until};

const NAME: &str = "omantel.omani.works";

async fn lent(plan: Plan) -> World {
    let world = plan.start().await;
    let _ = world.api().lend("omantel", "192.0.2.10").await;
    world
}

/// Wait until the drift was written down with this reason and everything is as desired again.
async fn repaired(world: &World, reason: &str) {
    until(&format!("{reason} to be in the audit log"), || async {
        let log = world.api().audit_of("omantel").await;
        let told =
            log.iter().any(|e| e["action"] == "drift" && e["detail"].as_str().unwrap_or("").contains(reason));
        if told { Ok(()) } else { Err(format!("{log:?}")) }
    })
    .await;
    until("everything to be as desired again", || async {
        let wrong = truth::differences(world).await;
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    })
    .await;
    world.api().await_condition("omantel", "InSync", "True").await;
    world.api().await_condition("omantel", "ChainSecure", "True").await;
}

#[tokio::test]
async fn records_are_edited_added_and_deleted() {
    let world = lent(Plan::new(StoreKind::Sqlite)).await;
    let _ = world.dns().edit(NAME, &fqdn("console.omantel"), "A", 60, &["203.0.113.66"]).await;
    repaired(&world, "records-changed").await;
    let _ = world.dns().edit(NAME, &fqdn("api.omantel"), "A", 60, &[]).await;
    repaired(&world, "records-changed").await;
    let _ = world.dns().edit(NAME, &fqdn("gitea.omantel"), "AAAA", 60, &["2001:db8::66"]).await;
    until("the address that competes to go", || async {
        let left = world.dns().rrset(NAME, &fqdn("gitea.omantel"), "AAAA").await;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
}

#[tokio::test]
async fn what_pdm_did_not_write_is_never_deleted() {
    let world = lent(Plan::new(StoreKind::Sqlite)).await;
    let mine = fqdn("_acme-challenge.omantel");
    let _ = world.dns().edit(NAME, &mine, "TXT", 60, &["\"kept\""]).await;
    let _ = world.dns().edit(NAME, &fqdn("mail.omantel"), "A", 60, &["203.0.113.1"]).await;
    let _ = world.dns().edit(POOL, &fqdn("www"), "A", 60, &["203.0.113.2"]).await;
    let _ = world.dns().edit(NAME, &fqdn("harbor.omantel"), "A", 60, &["203.0.113.66"]).await;
    repaired(&world, "records-changed").await;
    assert_eq!(world.dns().rrset(NAME, &mine, "TXT").await, ["\"kept\""]);
    assert_eq!(world.dns().rrset(NAME, &fqdn("mail.omantel"), "A").await, ["203.0.113.1"]);
    assert_eq!(world.dns().rrset(POOL, &fqdn("www"), "A").await, ["203.0.113.2"]);
    let _ = world.api().retarget("omantel", "192.0.2.11").await;
    world.api().await_phase("omantel", "active").await;
    assert_eq!(world.dns().rrset(NAME, &mine, "TXT").await, ["\"kept\""]);
    // What stands in the pool by hand is also proved: the pool was rectified after the foreign change.
    dns::must_validate(world.dns().dns(), &world.anchor(), POOL, &fqdn("www"), "A");
}

#[tokio::test]
async fn the_zone_is_deleted() {
    let world = lent(Plan::new(StoreKind::Sqlite)).await;
    world.dns().remove(NAME).await;
    repaired(&world, "zone-missing").await;
    dns::must_validate(world.dns().dns(), &world.anchor(), POOL, NAME, "A");
}

#[tokio::test]
async fn the_delegation_is_deleted_and_changed() {
    let world = lent(Plan::new(StoreKind::Sqlite)).await;
    let _ = world.dns().edit(POOL, NAME, "NS", 60, &["ns1.elsewhere.example."]).await;
    repaired(&world, "delegation-changed").await;
    let _ = world.dns().edit(POOL, NAME, "DS", 60, &[]).await;
    repaired(&world, "ds-changed").await;
    let _ = world.dns().edit(POOL, NAME, "NS", 60, &[]).await;
    repaired(&world, "delegation-changed").await;
}

#[tokio::test]
async fn the_keys_are_deleted() {
    let world = lent(Plan::new(StoreKind::Sqlite)).await;
    world.dns().remove_keys(NAME).await;
    repaired(&world, "keys-changed").await;
    dns::must_validate(world.dns().dns(), &world.anchor(), POOL, NAME, "A");
}

#[tokio::test]
async fn a_change_by_sql_that_moves_no_serial_is_found_too() {
    let world = lent(Plan::new(StoreKind::Sqlite)).await;
    let name = fqdn("console.omantel");
    let _ = world
        .dns()
        .sql(&format!("update records set content = '203.0.113.66' where name = '{name}' and type = 'A'"));
    repaired(&world, "records-changed").await;
}

#[tokio::test]
async fn report_says_so_and_leaves_it() {
    let world = lent(Plan::new(StoreKind::Sqlite).pool("drift = \"report\"")).await;
    let _ = world.dns().edit(NAME, &fqdn("console.omantel"), "A", 60, &["203.0.113.66"]).await;
    let told = world.api().await_condition("omantel", "InSync", "False").await;
    assert_eq!(told["reason"], "records-changed");
    assert!(told["detail"].as_str().unwrap().contains("console.omantel"), "{told}");
    assert!(told["since"].as_str().unwrap().ends_with('Z'), "{told}");
    world.api().await_audit("omantel", "drift").await;
    let unproved = world.api().await_condition("omantel", "ChainSecure", "False").await;
    assert_eq!(unproved["reason"], "wrong-answer", "a Sovereign that stops being proved says so: {unproved}");
    assert_eq!(world.dns().rrset(NAME, &fqdn("console.omantel"), "A").await, ["203.0.113.66"]);
    // Said once, not at every look.
    let entries =
        || async { world.api().audit_of("omantel").await.iter().filter(|e| e["action"] == "drift").count() };
    let before = entries().await;
    let _ = world.dns().edit(NAME, &fqdn("console.omantel"), "A", 1, &["192.0.2.10"]).await;
    world.api().await_condition("omantel", "InSync", "True").await;
    assert_eq!(entries().await, before);
    let shown = world.api().allocation("omantel").await;
    assert_eq!(condition(&shown, "InSync")["status"], "True");
}

#[tokio::test]
async fn a_zone_of_somebody_else_is_never_adopted() {
    let world = World::new(StoreKind::Sqlite).await;
    world.dns().create(NAME, "customer-7", true).await;
    let token = world.api().reserve("omantel").await;
    let answer = world.api().commit("omantel", &token, "192.0.2.10").await.expect(&[202]);
    let path = answer.header("location").to_owned();
    let waiting = until("the operation to wait for the operator", || async {
        let shown = world.api().get(&path).await;
        let steps = shown.body["steps"].as_array().cloned().unwrap_or_default();
        steps.into_iter().find(|s| s["waitReason"]["who"] == "operator").ok_or(shown)
    })
    .await;
    assert_eq!(waiting["kind"], "ensure-zone");
    let zone = world.dns().zone(NAME).await.unwrap();
    assert_eq!(zone["account"], "customer-7", "it was not touched");
    assert!(world.dns().rrset(POOL, NAME, "NS").await.is_empty(), "nothing is delegated to it");
    let _ = world.api().try_release("omantel", None).await.expect(&[200, 202]);
    until("the release to leave it alone", || async {
        let shown = world.api().allocation("omantel").await;
        if shown["phase"] == "releasing" || shown["phase"] == "quarantined" {
            Ok(())
        } else {
            Err(shown.to_string())
        }
    })
    .await;
    assert!(world.dns().zone(NAME).await.is_some(), "it is never deleted");
}

#[tokio::test]
async fn one_zone_that_cannot_be_read_does_not_hide_the_drift_of_another() {
    let world = lent(Plan::new(StoreKind::Sqlite)).await;
    let _ = world.api().lend("aaa", "192.0.2.10").await;
    world.proxy().only(Some("GET"), "zones/aaa.omani.works", usize::MAX, Fault::Error500);
    // Both are to be read in full: "aaa" stands first in every sweep, and always fails.
    let _ = world.dns().edit("aaa.omani.works", &fqdn("api.aaa"), "A", 60, &["203.0.113.66"]).await;
    let _ = world.dns().edit(NAME, &fqdn("console.omantel"), "A", 60, &["203.0.113.66"]).await;
    mended(&world, "omantel").await;
    assert!(world.proxy().hits() > 0, "the other zone was tried");
    world.proxy().heal();
    mended(&world, "aaa").await;
}

/// Wait until the drift of this name was written down and the six names answer as desired again.
async fn mended(world: &World, label: &str) {
    until(&format!("the drift of {label} to be repaired"), || async {
        let log = world.api().audit_of(label).await;
        let done = log.iter().any(|e| e["action"] == "repair-done");
        if done { Ok(()) } else { Err(format!("{log:?}")) }
    })
    .await;
}
