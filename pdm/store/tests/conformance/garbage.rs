//! Garbage is refused with a code, on its way in and on its way out.

use std::sync::Arc;

use pdm_model::{Allocation, AuditEntry, Phase};
use pdm_ports::Class;
use pdm_ports::store::{Decision, Facts, Store, Wanted, Write};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::support::*;

/// Rows of which at least one thing is wrong.
fn broken() -> Vec<fn(&mut Allocation)> {
    vec![
        |a| a.id = String::new(),
        |a| a.owner = String::new(),
        |a| a.generation = 0,
        |a| a.generation = -5,
        |a| a.phase = Phase::Quarantined,
    ]
}

pub async fn garbage_is_refused_with_a_code(bed: Bed) {
    let store = bed.open().await;
    for spoil in broken() {
        let decision: Decision = Arc::new(move |facts: &Facts| {
            let mut row = reservation("acme", "o", "some-id", facts.now);
            spoil(&mut row);
            Ok(Write { allocations: vec![row], ..Write::default() })
        });
        let fault = store.decide(&under("acme"), Wanted::default(), decision).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Bug, "invalid-row"));
    }
    let entry = AuditEntry { actor: String::new(), ..AuditEntry::new("", "x", &pool(), "") };
    assert_eq!(code(store.audit(entry).await), "invalid-row");
    assert_eq!(bed.number("SELECT count(*) FROM allocations").await, 0);
    any_text_survives_or_is_refused(&bed).await;
}

/// Whatever a caller writes into a text comes back byte by byte, or is refused with a code.
async fn any_text_survives_or_is_refused(bed: &Bed) {
    let bed = Bed::new(bed.kind);
    let store = bed.open().await;
    let mut runner = TestRunner::deterministic();
    let texts =
        prop_oneof![any::<String>(), Just("'; DROP TABLE allocations; --".to_owned()), Just("\0".to_owned())];
    for n in 0..40 {
        let text = texts.new_tree(&mut runner).unwrap().current();
        let detail = format!("{n}:{text}");
        let wrote = store.audit(AuditEntry::new("a", "b", &pool(), detail.clone())).await;
        match wrote {
            Ok(()) => {
                let log = store.audit_log(None, None, None, 1).await.unwrap();
                assert_eq!(log[0].detail, detail);
            }
            // PostgreSQL has no place for NUL in a text.
            Err(fault) => assert!(fault.code == "invalid-row" && detail.contains('\0'), "{fault}"),
        }
    }
}

pub async fn rows_that_cannot_be_read_are_faults_with_a_code(bed: Bed) {
    let store = bed.open().await;
    let good = committed(&store, "acme", None).await.operation.unwrap();
    let spoils = [
        ("allocations", "conditions", "not json"),
        ("allocations", "observed", "7"),
        ("allocations", "target", "{}"),
        ("allocations", "proof", "7"),
        ("allocations", "pool", "not a name"),
        ("operations", "steps", "{"),
        ("operations", "fqdn", "a..b"),
    ];
    for (table, column, text) in spoils {
        let keep = format!("CREATE TABLE kept AS SELECT * FROM {table}");
        bed.sql(&keep).await.unwrap();
        bed.sql(&format!("UPDATE {table} SET {column} = '{text}'")).await.unwrap();
        let fault = store.allocation(&under("acme")).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Bug, "unreadable-row"), "{table}.{column}");
        let decided = store.decide(&under("acme"), Wanted::default(), reserving("acme", "o")).await;
        assert_eq!(code(decided), "unreadable-row");
        let back =
            format!("UPDATE {table} SET {column} = (SELECT k.{column} FROM kept k WHERE k.id = {table}.id)");
        bed.sql(&back).await.unwrap();
        bed.sql("DROP TABLE kept").await.unwrap();
    }
    assert_eq!(store.operation(&good.id).await.unwrap(), Some(good));
}
