//! Failover by DNS, timed and held to the bound that is computed for it.

use std::time::Duration;

use pdm_harness::backends::{Manner, WELL};
use pdm_harness::{StoreKind, size};
use serde_json::json;

use crate::scene::{Scene, TTL, plan, two_nameservers};

fn seconds(value: &serde_json::Value) -> Duration {
    Duration::from_secs(value.as_u64().unwrap())
}

/// A poll, a process switch, a busy machine: what is measured comes on top of what is computed.
const SLACK: Duration = Duration::from_millis(500);

/// The checks run by the second; what fails right after one was made waits longest. So rounds begin at other moments.
async fn another_moment(round: usize) {
    tokio::time::sleep(Duration::from_millis(230) * u32::try_from(round).unwrap()).await;
}

fn shown(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_port_is_seen_at_every_nameserver_within_a_second_and_the_ttl_at_the_median() {
    let mut scene = Scene::start(two_nameservers(), 3, json!({"type": "tcp", "timeout": 1})).await;
    let status = scene.status().await;
    let (detected, recovery) =
        (seconds(&status["bounds"]["detected"]), seconds(&status["bounds"]["recovery"]));
    assert_eq!(
        (status["load"]["perSecond"].as_f64(), status["load"]["interval"].as_u64()),
        (Some(6.0), Some(1))
    );
    // What was computed is what a load balancer receives.
    let before = scene.backends[2].asked();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let received = scene.backends[2].asked() - before;
    assert!((6..=12).contains(&received), "{received} checks in 5 s from two nameservers");
    let (mut down, mut up) = (Vec::new(), Vec::new());
    println!("| round | ns1 knows | ns2 knows | bound | back at ns1 | back at ns2 | bound |");
    for round in 1..=size(5, 20) {
        another_moment(round).await;
        scene.backends[0].set(Manner::Refuses).await;
        let next = scene.ip(1);
        let lost = tokio::join!(scene.until_gives(0, &next), scene.until_gives(1, &next));
        scene.validates();
        scene.backends[0].set(Manner::Well).await;
        let first = scene.ip(0);
        let back = tokio::join!(scene.until_gives(0, &first), scene.until_gives(1, &first));
        println!(
            "| {round} | {} | {} | {} | {} | {} | {} |",
            shown(lost.0),
            shown(lost.1),
            shown(detected),
            shown(back.0),
            shown(back.1),
            shown(recovery - Duration::from_secs(TTL))
        );
        down.extend([lost.0, lost.1]);
        up.extend([back.0, back.1]);
    }
    scene.validates();
    down.sort();
    up.sort();
    let median = down[down.len() / 2];
    println!("clients, with a TTL of {TTL} s: {} at the median", shown(median + Duration::from_secs(TTL)));
    assert!(median <= Duration::from_secs(1), "{down:?}");
    assert!(*down.last().unwrap() <= detected + SLACK, "{down:?} within {detected:?}");
    assert!(*up.last().unwrap() + Duration::from_secs(TTL) <= recovery + SLACK, "{up:?} within {recovery:?}");
    // Flips are counted: every nameserver went there and back in every round, and first of all away from what it gave
    // before its first check. PDM looks now and then, so it may have missed some, but not made any up.
    let rounds = u64::try_from(size(5, 20)).unwrap();
    scene.reason("preferred").await;
    for nameserver in scene.status().await["nameservers"].as_array().unwrap() {
        let flips = nameserver["flips"].as_u64().unwrap();
        assert!((1..=2 * rounds + 1).contains(&flips), "{nameserver}");
    }
    let metrics = scene.world.api().get("/metrics").await.text;
    assert!(metrics.contains("pdm_failover_flips_total{nameserver="), "{metrics}");
    assert!(metrics.contains("pdm_failover_checks_per_second 6"), "{metrics}");
}

/// A TCP check asks for no more than a connection: a port that takes one is up, whatever is behind it; one that answers
/// nothing at all is down once the timeout is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_address_is_seen_within_the_bound_for_silence() {
    let mut scene = Scene::start(two_nameservers(), 2, json!({"type": "tcp", "timeout": 1})).await;
    let limit = seconds(&scene.status().await["bounds"]["clientsIfSilent"]) - Duration::from_secs(TTL);
    for round in 0..size(3, 10) {
        another_moment(round).await;
        scene.backends[0].set(Manner::Silent).await;
        let next = scene.ip(1);
        let lost = tokio::join!(scene.until_gives(0, &next), scene.until_gives(1, &next));
        scene.validates();
        scene.backends[0].set(Manner::Hangs).await;
        let first = scene.ip(0);
        let back = tokio::join!(scene.until_gives(0, &first), scene.until_gives(1, &first));
        println!(
            "silent: {} and {}, bound {}; back in {}",
            shown(lost.0),
            shown(lost.1),
            shown(limit),
            shown(back.0)
        );
        assert!(lost.0.max(lost.1) <= limit + SLACK, "{lost:?} within {limit:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_fail_is_seen_and_recovered_from() {
    let check = json!({"type": "http", "path": "/healthz", "expectText": WELL, "timeout": 1});
    let mut scene = Scene::start(plan(StoreKind::Sqlite), 2, check).await;
    let status = scene.status().await;
    let bounds = &status["bounds"];
    let ttl = Duration::from_secs(TTL);
    println!("| manner | clients know | bound | clients know that it is back | bound |");
    for (round, manner) in Manner::BAD.into_iter().enumerate() {
        another_moment(round).await;
        scene.backends[0].set(manner).await;
        let lost = scene.until_gives(0, &scene.ip(1)).await + ttl;
        scene.validates();
        let limit = seconds(&bounds[if manner.takes_its_time() { "clientsIfSilent" } else { "clients" }]);
        scene.backends[0].set(Manner::Well).await;
        let back = scene.until_gives(0, &scene.ip(0)).await + ttl;
        let recovery = seconds(&bounds["recovery"]);
        println!(
            "| {manner:?} | {} | {} | {} | {} |",
            shown(lost),
            shown(limit),
            shown(back),
            shown(recovery)
        );
        assert!(lost <= limit + SLACK, "{manner:?}: {lost:?} within {limit:?}");
        assert!(back <= recovery + SLACK, "{manner:?}: back in {back:?} within {recovery:?}");
    }
    scene.validates();
    // What was rehearsed is what happened.
    let rehearsed =
        scene.world.api().get(&scene.path("/failover/rehearsal?down=fsn")).await.expect(&[200]).body;
    assert_eq!(rehearsed["after"][0]["answer"], scene.backends[1].ip().to_string(), "{rehearsed}");
    assert_eq!(rehearsed["bounds"], *bounds);
}
