//! Reads answer what was committed, in an order that can be paged.

use std::sync::Arc;
use std::time::Duration;

use pdm_model::{Allocation, AuditEntry, OperationKind, Phase, Step, StepState, Wait, Who};
use pdm_ports::store::{Checkpoint, Decision, Facts, Filter, Store, Then, Wanted, Write};
use pdm_store::SqlStore;

use super::deciding::label;
use crate::support::*;

async fn free(store: &SqlStore, label: &str) {
    let decision: Decision = Arc::new(|facts: &Facts| {
        let live = facts.live.clone().unwrap();
        Ok(Write { allocations: vec![Allocation { phase: Phase::Freed, ..live }], ..Write::default() })
    });
    let decided = store.decide(&under(label), Wanted::default(), decision).await.unwrap().unwrap();
    assert_eq!(decided.allocation.unwrap().phase, Phase::Freed, "the one that was freed is answered");
}

pub async fn a_name_has_its_live_row_or_the_last_freed(bed: Bed) {
    let store = bed.open().await;
    assert!(store.allocation(&under("acme")).await.unwrap().is_none());
    reserve(&store, "acme", "a").await.unwrap();
    free(&store, "acme").await;
    reserve(&store, "acme", "b").await.unwrap();
    free(&store, "acme").await;
    let owner = async || store.allocation(&under("acme")).await.unwrap().unwrap().0.owner;
    assert_eq!(owner().await, "b");
    reserve(&store, "acme", "c").await.unwrap();
    assert_eq!(owner().await, "c");
    assert!(store.operation("no such operation").await.unwrap().is_none());
}

pub async fn pages_list_each_name_once_in_order(bed: Bed) {
    let store = bed.open().await;
    for n in 0..25 {
        reserve(&store, &label(n), if n % 2 == 0 { "even" } else { "odd" }).await.unwrap();
    }
    for n in [3, 4, 4, 5] {
        free(&store, &label(n)).await;
        if n == 4 {
            reserve(&store, &label(n), "again").await.unwrap();
        }
    }
    let all = async |filter: Filter| {
        let mut names = Vec::new();
        let mut filter = Filter { limit: 4, ..filter };
        loop {
            let page = store.allocations(&filter).await.unwrap();
            let Some(last) = page.last() else { return names };
            filter.after = Some(last.fqdn.to_string());
            names.extend(page.into_iter().map(|a| a.fqdn.to_string()));
        }
    };
    let live = all(Filter::default()).await;
    assert_eq!(live.len(), 23);
    assert!(live.windows(2).all(|w| w[0] < w[1]));
    let with_freed = all(Filter { freed: true, ..Filter::default() }).await;
    assert_eq!(with_freed.len(), 25);
    assert!(with_freed.windows(2).all(|w| w[0] < w[1]));
    assert_eq!(all(Filter { phase: Some(Phase::Freed), ..Filter::default() }).await.len(), 2);
    assert_eq!(all(Filter { owner: Some("even".into()), ..Filter::default() }).await.len(), 12);
    assert_eq!(all(Filter { pool: Some(pool()), ..Filter::default() }).await.len(), 23);
    assert!(all(Filter { pool: Some(name("elsewhere.example")), ..Filter::default() }).await.is_empty());
}

pub async fn holders_are_found_by_name_and_by_look(bed: Bed) {
    let store = bed.open().await;
    reserve(&store, "omantel", "a").await.unwrap();
    let ask = async |label: &str| store.holder(&under(label), &pool(), &look(label)).await.unwrap();
    assert_eq!(ask("free").await, None);
    for label in ["omantel", "0mantel", "ornantel"] {
        let held = ask(label).await.unwrap();
        assert_eq!((held.fqdn, held.owner.as_str(), held.phase), (under("omantel"), "a", Phase::Reserved));
        assert!(held.until.is_some());
    }
    // in another pool nobody can mistake it
    let elsewhere = name("elsewhere.example");
    let twin = name("0mantel.elsewhere.example");
    assert_eq!(store.holder(&twin, &elsewhere, &look("0mantel")).await.unwrap(), None);
    operate(&store, "omantel", OperationKind::Commit, None).await;
    let held = ask("omantel").await.unwrap();
    assert_eq!((held.phase, held.until), (Phase::Provisioning, None));
    free(&store, "omantel").await;
    assert_eq!(ask("omantel").await, None);
}

pub async fn many_questions_at_once_get_their_own_answers(bed: Bed) {
    let store = Arc::new(bed.open().await);
    for n in 0..100 {
        reserve(&store, &label(n), &format!("o{n}")).await.unwrap();
    }
    let tasks: Vec<_> = (0..600)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let label = label(n % 200);
                (n % 200, store.holder(&under(&label), &pool(), &look(&label)).await.unwrap())
            })
        })
        .collect();
    for task in tasks {
        let (n, held) = task.await.unwrap();
        let expected = (n < 100).then(|| (under(&label(n)), format!("o{n}")));
        assert_eq!(held.map(|h| (h.fqdn, h.owner)), expected);
    }
}

pub async fn counts_and_the_queue_add_up(bed: Bed) {
    let store = bed.open().await;
    assert!(store.queue().await.unwrap().oldest.is_empty());
    reserve(&store, "one", "o").await.unwrap();
    let two = committed(&store, "two", Some(("t", Duration::from_secs(60)))).await.operation.unwrap();
    committed(&store, "three", None).await;
    operate(&store, "three", OperationKind::Release, None).await;
    let mut steps = two.steps.clone();
    let wait =
        Wait { reason: "add-ds".to_owned(), detail: String::new(), who: Who::Caller, until: two.created_at };
    steps[0] = Step { state: StepState::Waiting, wait_reason: Some(wait), ..steps[0].clone() };
    let waits = Checkpoint { steps, then: Then::LookAgain(Duration::from_secs(9)), ..Checkpoint::default() };
    store.checkpoint(&two.id, "t", waits).await.unwrap();
    let counts = store.counts().await.unwrap();
    let counts: Vec<_> = counts.into_iter().map(|c| (c.pool, c.phase, c.count)).collect();
    assert_eq!(
        counts,
        [(pool(), Phase::Provisioning, 1), (pool(), Phase::Releasing, 1), (pool(), Phase::Reserved, 1)]
    );
    let queue = store.queue().await.unwrap();
    assert_eq!(queue.open, [(OperationKind::Commit, 1), (OperationKind::Release, 1)]);
    assert_eq!(queue.waiting, 1);
    let waits: Vec<_> = queue.oldest.iter().map(|(kind, who, _)| (*kind, *who)).collect();
    assert_eq!(waits, [(OperationKind::Commit, Who::Caller), (OperationKind::Release, Who::Nobody)]);
    assert_eq!(queue.oldest[0].2, two.created_at);
}

pub async fn the_audit_log_is_read_newest_first_and_filtered(bed: Bed) {
    let store = bed.open().await;
    for n in 0..10 {
        let actor = if n % 2 == 0 { "even" } else { "odd" };
        store.audit(AuditEntry::new(actor, "look", &under(&label(n / 2)), format!("{n}"))).await.unwrap();
    }
    let read = async |fqdn: Option<&str>, actor: Option<&str>, before: Option<i64>, limit: u32| {
        let fqdn = fqdn.map(under);
        store.audit_log(fqdn.as_ref(), actor, before, limit).await.unwrap()
    };
    let details = |log: &[AuditEntry]| log.iter().map(|e| e.detail.clone()).collect::<Vec<_>>();
    let page = read(None, None, None, 3).await;
    assert_eq!(details(&page), ["9", "8", "7"]);
    assert_eq!(details(&read(None, None, Some(page[2].seq), 2).await), ["6", "5"]);
    assert_eq!(details(&read(Some(&label(1)), None, None, 9).await), ["3", "2"]);
    assert_eq!(details(&read(None, Some("odd"), None, 2).await), ["9", "7"]);
    assert_eq!(details(&read(Some(&label(1)), Some("even"), None, 9).await), ["2"]);
}
