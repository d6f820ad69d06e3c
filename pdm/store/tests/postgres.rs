//! What only PostgreSQL has: several processes, a server that can be down.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by a panic")]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use pdm_ports::Class;
use pdm_ports::parent::{LeaseAnswer, ZoneLease};
use pdm_ports::store::Store;
use pdm_store::SqlStore;
use support::postgres::Postgres;
use support::*;

const TTL: Duration = Duration::from_secs(30);

fn granted(taken_over: bool, changed_hands: bool) -> LeaseAnswer {
    LeaseAnswer::Granted { taken_over, changed_hands }
}

#[tokio::test]
async fn a_zone_has_one_writer_across_replicas() {
    let bed = Bed::new(Kind::Postgres);
    let (a, b) = (bed.open().await, bed.open().await);
    let zone = pool();
    assert_eq!(a.acquire(&zone, "a", TTL).await.unwrap(), granted(false, false));
    assert_eq!(a.acquire(&zone, "a", TTL).await.unwrap(), granted(false, false));
    assert_eq!(b.acquire(&zone, "b", TTL).await.unwrap(), LeaseAnswer::Held);
    a.give_back(&zone, "a").await.unwrap();
    assert_eq!(a.acquire(&zone, "a", TTL).await.unwrap(), granted(false, false), "nobody was in between");
    a.give_back(&zone, "a").await.unwrap();
    assert_eq!(b.acquire(&zone, "b", TTL).await.unwrap(), granted(false, true));
    // b dies without a word
    bed.shift(TTL * 2).await;
    assert_eq!(a.acquire(&zone, "a", TTL).await.unwrap(), granted(true, true));
    b.give_back(&zone, "b").await.unwrap();
    assert_eq!(
        b.acquire(&zone, "b", TTL).await.unwrap(),
        LeaseAnswer::Held,
        "a late return takes nothing away"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_want_a_zone_one_gets_it() {
    let bed = Bed::new(Kind::Postgres);
    let store = Arc::new(bed.open().await);
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.acquire(&pool(), &format!("h{n}"), TTL).await.unwrap() })
        })
        .collect();
    let mut got = 0;
    for task in tasks {
        got += usize::from(task.await.unwrap() != LeaseAnswer::Held);
    }
    assert_eq!(got, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_reserve_one_name_once() {
    let bed = Bed::new(Kind::Postgres);
    let stores = [Arc::new(bed.open().await), Arc::new(bed.open().await)];
    for round in 0..20 {
        let label = format!("round{round}x");
        let (a, b) = tokio::join!(reserve(&stores[0], &label, "a"), reserve(&stores[1], &label, "b"));
        assert_ne!(a.is_ok(), b.is_ok());
    }
}

/// The lock on the look is not what keeps a name single: the index is, and a lost race is decided again.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_lock_the_index_decides_and_the_loser_decides_again() {
    let bed = Bed::new(Kind::Postgres);
    let store = Arc::new(bed.open().await);
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let store = Arc::clone(&store);
            let decision = reserving("acme", &format!("o{n}"));
            tokio::spawn(
                async move { store.decide(&under("acme"), Default::default(), decision).await.unwrap() },
            )
        })
        .collect();
    let mut codes = Vec::new();
    for task in tasks {
        codes.push(task.await.unwrap().map_or_else(|refusal| refusal.code, |_| "won"));
    }
    assert_eq!(codes.iter().filter(|c| **c == "won").count(), 1);
    assert_eq!(codes.iter().filter(|c| **c == "name-taken").count(), 49);
}

#[tokio::test]
async fn a_store_that_is_down_opens_and_answers_at_once() {
    let store = SqlStore::open("postgres://nobody@127.0.0.1:1/nothing", false).await.unwrap();
    let begun = Instant::now();
    for _ in 0..3 {
        let fault = store.now().await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Transient, "store-unavailable"));
        let fault = store.audit(pdm_model::AuditEntry::new("a", "b", &pool(), "")).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Transient, "store-unavailable"));
        assert!(store.holder(&under("a"), &pool(), "a").await.is_err());
    }
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn lost_connections_are_replaced_without_a_fault() {
    let bed = Bed::new(Kind::Postgres);
    let store = Arc::new(bed.open().await);
    let warm: Vec<_> = (0..8)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { reserve(&store, &format!("warm{n}x"), "o").await.unwrap() })
        })
        .collect();
    for task in warm {
        task.await.unwrap();
    }
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    bed.number(end).await;
    reserve(&store, "acme", "o").await.unwrap();
    bed.number(end).await;
    assert!(store.allocation(&under("acme")).await.unwrap().is_some());
    bed.number(end).await;
    assert!(store.holder(&under("acme"), &pool(), &look("acme")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_lock_that_is_never_given_is_a_transient_fault() {
    let bed = Bed::new(Kind::Postgres);
    let store = bed.open().await;
    reserve(&store, "acme", "o").await.unwrap();
    let database = bed.url.split('/').nth(3).unwrap().split('?').next().unwrap().to_owned();
    let holder = std::thread::spawn(move || {
        Postgres::shared().psql(&database, "BEGIN; SELECT 1 FROM allocations FOR UPDATE; SELECT pg_sleep(8)");
    });
    let locked =
        "SELECT count(*) FROM pg_locks WHERE relation = 'allocations'::regclass AND mode = 'RowShareLock'";
    while bed.number(locked).await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let begun = Instant::now();
    let fault = store.decide(&under("acme"), Default::default(), reserving("acme", "o")).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Transient, "store-unavailable"));
    assert!(begun.elapsed() < Duration::from_secs(7));
    holder.join().unwrap();
}

#[tokio::test]
async fn a_wrong_user_is_a_matter_of_credentials() {
    let url = Postgres::shared().database().replace("postgres@", "stranger@");
    let Err(fault) = SqlStore::open(&url, true).await else { panic!("it should be refused") };
    assert_eq!((fault.class, fault.code), (Class::Credential, "store-refused"));
}
