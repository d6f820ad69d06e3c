//! Two and three replicas on one PostgreSQL: every step by one owner, no duplicates, no deadlock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::collections::BTreeMap;
use std::time::Duration;

use pdm_harness::{Plan, StoreKind, World, client, size, truth, until};

fn no_deadlock(world: &World) {
    let log = world.postgres.as_ref().unwrap().log();
    assert!(!log.to_lowercase().contains("deadlock detected"), "{log}");
}

async fn share(replicas: usize, kill: bool) -> World {
    let mut world = Plan::new(StoreKind::Postgres).replicas(replicas).start().await;
    let stories: Vec<_> = (0..size(18, 90))
        .map(|n| {
            let api = world.api_of(if kill { 0 } else { n % replicas });
            tokio::spawn(async move { client::life(api, &format!("shared-{n}"), n % 3 == 0).await })
        })
        .collect();
    if kill {
        for _ in 0..size(4, 20) {
            tokio::time::sleep(Duration::from_millis(400)).await;
            world.daemons[replicas - 1].kill();
            world.daemons[replicas - 1].go().await;
        }
    }
    for story in stories {
        story.await.unwrap();
    }
    truth::must_hold(&world).await;
    no_deadlock(&world);
    world
}

#[tokio::test]
async fn three_share_the_work() {
    let world = share(3, false).await;
    // No operation was done twice: a zone is created once, whoever does it.
    let mut created = BTreeMap::<String, usize>::new();
    for zone in world.dns().zones().await {
        *created.entry(zone).or_default() += 1;
    }
    assert!(created.values().all(|n| *n == 1), "{created:?}");
    let posts =
        world.proxy().seen().iter().filter(|r| r.starts_with("POST") && r.contains("/zones?")).count();
    assert_eq!(posts, size(18, 90) + 1, "one POST for each Sovereign and one for the pool");
}

#[tokio::test]
async fn one_of_two_is_killed_and_the_other_takes_over() {
    let _ = share(2, true).await;
}

#[tokio::test]
async fn what_one_replica_accepted_another_finishes() {
    let mut world = Plan::new(StoreKind::Postgres).replicas(2).start().await;
    world.warm().await;
    let token = world.api().reserve("omantel").await;
    world.proxy().set(pdm_harness::Fault::Down);
    let _ = world.api().commit("omantel", &token, "192.0.2.1").await.expect(&[202]);
    world.daemons[0].kill();
    world.proxy().heal();
    world.api_of(1).await_phase("omantel", "active").await;
    world.daemons[0].go().await;
    truth::must_hold(&world).await;
}

#[tokio::test]
async fn one_name_asked_of_all_is_given_once() {
    let world = Plan::new(StoreKind::Postgres).replicas(3).start().await;
    let asks: Vec<_> = (0..60)
        .map(|n| {
            let api = world.api_of(n % 3);
            tokio::spawn(async move { api.try_reserve("omantel").await })
        })
        .collect();
    let mut won = 0;
    for ask in asks {
        let answer = ask.await.unwrap().expect(&[201, 409, 429, 503]);
        won += usize::from(answer.status == 201);
    }
    assert_eq!(won, 1);
    no_deadlock(&world);
}

#[tokio::test]
async fn a_repeated_request_at_another_replica_is_the_same_request() {
    let world = Plan::new(StoreKind::Postgres).replicas(2).start().await;
    let ask = |n: usize| world.api_of(n).with_header("idempotency-key", "same");
    let one = ask(0).try_reserve("omantel").await.expect(&[201]);
    let two = until("the second replica to answer", || async {
        let answer = ask(1).try_reserve("omantel").await;
        if answer.status == 201 { Ok(answer) } else { Err(answer) }
    })
    .await;
    assert_eq!(one.text_at("/reservationToken"), two.text_at("/reservationToken"));
}
