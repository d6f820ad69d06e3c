//! `decide`: one transaction, one winner.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pdm_model::byo::{Byo, Ownership, ProvedBy};
use pdm_model::{
    Allocation, AuditEntry, Condition, ConditionKind, Observed, OperationKind, OperationState, Phase, Proof,
    Refusal, ServerProof, Status, Timestamp, Transport, Ttl,
};
use pdm_ports::store::{Decision, Facts, Store, Wanted, Write};
use pdm_store::SqlStore;

use crate::support::*;

/// A row in which every column says something.
fn full(facts: &Facts) -> Allocation {
    let mut a = reservation("full", "owner", &fresh_id(), facts.now);
    a.target = Some(target());
    a.committed = Some(target());
    a.commit_operation = Some("op".into());
    a.suspended = Some("late payment \u{1f4b8}".into());
    a.legacy = true;
    a.created_by = Some("wizard".into());
    a.request_key = Some("digest".into());
    a.quarantined_until = Some(facts.now + Duration::from_secs(9));
    a.byo = Some(Byo {
        registered: pool(),
        registrar: None,
        ownership: Ownership { by: ProvedBy::Txt, at: facts.now, claim: a.id.clone(), asked: None },
        yielded: false,
    });
    a.conditions = vec![Condition {
        kind: ConditionKind::InSync,
        status: Status::False,
        reason: "drift".into(),
        detail: "A differs".into(),
        since: facts.now,
        who: None,
    }];
    a.observed = Observed { serial: Some(7), dnskey_ttl: Some(Ttl::new(300)), ..Observed::default() };
    a.proof = Some(Proof {
        begun_at: facts.now,
        generation: 1,
        anchor: "pool key".into(),
        private_view: true,
        skipped: vec!["ns9".into()],
        servers: vec![ServerProof {
            nameservers: vec!["ns1".into()],
            address: "192.0.2.1:53".into(),
            transport: Transport::Tcp,
            answers: 6,
            digest: "ab".into(),
            millis: 3,
        }],
        queries: 12,
    });
    a
}

fn write(of: fn(&Facts) -> Allocation) -> Decision {
    Arc::new(move |facts: &Facts| Ok(Write { allocations: vec![of(facts)], ..Write::default() }))
}

pub async fn what_is_written_is_read_back_whole(bed: Bed) {
    let store = bed.open().await;
    let decided = store.decide(&under("full"), Wanted::default(), write(full)).await.unwrap().unwrap();
    let (read, open) = store.allocation(&under("full")).await.unwrap().unwrap();
    assert_eq!(Some(&read), decided.allocation.as_ref());
    assert_eq!(read.updated_at, decided.now);
    assert!(open.is_none() && decided.operation.is_none());
    // and it comes back to the next decision unchanged
    let seen: Decision = Arc::new(move |facts: &Facts| {
        assert_eq!(facts.live.as_ref(), Some(&read));
        Ok(Write::default())
    });
    store.decide(&under("full"), Wanted::default(), seen).await.unwrap().unwrap();
}

pub async fn a_second_decision_sees_the_first(bed: Bed) {
    let store = bed.open().await;
    let first = reserve(&store, "acme", "o").await.unwrap();
    assert_eq!(reserve(&store, "acme", "o").await.unwrap_err().code, "name-taken");
    let (live, _) = store.allocation(&under("acme")).await.unwrap().unwrap();
    assert_eq!(Some(live), first.allocation);
    assert_eq!(store.audit_log(None, None, None, 10).await.unwrap().len(), 1);
}

pub async fn a_refusal_writes_nothing(bed: Bed) {
    let store = bed.open().await;
    let no: Decision = Arc::new(|_: &Facts| Err(Refusal::new("forbidden", "no")));
    let refusal = store.decide(&under("acme"), Wanted::default(), no).await.unwrap().unwrap_err();
    assert_eq!(refusal.code, "forbidden");
    assert!(store.allocation(&under("acme")).await.unwrap().is_none());
}

pub async fn of_a_hundred_reservations_of_one_name_one_wins(bed: Bed) {
    let store = Arc::new(bed.open().await);
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { reserve(&store, "acme", &format!("o{n}")).await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap());
    }
    assert_eq!(won, 1);
    assert_eq!(bed.number("SELECT count(*) FROM allocations").await, 1);
}

/// No two of these look alike: digits stand where letters would be read alike.
pub fn label(n: usize) -> String {
    let digits = b"abcdefghjk";
    let text: Vec<u8> = format!("{n:05}").bytes().map(|d| digits[usize::from(d - b'0')]).collect();
    format!("q{}", String::from_utf8(text).unwrap())
}

pub async fn a_thousand_names_at_once_are_all_reserved(bed: Bed) {
    let store = Arc::new(bed.open().await);
    let tasks: Vec<_> = (0..1000)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { reserve(&store, &label(n), &format!("o{n}")).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(bed.number("SELECT count(*) FROM allocations WHERE phase = 'reserved'").await, 1000);
    assert_eq!(bed.number("SELECT count(*) FROM audit_log").await, 1000);
}

pub async fn look_alikes_and_quotas_hold_under_concurrency(bed: Bed) {
    let store = Arc::new(bed.open().await);
    let twins = ["omantel", "0mantel", "omante1", "ornantel", "oman-tel"];
    let tasks: Vec<_> = twins
        .into_iter()
        .map(|twin| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { reserve(&store, twin, twin).await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap());
    }
    assert_eq!(won, 1);

    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { within_quota(&store, &label(n)).await })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap());
    }
    assert_eq!(won, 3);
}

async fn within_quota(store: &SqlStore, label: &str) -> bool {
    let inner = reserving(label, "one");
    let decision: Decision =
        Arc::new(
            move |facts: &Facts| {
                if facts.owner_count >= 3 { Err(Refusal::new("quota-reached", "3")) } else { inner(facts) }
            },
        );
    store.decide(&under(label), wanted(label, "one"), decision).await.unwrap().is_ok()
}

pub async fn an_expired_row_is_freed_and_the_name_reserved_again(bed: Bed) {
    let store = bed.open().await;
    let first = reserve(&store, "acme", "a").await.unwrap().allocation.unwrap();
    bed.shift(RESERVATION * 2).await;
    // its look-alike and its owner's count no longer stand in the way
    let counted: Decision = Arc::new(|facts: &Facts| {
        assert_eq!((facts.similar.as_ref(), facts.owner_count), (None, 0));
        Err(Refusal::new("forbidden", "only looking"))
    });
    store.decide(&under("acrne"), wanted("acrne", "a"), counted).await.unwrap().unwrap_err();
    let second = reserve(&store, "acme", "b").await.unwrap().allocation.unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!(store.allocation(&under("acme")).await.unwrap().unwrap().0, second);
    assert_eq!(bed.number("SELECT count(*) FROM allocations WHERE phase = 'freed'").await, 1);
}

pub async fn two_operations_need_a_supersede(bed: Bed) {
    let store = bed.open().await;
    let first = committed(&store, "acme", None).await.operation.unwrap();
    let careless = operating(OperationKind::Change, None);
    let careless: Decision =
        Arc::new(move |facts: &Facts| careless(facts).map(|write| Write { supersede: false, ..write }));
    let refused = store.decide(&under("acme"), Wanted::default(), careless).await;
    assert_eq!(code(refused), "invalid-write");
    assert_eq!(store.allocation(&under("acme")).await.unwrap().unwrap().1, Some(first.clone()));

    let second = operate(&store, "acme", OperationKind::Change, None).await;
    let new = second.operation.unwrap();
    assert!(new.seq > first.seq);
    let old = store.operation(&first.id).await.unwrap().unwrap();
    assert_eq!((old.state, old.finished_at), (OperationState::Superseded, Some(second.now)));
    assert_eq!(store.operation(&new.id).await.unwrap(), Some(new));
}

pub async fn releases_are_counted_by_the_hour(bed: Bed) {
    let store = bed.open().await;
    for label in ["one", "two"] {
        committed(&store, label, None).await;
        // twice is still one name
        operate(&store, label, OperationKind::Release, None).await;
        operate(&store, label, OperationKind::Release, None).await;
    }
    let wanted = Wanted { releases_of: Some(pool()), ..Wanted::default() };
    let seen = Arc::new(AtomicUsize::new(0));
    let look: Decision = {
        let seen = Arc::clone(&seen);
        Arc::new(move |facts: &Facts| {
            seen.store(facts.releases_last_hour as usize, Ordering::Relaxed);
            Ok(Write::default())
        })
    };
    store.decide(&under("one"), wanted.clone(), Arc::clone(&look)).await.unwrap().unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 2);
    bed.shift(Duration::from_secs(3700)).await;
    store.decide(&under("one"), wanted, look).await.unwrap().unwrap();
    assert_eq!(seen.load(Ordering::Relaxed), 0);
}

pub async fn a_decision_that_panics_spoils_nothing_else(bed: Bed) {
    let store = Arc::new(bed.open().await);
    let others: Vec<_> = (0..20)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                if n % 4 == 0 {
                    let bad: Decision = Arc::new(|_: &Facts| panic!("a bug in a decision"));
                    let ended = store.decide(&under(&label(n)), Wanted::default(), bad).await;
                    ended.is_ok()
                } else if n % 4 == 1 {
                    // an invalid row in the middle of a batch
                    let bad: Decision = Arc::new(move |facts: &Facts| {
                        let row = reservation(&label(n), "", &fresh_id(), facts.now);
                        let audit = vec![AuditEntry::new("bad", "reserve", &under(&label(n)), "")];
                        Ok(Write { allocations: vec![row], audit, ..Write::default() })
                    });
                    store.decide(&under(&label(n)), Wanted::default(), bad).await.is_ok()
                } else {
                    reserve(&store, &label(n), "o").await.is_ok()
                }
            })
        })
        .collect();
    let mut good = 0;
    for task in others {
        good += usize::from(task.await.unwrap_or(false));
    }
    assert_eq!(good, 10);
    assert_eq!(bed.number("SELECT count(*) FROM allocations").await, 10);
    assert_eq!(store.audit_log(None, Some("bad"), None, 10).await.unwrap(), []);
    reserve(&store, "after", "o").await.unwrap();
}

pub async fn an_operation_for_another_name_is_refused(bed: Bed) {
    let store = bed.open().await;
    reserve(&store, "acme", "o").await.unwrap();
    let other = reserve(&store, "other", "o").await.unwrap().allocation.unwrap();
    let inner = operating(OperationKind::Commit, None);
    let stray: Decision = Arc::new(move |facts: &Facts| {
        let mut write = inner(facts)?;
        if let Some(operation) = &mut write.operation {
            operation.allocation.clone_from(&other.id);
        }
        Ok(write)
    });
    assert_eq!(code(store.decide(&under("acme"), Wanted::default(), stray).await), "invalid-write");
    let first = store.allocation(&under("acme")).await.unwrap().unwrap().0;
    // nor can a row become another name
    let stolen: Decision = Arc::new(move |facts: &Facts| {
        let row = reservation("acme2", "thief", &first.id, Timestamp(facts.now.0));
        Ok(Write { allocations: vec![row], ..Write::default() })
    });
    assert_eq!(code(store.decide(&under("acme2"), Wanted::default(), stolen).await), "invalid-write");
    assert_eq!(store.allocation(&under("acme")).await.unwrap().unwrap().0.phase, Phase::Reserved);
}
