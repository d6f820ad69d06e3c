//! Time passes by the store's clock, and by no other.

use std::sync::Arc;
use std::time::Duration;

use pdm_model::{Allocation, Phase};
use pdm_ports::store::{Decision, Facts, Store, Wanted, Write};
use pdm_store::SqlStore;

use super::deciding::label;
use crate::support::*;

async fn phase(store: &SqlStore, label: &str) -> Phase {
    store.allocation(&under(label)).await.unwrap().unwrap().0.phase
}

/// Put a row into a phase with its dates counted from now.
async fn put(store: &SqlStore, label: &str, phase: Phase, expires: Duration, quarantine: Option<Duration>) {
    let (label_, id) = (label.to_owned(), fresh_id());
    let decision: Decision = Arc::new(move |facts: &Facts| {
        let row = Allocation {
            phase,
            expires_at: facts.now + expires,
            quarantined_until: quarantine.map(|q| facts.now + q),
            ..reservation(&label_, "o", &id, facts.now)
        };
        Ok(Write { allocations: vec![row], ..Write::default() })
    });
    store.decide(&under(label), Wanted::default(), decision).await.unwrap().unwrap();
}

const HOUR: Duration = Duration::from_secs(3600);

pub async fn reservations_end_by_the_clock_of_the_store(bed: Bed) {
    let store = bed.open().await;
    let before = store.now().await.unwrap();
    put(&store, "acme", Phase::Reserved, HOUR, None).await;
    assert_eq!(store.expire(100).await.unwrap(), 0);
    bed.shift(HOUR * 2).await;
    assert!(store.now().await.unwrap().since(before) >= HOUR * 2);
    assert_eq!(store.expire(100).await.unwrap(), 1);
    assert_eq!(phase(&store, "acme").await, Phase::Freed);
    assert_eq!(store.expire(100).await.unwrap(), 0, "the second time changes nothing");
}

pub async fn a_reclaimed_reservation_falls_back_into_quarantine(bed: Bed) {
    let store = bed.open().await;
    put(&store, "acme", Phase::Reserved, HOUR, Some(HOUR * 10)).await;
    bed.shift(HOUR * 2).await;
    assert_eq!(store.expire(100).await.unwrap(), 1);
    assert_eq!(phase(&store, "acme").await, Phase::Quarantined);
    bed.shift(HOUR * 11).await;
    assert_eq!(store.expire(100).await.unwrap(), 1);
    assert_eq!(phase(&store, "acme").await, Phase::Freed);
}

pub async fn a_quarantine_ends_and_the_audit_log_says_so(bed: Bed) {
    let store = bed.open().await;
    put(&store, "acme", Phase::Quarantined, HOUR, Some(HOUR * 3)).await;
    bed.shift(HOUR * 2).await;
    assert_eq!(store.expire(100).await.unwrap(), 0);
    bed.shift(HOUR * 4).await;
    assert_eq!(store.expire(100).await.unwrap(), 1);
    let log = store.audit_log(Some(&under("acme")), Some("pdm"), None, 10).await.unwrap();
    assert_eq!(log.iter().map(|e| e.action.as_str()).collect::<Vec<_>>(), ["quarantine-over"]);
}

pub async fn expiry_is_bounded_and_two_sweeps_share_it(bed: Bed) {
    let store = Arc::new(bed.open().await);
    for n in 0..30 {
        put(&store, &label(n), Phase::Reserved, HOUR, None).await;
    }
    bed.shift(HOUR * 2).await;
    assert_eq!(store.expire(10).await.unwrap(), 10);
    let other = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.expire(100).await.unwrap() })
    };
    let mut ended = store.expire(100).await.unwrap() + other.await.unwrap();
    // Rows that the other sweep had locked were skipped, never waited for.
    ended += store.expire(100).await.unwrap();
    assert_eq!(ended, 20);
    assert_eq!(bed.number("SELECT count(*) FROM audit_log WHERE actor = 'pdm'").await, 30);
}

pub async fn the_holder_is_judged_by_the_deadline_not_by_the_sweep(bed: Bed) {
    let store = bed.open().await;
    put(&store, "acme", Phase::Reserved, HOUR, None).await;
    put(&store, "back", Phase::Reserved, HOUR, Some(HOUR * 10)).await;
    let ask = async |label: &str| store.holder(&under(label), &pool(), &look(label)).await.unwrap();
    assert_eq!(ask("acme").await.unwrap().phase, Phase::Reserved);
    bed.shift(HOUR * 2).await;
    assert_eq!(ask("acme").await, None);
    let back = ask("back").await.unwrap();
    assert_eq!(back.phase, Phase::Quarantined);
    assert!(back.until.is_some());
    bed.shift(HOUR * 11).await;
    assert_eq!(ask("back").await, None);
}
