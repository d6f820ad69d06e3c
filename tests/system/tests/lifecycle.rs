//! Reserve, commit, change, release and reclaim, on both stores, as dig and delv see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::time::{Duration, Instant};

use pdm_harness::dns::{self, names_of};
use pdm_harness::powerdns::contents;
use pdm_harness::story::fqdn;
use pdm_harness::{POOL, Plan, StoreKind, World, truth};
use serde_json::json;

async fn reserve_writes_nothing(world: &World) -> String {
    world.warm().await;
    let (writes, zones) = (world.proxy().writes(), world.dns().zones().await);
    let answer = world.api().try_reserve("omantel").await.expect(&[201]);
    assert_eq!((answer.text_at("/fqdn"), answer.text_at("/phase")), ("omantel.omani.works", "reserved"));
    for key in ["reservationToken", "reservedAt", "expiresAt"] {
        assert!(answer.body[key].is_string(), "{key}: {answer}");
    }
    assert_eq!(answer.body["nameservers"].as_array().unwrap().len(), 3);
    assert_eq!((world.proxy().writes(), world.dns().zones().await), (writes, zones));
    answer.text_at("/reservationToken").to_owned()
}

async fn commit_is_proved(world: &World, token: &str) {
    let answer = world.api().commit("omantel", token, "192.0.2.10").await;
    if answer.status == 202 {
        let at = answer.header("location").to_owned();
        assert!(at.starts_with("/v1/operations/"), "{answer}");
        assert_eq!(world.api().get(&at).await.expect(&[200]).body["kind"], "commit");
    }
    let shown = world.api().await_phase("omantel", "active").await;
    let receipt = &shown["receipts"][0];
    let servers = receipt["servers"].as_array().unwrap();
    for transport in ["udp", "tcp"] {
        assert!(servers.iter().any(|s| s["transport"] == transport), "{receipt}");
    }
    assert!(
        receipt["queries"].as_u64().unwrap() >= 20,
        "six names, wildcard, SOA, DNSKEY and DS, twice: {receipt}"
    );
    assert!(!shown.to_string().contains(token), "a token is never shown");
    let again = world.api().commit("omantel", token, "192.0.2.10").await;
    assert_eq!(again.status, 200, "the same body again is the same answer: {again}");
}

fn six_names_answer(world: &World, address: &str) {
    for name in names_of(&fqdn("omantel")) {
        for tcp in [false, true] {
            let answer = dns::full(world.dns().dns(), &name, "A", tcp);
            assert!(answer.contains(address) && answer.contains("RRSIG"), "{answer}");
        }
    }
}

fn everything_validates(world: &World) {
    let (at, anchor) = (world.dns().dns(), world.anchor());
    for name in names_of(&fqdn("omantel")) {
        dns::must_validate(at, &anchor, POOL, &name, "A");
    }
    dns::must_validate(at, &anchor, POOL, &fqdn("omantel"), "DS");
    dns::must_validate(at, &anchor, POOL, &fqdn("nobody-has-this"), "A");
}

async fn changes_are_proved_and_move_the_serial(world: &World) {
    let before = world.dns().serial(&fqdn("omantel")).await;
    for n in 1..=10 {
        let address = format!("192.0.2.{}", 100 + n);
        let _ = world.api().retarget("omantel", &address).await;
        world.api().await_phase("omantel", "active").await;
        assert_eq!(world.dns().rrset(&fqdn("omantel"), &fqdn("console.omantel"), "A").await, [address]);
    }
    let after = world.dns().serial(&fqdn("omantel")).await;
    assert!(after >= before + 10, "ten edits, serial {before} -> {after}");
    truth::must_hold(world).await;
}

async fn release_goes_down_in_order(world: &World, token: &str) {
    let name = fqdn("omantel");
    let _ = world.api().try_release("omantel", Some(token)).await.expect(&[200, 202]);
    let begun = Instant::now();
    let (mut ds_out, mut seen_without_ds) = (None, false);
    let ns_out = loop {
        assert!(begun.elapsed() < Duration::from_secs(30), "NS never went out");
        let pool = world.dns().zone(POOL).await.unwrap();
        let (ds, ns) = (!contents(&pool, &name, "DS").is_empty(), !contents(&pool, &name, "NS").is_empty());
        if !ds && ds_out.is_none() {
            ds_out = Some(Instant::now());
        }
        if !ns {
            break Instant::now();
        }
        seen_without_ds |= !ds;
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(seen_without_ds, "the DS goes first, alone");
    let waited = ns_out - ds_out.unwrap();
    assert!(waited >= Duration::from_millis(900), "the DS TTL has to pass in between, not {waited:?}");
    let shown = world.api().await_phase("omantel", "quarantined").await;
    assert!(shown["quarantinedUntil"].is_string(), "{shown}");
    let again = world.api().try_release("omantel", Some(token)).await;
    assert!(again.status == 200 || again.status == 202, "repeating is harmless: {again}");
    truth::must_hold(world).await;
}

async fn others_wait_and_the_owner_reclaims(world: &World) {
    let body =
        |owner: &str| json!({"mode": "pool", "poolDomain": POOL, "subdomain": "omantel", "owner": owner});
    let refused = world.api().post("/v1/reserve", &body("somebody-else")).await.expect(&[409]);
    assert_eq!(refused.code(), "name-quarantined");
    assert!(refused.text_at("/until").ends_with('Z'), "{refused}");
    let token = world.api().reserve("omantel").await;
    let _ = world.api().commit("omantel", &token, "192.0.2.77").await;
    world.api().await_phase("omantel", "active").await;
    six_names_answer(world, "192.0.2.77");
    everything_validates(world);
    truth::must_hold(world).await;
}

async fn whole_life(store: StoreKind) {
    let world = World::new(store).await;
    let token = reserve_writes_nothing(&world).await;
    commit_is_proved(&world, &token).await;
    six_names_answer(&world, "192.0.2.10");
    everything_validates(&world);
    changes_are_proved_and_move_the_serial(&world).await;
    release_goes_down_in_order(&world, &token).await;
    others_wait_and_the_owner_reclaims(&world).await;
}

#[tokio::test]
async fn a_name_lives_on_sqlite() {
    whole_life(StoreKind::Sqlite).await;
}

#[tokio::test]
async fn a_name_lives_on_postgres() {
    whole_life(StoreKind::Postgres).await;
}

#[tokio::test]
async fn a_reservation_can_be_extended_and_ends_by_itself() {
    let world = Plan::new(StoreKind::Sqlite).pool("reservation_ttl = \"2s\"").start().await;
    let api = world.api();
    let first = api.try_reserve("omantel").await.expect(&[201]);
    let token = first.text_at("/reservationToken").to_owned();
    let body = json!({"fqdn": fqdn("omantel"), "reservationToken": token});
    let longer = api.post("/v1/reserve/extend", &body).await.expect(&[200]);
    assert!(longer.text_at("/expiresAt") >= first.text_at("/expiresAt"));
    pdm_harness::until("the end of the reservation", || async {
        let check = api.get("/v1/check?poolDomain=omani.works&subdomain=omantel").await;
        if check.body["available"] == true { Ok(()) } else { Err(check) }
    })
    .await;
    let late = api.try_commit("omantel", &token, "192.0.2.1").await.expect(&[404, 410]);
    assert!(["reservation-expired", "not-found"].contains(&late.code()), "{late}");
    let _ = api.reserve("omantel").await;
}

#[tokio::test]
async fn prefer_wait_answers_when_it_is_active_and_a_repeated_reserve_is_the_same() {
    let world = World::new(StoreKind::Sqlite).await;
    let api = world.api().with_header("idempotency-key", "k-1");
    let (one, two) =
        (api.try_reserve("omantel").await.expect(&[201]), api.try_reserve("omantel").await.expect(&[201]));
    assert_eq!(one.text_at("/reservationToken"), two.text_at("/reservationToken"));
    let other = api.try_reserve("another").await.expect(&[422]);
    assert_eq!(other.code(), "idempotency-conflict");
    let patient = world.api().with_header("prefer", "wait=30");
    let answer =
        patient.try_commit("omantel", one.text_at("/reservationToken"), "192.0.2.1").await.expect(&[200]);
    assert_eq!(answer.text_at("/phase"), "active");
    assert_eq!(patient.retarget("omantel", "192.0.2.2").await.text_at("/phase"), "active");
    let answer = patient.try_release("omantel", None).await.expect(&[200]);
    assert_eq!(answer.text_at("/phase"), "quarantined");
}

#[tokio::test]
async fn a_change_while_a_commit_is_open_and_a_release_while_a_change_is_open_win() {
    let world = World::new(StoreKind::Sqlite).await;
    let api = world.api();
    let token = api.reserve("omantel").await;
    let _ = api.commit("omantel", &token, "192.0.2.1").await;
    let _ = api.retarget("omantel", "192.0.2.2").await;
    let _ = api.retarget("omantel", "192.0.2.3").await;
    api.await_phase("omantel", "active").await;
    truth::must_hold(&world).await;
    let _ = api.retarget("omantel", "192.0.2.4").await;
    api.give_back("omantel").await;
    truth::must_hold(&world).await;
}
