//! A thousand reservations at once: of different names, and of one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // it is a test

use std::collections::BTreeSet;

use pdm_harness::{Answer, StoreKind, World};

const MANY: usize = 1000;

async fn all_at_once(world: &World, label: impl Fn(usize) -> String) -> Vec<Answer> {
    let asks: Vec<_> = (0..MANY)
        .map(|n| {
            let (api, label) = (world.api(), label(n));
            tokio::spawn(async move { api.try_reserve(&label).await })
        })
        .collect();
    let mut answers = Vec::with_capacity(MANY);
    for ask in asks {
        answers.push(ask.await.unwrap());
    }
    answers
}

async fn different_names(store: StoreKind) {
    let world = World::new(store).await;
    let answers = all_at_once(&world, |n| format!("name-{n}x")).await;
    let created: BTreeSet<_> =
        answers.iter().filter(|a| a.status == 201).map(|a| a.text_at("/fqdn")).collect();
    for answer in answers.iter().filter(|a| a.status != 201) {
        assert!([429, 503].contains(&answer.status), "refused fast or created: {answer}");
        assert!(!answer.header("retry-after").is_empty(), "{answer}");
    }
    let kept = world.api().allocations().await;
    let kept: BTreeSet<_> = kept.iter().filter_map(|a| a["fqdn"].as_str()).collect();
    assert_eq!(kept, created, "what was refused left nothing behind");
    let mut tokens: Vec<_> =
        answers.iter().map(|a| a.text_at("/reservationToken")).filter(|t| !t.is_empty()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), created.len(), "no token twice");
    assert!(created.len() >= MANY / 2, "only {} of {MANY}", created.len());
}

async fn one_name(store: StoreKind) {
    let world = World::new(store).await;
    let answers = all_at_once(&world, |_| "omantel".to_owned()).await;
    assert_eq!(answers.iter().filter(|a| a.status == 201).count(), 1, "exactly one wins");
    assert!(answers.iter().all(|a| [201, 409, 429, 503].contains(&a.status)));
    assert_eq!(world.api().allocations().await.len(), 1);
}

#[tokio::test]
async fn different_names_on_sqlite() {
    different_names(StoreKind::Sqlite).await;
}

#[tokio::test]
async fn different_names_on_postgres() {
    different_names(StoreKind::Postgres).await;
}

#[tokio::test]
async fn one_name_on_sqlite() {
    one_name(StoreKind::Sqlite).await;
}

#[tokio::test]
async fn one_name_on_postgres() {
    one_name(StoreKind::Postgres).await;
}

#[tokio::test]
async fn the_limiter_refuses_fast_and_says_when() {
    let world = pdm_harness::Plan::new(StoreKind::Sqlite)
        .section("[limits]\nrequests_per_second = 5\nburst = 10")
        .start()
        .await;
    let api = world.api();
    let mut refused = None;
    for n in 0..50 {
        let answer = api.try_reserve(&format!("limited-{n}x")).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("50 requests at 5 a second are too many");
    assert_eq!(refused.code(), "rate-limited");
    assert!(refused.header("retry-after").parse::<u32>().is_ok(), "{refused}");
}
