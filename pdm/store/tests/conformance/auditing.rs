//! What audits leave behind, and the audit log as a chain.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pdm_model::audit::{Acknowledged, Report};
use pdm_model::incident::Measurement;
use pdm_model::{AuditEntry, Timestamp, ZoneName};
use pdm_ports::audit_store::{AuditStore, Checkpoint};
use pdm_ports::store::Store;
use pdm_store::chain;

use crate::support::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn report(id: &str, fqdn: &str, at: Timestamp) -> Report {
    Report {
        id: id.to_owned(),
        fqdn: ZoneName::parse(fqdn).unwrap(),
        begun_at: at,
        millis: 1,
        queries: 2,
        private_view: true,
        undelegated: false,
        verdict: format!("{fqdn} is as it should be."),
        servers: Vec::new(),
        chain: Vec::new(),
        matrix: Vec::new(),
        findings: Vec::new(),
        checks: BTreeMap::new(),
    }
}

pub async fn reports_are_kept_listed_and_pruned(bed: Bed) {
    let store = bed.open().await;
    let now = store.now().await.unwrap();
    let (a, b) = (ZoneName::parse("a.omani.works").unwrap(), ZoneName::parse("b.omani.works").unwrap());
    for (id, fqdn) in [("1", &a), ("2", &b), ("3", &a)] {
        let recording = (id == "3").then(|| "{}".to_owned());
        store.keep_report(&report(id, fqdn.as_str(), now), recording).await.unwrap();
    }
    assert_eq!(store.report("2").await.unwrap().unwrap(), report("2", b.as_str(), now));
    assert_eq!(store.report("9").await.unwrap(), None);
    assert_eq!(store.last_report(&a).await.unwrap().unwrap().id, "3");
    assert_eq!(store.recording("3").await.unwrap().as_deref(), Some("{}"));
    assert_eq!((store.recording("1").await.unwrap(), store.recording("9").await.unwrap()), (None, None));
    let ids =
        |lines: Vec<pdm_ports::audit_store::ReportLine>| lines.into_iter().map(|l| l.id).collect::<Vec<_>>();
    let all = store.reports(None, None, 2).await.unwrap();
    let before = all[1].seq;
    assert_eq!(ids(all), ["3", "2"]);
    assert_eq!(ids(store.reports(None, Some(before), 2).await.unwrap()), ["1"]);
    assert_eq!(ids(store.reports(Some(&a), None, 9).await.unwrap()), ["3", "1"]);
    assert!(
        store.keep_report(&report("1", "c.omani.works", now), None).await.is_err(),
        "an id is given once"
    );

    let measured = Measurement { at: now, looks: 9, silent: 1, wrong: 2, millis: 70_000 };
    store.add_measurement(measured).await.unwrap();
    assert_eq!(store.measurements(now).await.unwrap(), [measured]);
    assert!(store.measurements(now + DAY).await.unwrap().is_empty());

    assert_eq!(store.prune_reports(DAY).await.unwrap(), 0);
    bed.shift(DAY * 2).await;
    assert_eq!(store.prune_reports(DAY).await.unwrap(), 1, "the newest of each name stays");
    assert_eq!(ids(store.reports(None, None, 9).await.unwrap()), ["3", "2"]);
}

pub async fn an_acknowledgement_ends_by_the_clock_of_the_store(bed: Bed) {
    let store = bed.open().await;
    let name = pool();
    let until = store.now().await.unwrap() + DAY;
    let known = Acknowledged { by: "admin".to_owned(), reason: "planned".to_owned(), until };
    store.acknowledge(&name, "ZONE02", Some(&known)).await.unwrap();
    let again = Acknowledged { reason: "still planned".to_owned(), ..known };
    store.acknowledge(&name, "ZONE02", Some(&again)).await.unwrap();
    store.acknowledge(&name, "ZONE04", Some(&again)).await.unwrap();
    store.acknowledge(&name, "ZONE04", None).await.unwrap();
    assert_eq!(store.acknowledged(&name).await.unwrap(), BTreeMap::from([("ZONE02".to_owned(), again)]));
    bed.shift(DAY + Duration::from_secs(1)).await;
    assert!(store.acknowledged(&name).await.unwrap().is_empty());
}

pub async fn the_log_becomes_one_chain_whoever_seals_it(bed: Bed) {
    let store = Arc::new(bed.open().await);
    assert_eq!(store.seal(10).await.unwrap(), 0);
    assert_eq!(store.chain().await.unwrap().place, 0);
    // Appended and sealed at the same time, by several.
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for i in 0..10 {
                    let entry = AuditEntry::new("admin", "do", &pool(), format!("{n} {i} ä\n\u{1}"));
                    store.audit(entry).await.unwrap();
                    if i % 3 == 0 {
                        store.seal(4).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    while store.seal(7).await.unwrap() > 0 {}
    let state = store.chain().await.unwrap();
    assert_eq!((state.place, state.unsealed), (80, 0));
    let mut end = (0, String::new());
    loop {
        let links = store.links(end.0, 17).await.unwrap();
        if links.is_empty() {
            break;
        }
        end = chain::verify(end, &links).unwrap();
    }
    assert_eq!(end, (80, state.hash));
    store.audit(AuditEntry::new("admin", "late", &pool(), "")).await.unwrap();
    assert_eq!(store.chain().await.unwrap().unsealed, 1);
}

pub async fn a_chain_cannot_be_changed_and_checkpoints_stay(bed: Bed) {
    let store = bed.open().await;
    store.audit(AuditEntry::new("admin", "do", &pool(), "")).await.unwrap();
    store.seal(10).await.unwrap();
    let checkpoint = Checkpoint {
        place: 1,
        at: Timestamp(7),
        hash: store.chain().await.unwrap().hash,
        key: "00".to_owned(),
        signature: "11".to_owned(),
    };
    store.add_checkpoint(&checkpoint).await.unwrap();
    store.add_checkpoint(&Checkpoint { signature: "22".to_owned(), ..checkpoint.clone() }).await.unwrap();
    assert_eq!(store.checkpoints(0, 9).await.unwrap(), std::slice::from_ref(&checkpoint));
    assert!(store.checkpoints(1, 9).await.unwrap().is_empty());
    for sql in [
        "UPDATE audit_chain SET hash = 'x'",
        "DELETE FROM audit_chain",
        "UPDATE audit_checkpoints SET signature = 'x'",
        "DELETE FROM audit_checkpoints",
    ] {
        assert!(bed.sql(sql).await.is_err(), "{sql}");
    }
}
