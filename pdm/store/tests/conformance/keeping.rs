//! What is kept: the log, requests, notes, marks, restarts and copies.

use std::sync::Arc;
use std::time::Duration;

use pdm_model::{Allocation, AuditEntry, Observed, OperationKind, Phase, Step, StepState, Wait, Who};
use pdm_ports::store::{Checkpoint, Filter, Freeze, Remembered, Store, Then};
use pdm_store::SqlStore;
use serde_json::json;

use super::deciding::label;
use crate::support::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

pub async fn the_audit_log_is_insert_only(bed: Bed) {
    let store = bed.open().await;
    store.audit(AuditEntry::new("admin", "freeze", &pool(), "why")).await.unwrap();
    for sql in ["UPDATE audit_log SET actor = 'nobody'", "DELETE FROM audit_log"] {
        assert!(bed.sql(sql).await.is_err(), "{sql}");
    }
    let log = store.audit_log(None, None, None, 10).await.unwrap();
    assert_eq!((log.len(), log[0].actor.as_str()), (1, "admin"));
    assert!(log[0].seq > 0 && log[0].at.0 > 0);
}

pub async fn a_request_is_begun_once_and_its_answer_repeated(bed: Bed) {
    let store = bed.open().await;
    assert_eq!(store.remember("k", "d").await.unwrap(), Remembered::Begin);
    assert_eq!(store.remember("k", "d").await.unwrap(), Remembered::InProgress);
    assert_eq!(store.remember("k", "other").await.unwrap(), Remembered::OtherBody);
    let response = json!({"fqdn": "acme.omani.works", "n": [1, null]});
    store.answer("k", Some((201, response.clone()))).await.unwrap();
    let answered = Remembered::Answered { status: 201, response };
    assert_eq!(store.remember("k", "d").await.unwrap(), answered);
    assert_eq!(store.remember("k", "other").await.unwrap(), Remembered::OtherBody);
    store.answer("k", None).await.unwrap();
    assert_eq!(store.remember("k", "other").await.unwrap(), Remembered::Begin);
    store.answer("k", Some((200, json!(null)))).await.unwrap();
    bed.shift(DAY + Duration::from_secs(1)).await;
    assert_eq!(store.remember("k", "third").await.unwrap(), Remembered::Begin, "after a day");
}

pub async fn of_many_that_remember_one_begins(bed: Bed) {
    let store = Arc::new(bed.open().await);
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.remember("k", "d").await.unwrap() == Remembered::Begin })
        })
        .collect();
    let mut begun = 0;
    for task in tasks {
        begun += usize::from(task.await.unwrap());
    }
    assert_eq!(begun, 1);
}

pub async fn an_abandoned_request_can_be_begun_again(bed: Bed) {
    let store = bed.open().await;
    assert_eq!(store.remember("k", "d").await.unwrap(), Remembered::Begin);
    bed.shift(Duration::from_secs(61)).await;
    assert_eq!(store.remember("k", "other").await.unwrap(), Remembered::OtherBody);
    assert_eq!(store.remember("k", "d").await.unwrap(), Remembered::Begin);
    assert_eq!(store.remember("k", "d").await.unwrap(), Remembered::InProgress);
}

async fn finish(store: &SqlStore, operation: &str, token: &str) {
    store
        .checkpoint(operation, token, Checkpoint { then: Then::Finish, ..Checkpoint::default() })
        .await
        .unwrap();
}

pub async fn notes_yield_to_operations_and_generations(bed: Bed) {
    let store = bed.open().await;
    let decided = committed(&store, "acme", Some(("t", DAY))).await;
    let (live, open) = (decided.allocation.unwrap(), decided.operation.unwrap());
    let observed = Observed { serial: Some(9), ..Observed::default() };
    let note = async |row: &Allocation| {
        let audit = vec![AuditEntry::new("pdm", "drift", &live.fqdn, "")];
        let row = Allocation { conditions: Vec::new(), observed: observed.clone(), ..row.clone() };
        store.note(&row, None, audit).await.unwrap()
    };
    let read = async || store.allocation(&live.fqdn).await.unwrap().unwrap().0;
    assert!(!note(&live).await, "an operation is open");
    finish(&store, &open.id, "t").await;
    let fresh = read().await;
    assert!(
        !note(&Allocation { generation: fresh.generation - 1, ..fresh.clone() }).await,
        "another generation"
    );
    assert!(note(&fresh).await);
    let noted = read().await;
    assert_eq!((&noted.observed, &noted.target), (&observed, &live.target));
    assert!(!note(&fresh).await, "what was read before the note is older");
    assert_eq!(store.audit_log(None, Some("pdm"), None, 10).await.unwrap().len(), 1);
}

pub async fn notes_are_taken_while_a_roll_rests(bed: Bed) {
    let store = bed.open().await;
    let decided = committed(&store, "acme", Some(("t", DAY))).await;
    let (live, open) = (decided.allocation.unwrap(), decided.operation.unwrap());
    finish(&store, &open.id, "t").await;
    let roll = operate(&store, "acme", OperationKind::Roll, Some(("r", DAY))).await.operation.unwrap();
    let note = async || {
        let read = store.allocation(&live.fqdn).await.unwrap().unwrap().0;
        store.note(&read, None, Vec::new()).await.unwrap()
    };
    assert!(!note().await, "somebody is at work on the roll");
    let rest = Checkpoint { steps: roll.steps, then: Then::LookAgain(DAY), ..Checkpoint::default() };
    store.checkpoint(&roll.id, "r", rest).await.unwrap();
    assert!(note().await, "nobody is");
}

pub async fn notes_are_taken_while_a_repair_waits_for_a_person(bed: Bed) {
    let store = bed.open().await;
    for (who, taken) in [(Who::Nobody, false), (Who::Caller, true)] {
        let label = who.as_str();
        let decided = committed(&store, label, Some(("t", DAY))).await;
        let (live, open) = (decided.allocation.unwrap(), decided.operation.unwrap());
        finish(&store, &open.id, "t").await;
        let repair = operate(&store, label, OperationKind::Repair, Some(("r", DAY))).await.operation.unwrap();
        let wait = Wait { reason: "add-ds".to_owned(), detail: String::new(), who, until: live.updated_at };
        let mut steps = repair.steps;
        steps[0] = Step { state: StepState::Waiting, wait_reason: Some(wait), ..steps[0].clone() };
        let rest = Checkpoint { steps, then: Then::LookAgain(DAY), ..Checkpoint::default() };
        store.checkpoint(&repair.id, "r", rest).await.unwrap();
        let read = store.allocation(&live.fqdn).await.unwrap().unwrap().0;
        assert_eq!(store.note(&read, None, Vec::new()).await.unwrap(), taken, "it waits for {label}");
    }
}

pub async fn a_freeze_keeps_its_first_author(bed: Bed) {
    let store = bed.open().await;
    store.set_freeze(None, true, "first").await.unwrap();
    store.set_freeze(None, true, "second").await.unwrap();
    store.set_freeze(Some(&pool()), true, "third").await.unwrap();
    let freezes = store.freezes().await.unwrap();
    let who: Vec<_> = freezes.iter().map(|Freeze { pool, by, .. }| (pool.clone(), by.as_str())).collect();
    assert_eq!(who, [(None, "first"), (Some(pool()), "third")]);
    store.set_freeze(None, false, "x").await.unwrap();
    store.set_freeze(None, false, "x").await.unwrap();
    assert_eq!(store.freezes().await.unwrap().len(), 1);
}

pub async fn the_mark_only_rises(bed: Bed) {
    let store = bed.open().await;
    assert_eq!(store.mark().await.unwrap(), 0);
    store.raise_mark(0).await.unwrap();
    let first = committed(&store, "one", None).await.operation.unwrap();
    assert_eq!(store.mark().await.unwrap(), first.seq);
    store.raise_mark(1000).await.unwrap();
    store.raise_mark(7).await.unwrap();
    assert_eq!(store.mark().await.unwrap(), 1000);
    assert_eq!(committed(&store, "two", None).await.operation.unwrap().seq, 1001);
}

pub async fn a_lost_row_is_restored_once(bed: Bed) {
    let store = bed.open().await;
    let now = store.now().await.unwrap();
    let mut lost = reservation("acme", "o", &fresh_id(), now);
    lost.phase = Phase::Active;
    lost.generation = 7;
    let entry = AuditEntry::new("pdm", "restore", &lost.fqdn, "");
    assert!(store.restore(&lost, entry.clone()).await.unwrap());
    assert!(!store.restore(&lost, entry.clone()).await.unwrap(), "the second time changes nothing");
    let other = reservation("acme", "thief", &fresh_id(), now);
    assert!(!store.restore(&other, entry).await.unwrap());
    let read = store.allocation(&lost.fqdn).await.unwrap().unwrap().0;
    assert_eq!((read.id, read.phase, read.generation), (lost.id, Phase::Active, 7));
    assert_eq!(store.audit_log(None, None, None, 10).await.unwrap().len(), 1);
}

pub async fn old_requests_and_events_are_pruned(bed: Bed) {
    let store = bed.open().await;
    store.remember("k", "d").await.unwrap();
    let done = committed(&store, "done", Some(("t", DAY))).await.operation.unwrap();
    finish(&store, &done.id, "t").await;
    let open = committed(&store, "open", None).await.operation.unwrap();
    assert_eq!(store.prune().await.unwrap(), 0);
    bed.shift(DAY * 8).await;
    assert_eq!(store.prune().await.unwrap(), 3);
    assert!(store.events(&done.id, 0).await.unwrap().is_empty());
    assert_eq!(store.events(&open.id, 0).await.unwrap().len(), 1, "an open operation keeps its events");
    assert_eq!(store.prune().await.unwrap(), 0);
}

/// Something in every table.
async fn furnish(store: &SqlStore) {
    for n in 0..5 {
        committed(store, &label(n), (n == 0).then_some(("t", DAY))).await;
    }
    operate(store, &label(1), OperationKind::Release, None).await;
    reserve(store, "zzz", "other").await.unwrap();
    store.remember("k", "d").await.unwrap();
    store.answer("k", Some((200, json!({"a": "\u{e9}"})))).await.unwrap();
    store.set_freeze(Some(&pool()), true, "admin").await.unwrap();
    store.raise_mark(500).await.unwrap();
}

async fn everything(store: &SqlStore) -> String {
    let rows = store.allocations(&Filter { limit: 100, freed: true, ..Filter::default() }).await.unwrap();
    let mut all = format!("{rows:?}");
    for n in 0..5 {
        let open = store.allocation(&under(&label(n))).await.unwrap().unwrap().1.unwrap();
        all += &format!("{open:?} {:?}", store.events(&open.id, 0).await.unwrap());
    }
    all += &format!("{:?}", store.audit_log(None, None, None, 100).await.unwrap());
    all += &format!("{:?} {:?}", store.freezes().await.unwrap(), store.mark().await.unwrap());
    all += &format!("{:?} {}", store.remember("k", "d").await.unwrap(), store.store_id().await.unwrap());
    all
}

pub async fn a_restart_keeps_everything(bed: Bed) {
    let store = bed.open().await;
    furnish(&store).await;
    let before = everything(&store).await;
    store.close().await;
    let store = SqlStore::open(&bed.url, false).await.unwrap();
    assert_eq!(everything(&store).await, before);
    assert!(store.lease("u", DAY, 10).await.unwrap().is_empty(), "it is frozen");
}

pub async fn a_copy_is_the_same_store(bed: Bed) {
    let store = bed.open().await;
    furnish(&store).await;
    let before = everything(&store).await;
    store.close().await;
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let other = Bed::new(kind);
        let copied = pdm_store::copy(&bed.url, &other.url).await.unwrap();
        assert!(copied.iter().any(|(table, rows)| *table == "operations" && *rows == 6));
        let copy = other.open().await;
        assert_eq!(everything(&copy).await, before);
        assert_eq!(committed(&copy, "next", None).await.operation.unwrap().seq, 501);
        copy.audit(AuditEntry::new("admin", "copy", &pool(), "")).await.unwrap();
        copy.close().await;
        assert_eq!(code(pdm_store::copy(&bed.url, &other.url).await), "store-not-empty");
    }
}
