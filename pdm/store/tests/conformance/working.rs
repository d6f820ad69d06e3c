//! Leases and checkpoints: a stale worker changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pdm_model::{
    Condition, ConditionKind, Event, Observed, Operation, OperationKind, OperationState, Phase, Status, Step,
    StepState, Timestamp,
};
use pdm_ports::Class;
use pdm_ports::store::{Checkpoint, Decision, Store, Then, Wanted, Write};
use pdm_store::SqlStore;

use super::deciding::label;
use crate::support::postgres::Postgres;
use crate::support::*;

const LEASE: Duration = Duration::from_secs(60);

/// The steps with the first one moved to `state`.
fn moved(operation: &Operation, state: StepState) -> Vec<Step> {
    let mut steps = operation.steps.clone();
    steps[0].state = state;
    steps[0].attempts += 1;
    steps
}

fn held(operation: &Operation) -> Checkpoint {
    Checkpoint {
        steps: moved(operation, StepState::Running),
        then: Then::Hold(LEASE),
        ..Checkpoint::default()
    }
}

fn finished(operation: &Operation) -> Checkpoint {
    let steps =
        operation.steps.iter().map(|s| Step { state: StepState::Done, ..s.clone() }).collect::<Vec<_>>();
    Checkpoint { steps, then: Then::Finish, ..Checkpoint::default() }
}

async fn must_be_fenced(store: &SqlStore, operation: &Operation, token: &str) {
    let before = store.operation(&operation.id).await.unwrap();
    let mut stale = held(operation);
    stale.event = Some(Event::Published);
    stale.conditions = Some(Vec::new());
    let fault = store.checkpoint(&operation.id, token, stale).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Fenced, "lease-lost"));
    assert_eq!(store.operation(&operation.id).await.unwrap(), before);
}

pub async fn a_stale_token_is_refused_and_changes_nothing(bed: Bed) {
    let store = bed.open().await;
    let operation = committed(&store, "acme", Some(("mine", LEASE))).await.operation.unwrap();
    must_be_fenced(&store, &operation, "theirs").await;
    store.checkpoint(&operation.id, "mine", finished(&operation)).await.unwrap();
    must_be_fenced(&store, &operation, "mine").await;
    let unknown = store.checkpoint("no such operation", "mine", Checkpoint::default()).await.unwrap_err();
    assert_eq!(unknown.code, "lease-lost");
}

pub async fn an_expired_lease_is_taken_over_and_the_old_worker_fenced(bed: Bed) {
    let store = bed.open().await;
    let operation = committed(&store, "acme", Some(("first", LEASE))).await.operation.unwrap();
    assert!(store.lease("second", LEASE, 10).await.unwrap().is_empty());
    bed.shift(LEASE * 2).await;
    let taken = store.lease("second", LEASE, 10).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!((&taken[0].operation, taken[0].token.as_str()), (&operation, "second"));
    assert_eq!(taken[0].allocation.fqdn, under("acme"));
    must_be_fenced(&store, &operation, "first").await;
    store.checkpoint(&operation.id, "second", held(&operation)).await.unwrap();
}

pub async fn an_expired_lease_that_nobody_took_still_counts(bed: Bed) {
    let store = bed.open().await;
    let operation = committed(&store, "acme", Some(("mine", LEASE))).await.operation.unwrap();
    bed.shift(LEASE * 2).await;
    store.checkpoint(&operation.id, "mine", held(&operation)).await.unwrap();
    assert!(store.lease("other", LEASE, 10).await.unwrap().is_empty());
}

pub async fn a_supersede_fences_the_worker(bed: Bed) {
    let store = bed.open().await;
    let first = committed(&store, "acme", Some(("mine", LEASE))).await.operation.unwrap();
    operate(&store, "acme", OperationKind::Release, Some(("mine", LEASE))).await;
    must_be_fenced(&store, &first, "mine").await;
    let (live, open) = store.allocation(&under("acme")).await.unwrap().unwrap();
    assert_eq!((live.phase, open.unwrap().kind), (Phase::Releasing, OperationKind::Release));
}

pub async fn what_another_process_held_is_left_quiet_first(bed: Bed) {
    let store = bed.open().await;
    committed(&store, "acme", Some(("other", LEASE))).await;
    let begun = std::time::Instant::now();
    let decided = operate(&store, "acme", OperationKind::Release, Some(("mine", LEASE))).await;
    assert!(decided.quiet);
    let mut leased = store.lease("mine", LEASE, 10).await.unwrap();
    assert!(leased.is_empty() || begun.elapsed() >= QUIET);
    while leased.is_empty() {
        assert!(begun.elapsed() < LEASE, "it is never leased");
        tokio::time::sleep(Duration::from_millis(20)).await;
        leased = store.lease("mine", LEASE, 10).await.unwrap();
    }
    assert!(begun.elapsed() >= QUIET);
    // Its own process knows that nothing is under way, and goes on at once.
    let decided = operate(&store, "acme", OperationKind::Release, Some(("mine", LEASE))).await;
    assert!(!decided.quiet);
}

pub async fn a_checkpoint_moves_only_what_was_observed(bed: Bed) {
    let store = bed.open().await;
    let decided = committed(&store, "acme", Some(("mine", LEASE))).await;
    let (before, operation) = (decided.allocation.unwrap(), decided.operation.unwrap());
    let observed = Observed { serial: Some(5), ..Observed::default() };
    let condition = Condition {
        kind: ConditionKind::ZonePublished,
        status: Status::True,
        reason: "served".into(),
        detail: String::new(),
        since: decided.now,
        who: None,
    };
    let mut checkpoint = held(&operation);
    checkpoint.event = Some(Event::Published);
    checkpoint.observed = Some(observed.clone());
    checkpoint.conditions = Some(vec![condition.clone()]);
    let at = store.checkpoint(&operation.id, "mine", checkpoint.clone()).await.unwrap();
    let (after, open) = store.allocation(&under("acme")).await.unwrap().unwrap();
    let mut expected = before.clone();
    expected.phase = Phase::Delegating;
    expected.observed = observed;
    expected.conditions = vec![condition];
    expected.updated_at = at;
    assert_eq!(after, expected);
    assert_eq!(open.unwrap().steps, checkpoint.steps);

    // and at the end of a release the quarantine begins by the store's clock
    let release =
        operate(&store, "acme", OperationKind::Release, Some(("mine", LEASE))).await.operation.unwrap();
    let quarantine = Duration::from_secs(200 * 24 * 3600);
    let last = Checkpoint { event: Some(Event::Removed), quarantine: Some(quarantine), ..finished(&release) };
    let at = store.checkpoint(&release.id, "mine", last).await.unwrap();
    let (after, open) = store.allocation(&under("acme")).await.unwrap().unwrap();
    assert_eq!((after.phase, after.quarantined_until), (Phase::Quarantined, Some(at + quarantine)));
    assert!(open.is_none());
    let done = store.operation(&release.id).await.unwrap().unwrap();
    assert_eq!((done.state, done.finished_at), (OperationState::Done, Some(at)));
}

pub async fn a_checkpoint_leaves_what_was_decided_meanwhile(bed: Bed) {
    let store = bed.open().await;
    let operation = committed(&store, "acme", Some(("mine", LEASE))).await.operation.unwrap();
    let condition = |kind, status| Condition {
        kind,
        status,
        reason: "seen".into(),
        detail: String::new(),
        since: Timestamp(0),
        who: None,
    };
    // The worker holds the row as it was before somebody decided about the proof, both ways.
    for (decided, stale) in [(Status::False, None), (Status::True, Some(Status::False))] {
        let wanted = condition(ConditionKind::OwnershipProved, decided);
        let written = wanted.clone();
        let decision: Decision = Arc::new(move |facts| {
            let mut live = facts.live.clone().unwrap();
            live.conditions.retain(|c| c.kind != written.kind);
            live.conditions.push(written.clone());
            Ok(Write { allocations: vec![live], ..Write::default() })
        });
        store.decide(&under("acme"), Wanted::default(), decision).await.unwrap().unwrap();
        let found = condition(ConditionKind::Progressing, Status::False);
        let old = stale.map(|status| condition(ConditionKind::OwnershipProved, status));
        let mut checkpoint = held(&operation);
        checkpoint.conditions = Some(old.into_iter().chain([found.clone()]).collect());
        store.checkpoint(&operation.id, "mine", checkpoint).await.unwrap();
        let (after, _) = store.allocation(&under("acme")).await.unwrap().unwrap();
        assert_eq!(after.conditions, [wanted, found]);
    }
}

pub async fn a_checkpoint_without_a_transition_is_a_bug_and_changes_nothing(bed: Bed) {
    let store = bed.open().await;
    let operation = committed(&store, "acme", Some(("mine", LEASE))).await.operation.unwrap();
    let impossible = Checkpoint { event: Some(Event::Removed), ..finished(&operation) };
    let fault = store.checkpoint(&operation.id, "mine", impossible).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Bug, "no-transition"));
    assert_eq!(store.operation(&operation.id).await.unwrap(), Some(operation));
}

pub async fn looking_again_waits_and_hurrying_does_not(bed: Bed) {
    let store = bed.open().await;
    let operation = committed(&store, "acme", Some(("mine", LEASE))).await.operation.unwrap();
    let later = Checkpoint { then: Then::LookAgain(LEASE), ..held(&operation) };
    store.checkpoint(&operation.id, "mine", later.clone()).await.unwrap();
    must_be_fenced(&store, &operation, "mine").await;
    assert!(store.lease("t", LEASE, 10).await.unwrap().is_empty());
    assert!(store.hurry(&operation.id).await.unwrap());
    assert_eq!(store.lease("t", LEASE, 10).await.unwrap().len(), 1);
    store.checkpoint(&operation.id, "t", later).await.unwrap();
    bed.shift(LEASE * 2).await;
    assert_eq!(store.lease("u", LEASE, 10).await.unwrap().len(), 1);
    store.checkpoint(&operation.id, "u", finished(&operation)).await.unwrap();
    assert!(!store.hurry(&operation.id).await.unwrap());
    assert!(!store.hurry("no such operation").await.unwrap());
}

pub async fn letting_go_lets_another_go_on(bed: Bed) {
    let store = bed.open().await;
    for n in 0..5 {
        committed(&store, &label(n), None).await;
    }
    assert_eq!(store.lease("mine", LEASE, 3).await.unwrap().len(), 3);
    assert_eq!(store.lease("other", LEASE, 10).await.unwrap().len(), 2);
    store.let_go("mine").await.unwrap();
    assert_eq!(store.lease("other", LEASE, 10).await.unwrap().len(), 3);
}

pub async fn frozen_pools_are_not_leased(bed: Bed) {
    let store = bed.open().await;
    committed(&store, "acme", None).await;
    for stop in [None, Some(pool())] {
        store.set_freeze(stop.as_ref(), true, "admin").await.unwrap();
        assert!(store.lease("t", LEASE, 10).await.unwrap().is_empty());
        store.set_freeze(stop.as_ref(), false, "admin").await.unwrap();
    }
    store.set_freeze(Some(&name("elsewhere.example")), true, "admin").await.unwrap();
    assert_eq!(store.lease("t", LEASE, 10).await.unwrap().len(), 1);
}

pub async fn each_operation_is_leased_once(bed: Bed) {
    let store = Arc::new(bed.open().await);
    for n in 0..60 {
        committed(&store, &label(n), None).await;
    }
    let workers: Vec<_> = (0..8)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut mine = Vec::new();
                for _ in 0..10 {
                    let leases = store.lease(&format!("w{n}"), LEASE, 3).await.unwrap();
                    mine.extend(leases.into_iter().map(|l| l.operation.id));
                }
                mine
            })
        })
        .collect();
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await.unwrap());
    }
    assert_eq!(all.len(), 60);
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 60);
}

/// Callers retarget and release while three workers drive, a sweep runs and leases are let go.
pub async fn workers_and_callers_never_deadlock(bed: Bed) {
    let store = Arc::new(bed.open().await);
    for n in 0..12 {
        committed(&store, &label(n), None).await;
    }
    let mut tasks = Vec::new();
    for n in 0..3 {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            for _ in 0..40 {
                drive(&store, &format!("w{n}")).await;
            }
        }));
    }
    for seed in 0..3_usize {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            for n in 0..60 {
                let label = label((n * 7 + seed) % 12);
                operate(&store, &label, OperationKind::Change, None).await;
                if n % 10 == 0 {
                    store.expire(100).await.unwrap();
                    store.let_go("w1").await.unwrap();
                    store.prune().await.unwrap();
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    if bed.kind == Kind::Postgres {
        let log = Postgres::shared().log();
        assert!(!log.contains("deadlock detected"), "{log}");
    }
}

async fn drive(store: &SqlStore, token: &str) {
    for lease in store.lease(token, LEASE, 3).await.unwrap() {
        let look = Checkpoint { then: Then::LookAgain(Duration::ZERO), ..held(&lease.operation) };
        for checkpoint in [held(&lease.operation), look] {
            match store.checkpoint(&lease.operation.id, token, checkpoint).await {
                Ok(_) => {}
                Err(fault) => assert_eq!(fault.code, "lease-lost"),
            }
        }
    }
}

pub async fn events_tell_each_visible_change_once(bed: Bed) {
    let store = bed.open().await;
    let operation = committed(&store, "acme", Some(("mine", LEASE))).await.operation.unwrap();
    let running = held(&operation);
    store.checkpoint(&operation.id, "mine", running.clone()).await.unwrap();
    // holding on is not a change
    store.checkpoint(&operation.id, "mine", running.clone()).await.unwrap();
    store.checkpoint(&operation.id, "mine", finished(&operation)).await.unwrap();
    let events = store.events(&operation.id, 0).await.unwrap();
    let states: Vec<_> =
        events.iter().map(|e| (&e.operation["state"], &e.operation["steps"][0]["state"])).collect();
    let expected =
        [("open", "pending"), ("open", "running"), ("done", "done")].map(|(a, b)| (a.into(), b.into()));
    assert_eq!(states, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<(&serde_json::Value, _)>>());
    assert!(events.windows(2).all(|pair| pair[0].seq < pair[1].seq && pair[0].at <= pair[1].at));
    let stored: Operation = serde_json::from_value(events[2].operation.clone()).unwrap();
    assert_eq!(Some(stored), store.operation(&operation.id).await.unwrap());
    assert_eq!(store.events(&operation.id, events[1].seq).await.unwrap().len(), 1);
    assert!(events[0].at > Timestamp(0));
}
