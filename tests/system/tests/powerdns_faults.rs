//! PowerDNS down, slow, answering 500, losing replies, restarted: everything converges without a client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::time::Duration;

use pdm_harness::story::{fqdn, open_operation};
use pdm_harness::{Fault, POOL, Plan, StoreKind, World, full, truth, until};

/// A fault from the commit on; the client is told that it is accepted, and why it waits.
async fn commit_under(world: &World, label: &str, fault: Fault) {
    let token = world.api().reserve(label).await;
    world.proxy().set(fault);
    let answer = world.api().commit(label, &token, "192.0.2.1").await;
    assert_eq!(answer.status, 202, "{answer}");
    let path = answer.header("location").to_owned();
    until("the operation to say why it waits", || async {
        let shown = world.api().get(&path).await;
        let steps = shown.body["steps"].as_array().cloned().unwrap_or_default();
        let waiting = steps.iter().find(|s| s["waitReason"].is_object());
        waiting.map(|s| s["waitReason"]["reason"].as_str().unwrap().to_owned()).ok_or(shown)
    })
    .await;
    assert_ne!(world.api().allocation(label).await["phase"], "active", "nobody is told an untruth");
    world.proxy().heal();
    world.api().await_phase(label, "active").await;
}

#[tokio::test]
async fn down_and_500_and_back() {
    let world = World::new(StoreKind::Sqlite).await;
    world.warm().await;
    commit_under(&world, "down", Fault::Down).await;
    commit_under(&world, "error", Fault::Error500).await;
    truth::must_hold(&world).await;

    world.proxy().set(Fault::Down);
    let _ = world.api().try_release("down", None).await.expect(&[202]);
    let shown = world.api().allocation("down").await;
    assert_eq!(shown["phase"], "releasing");
    assert!(open_operation(&shown).is_some(), "{shown}");
    world.proxy().heal();
    world.api().await_phase("down", "quarantined").await;
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn while_it_is_down_check_and_reserve_work_and_readiness_names_it() {
    let mut world = World::new(StoreKind::Sqlite).await;
    world.powerdns[0].stop().await;
    let ready = until("readiness to notice", || async {
        let answer = world.stranger().get("/readyz").await;
        if answer.status == 503 { Ok(answer) } else { Err(answer) }
    })
    .await;
    let parts = ready.body["parts"].as_array().unwrap();
    let part = |name: &str| parts.iter().find(|p| p["name"] == name).unwrap()["ready"] == true;
    assert!(part("store") && !part("powerdns"), "{ready}");
    assert_eq!(world.stranger().get("/healthz").await.status, 200);
    let check = world.api().get("/v1/check?poolDomain=omani.works&subdomain=omantel").await;
    assert_eq!(check.body["available"], true);
    let token = world.api().reserve("omantel").await;
    let _ = world.api().commit("omantel", &token, "192.0.2.1").await;
    world.powerdns_up().await;
    world.api().await_phase("omantel", "active").await;
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn a_reply_is_lost_after_the_work_was_done() {
    let world = World::new(StoreKind::Sqlite).await;
    world.warm().await;
    for (n, (method, path)) in
        [("POST", "/zones"), ("PATCH", "/zones/omani.works."), ("GET", "cryptokeys")].into_iter().enumerate()
    {
        let label = format!("lost-{n}");
        let token = world.api().reserve(&label).await;
        world.proxy().only(Some(method), path, 1, Fault::LoseReply);
        let _ = world.api().commit(&label, &token, "192.0.2.1").await;
        world.api().await_phase(&label, "active").await;
        assert_eq!(world.proxy().hits(), 1, "{method} {path} was lost");
    }
    for (n, (method, path)) in
        [("DELETE", "/zones/lost-0"), ("PATCH", "/zones/omani.works.")].into_iter().enumerate()
    {
        world.proxy().only(Some(method), path, 1, Fault::LoseReply);
        world.api().give_back(&format!("lost-{n}")).await;
        assert_eq!(world.proxy().hits(), 1, "{method} {path} was lost");
    }
    world.proxy().only(Some("PATCH"), "/zones/lost-2", 1, Fault::LoseReply);
    let _ = world.api().retarget("lost-2", "192.0.2.9").await;
    world.api().await_phase("lost-2", "active").await;
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn one_500_now_and_then_costs_nothing_but_time() {
    let world = World::new(StoreKind::Sqlite).await;
    world.warm().await;
    for (n, (method, path)) in
        [("POST", "/zones"), ("PATCH", "/zones/omani.works."), ("GET", "/zones/")].into_iter().enumerate()
    {
        world.proxy().only(Some(method), path, 2, Fault::Error500);
        let _ = world.api().lend(&format!("error-{n}"), "192.0.2.1").await;
    }
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn it_is_slow() {
    // The whole 40 seconds only in the long run; the sample is slower than a call may take as well.
    let slow = Duration::from_secs(if full() { 40 } else { 4 });
    let world = World::new(StoreKind::Sqlite).await;
    world.warm().await;
    let token = world.api().reserve("slow").await;
    world.proxy().only(Some("POST"), "/zones", 1, Fault::Slow(slow));
    let _ = world.api().commit("slow", &token, "192.0.2.1").await;
    let limit = slow * 2 + Duration::from_secs(60);
    world.api().await_phase_within("slow", "active", limit).await;
    world.proxy().only(Some("PATCH"), "/zones/omani.works.", 1, Fault::Slow(slow));
    let _ = world.api().try_release("slow", None).await.expect(&[202]);
    world.api().await_phase_within("slow", "quarantined", limit).await;
    // A call that PowerDNS carries out after everybody gave up on it may bring the zone back. Then it is an orphan, which
    // is reported and left to a person; it is never delegated.
    let late = tokio::time::timeout(slow, async {
        while world.dns().zones().await.len() == 2 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    if late.await.is_err() {
        return truth::must_hold(&world).await;
    }
    until("the zone that came back to be reported", || async {
        let metrics = world.api().get("/metrics").await.text;
        let reported = metrics.lines().any(|l| l.starts_with("pdm_orphan_zones 1"));
        if reported { Ok(()) } else { Err("no orphan in the metrics") }
    })
    .await;
    assert!(world.dns().rrset(POOL, &fqdn("slow"), "NS").await.is_empty());
}

#[tokio::test]
async fn it_is_restarted_again_and_again_while_many_commit() {
    let mut world = Plan::new(StoreKind::Sqlite).start().await;
    for n in 0..8 {
        let label = format!("restart-{n}");
        let token = world.api().reserve(&label).await;
        let _ = world.api().commit(&label, &token, "192.0.2.1").await;
        if n % 2 == 0 {
            world.powerdns[0].kill();
            world.powerdns[0].go().await;
        }
    }
    for n in 0..8 {
        world.api().await_phase(&format!("restart-{n}"), "active").await;
    }
    truth::must_hold(&world).await;
}
