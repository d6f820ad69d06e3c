//! What audits leave behind, and the audit log as a chain.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pdm_model::audit::{Acknowledged, Finding, Party, Report, Severity, Transition, Turn};
use pdm_model::incident::Measurement;
use pdm_model::{AuditEntry, Timestamp, ZoneName};
use pdm_ports::audit_chain::Verifier;
use pdm_ports::audit_store::{AuditStore, Checkpoint};
use pdm_ports::outbox::Outbox;
use pdm_ports::store::Store;

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
        public: None,
    }
}

pub async fn reports_are_kept_listed_and_pruned(bed: Bed) {
    let store = bed.open().await;
    let now = store.now().await.unwrap();
    let (a, b) = (ZoneName::parse("a.omani.works").unwrap(), ZoneName::parse("b.omani.works").unwrap());
    for (id, fqdn) in [("1", &a), ("2", &b), ("3", &a)] {
        let recording = (id == "3").then(|| "{}".to_owned());
        store.keep_report(&report(id, fqdn.as_str(), now), recording, &[]).await.unwrap();
    }
    let would_be = Report { undelegated: true, ..report("u", a.as_str(), now) };
    store.keep_report(&would_be, None, &[]).await.unwrap();
    assert_eq!(store.report("2").await.unwrap().unwrap(), report("2", b.as_str(), now));
    assert_eq!(store.report("9").await.unwrap(), None);
    assert_eq!(store.last_report(&a).await.unwrap().unwrap().id, "3");
    assert_eq!(store.recording("3").await.unwrap().as_deref(), Some("{}"));
    assert_eq!((store.recording("1").await.unwrap(), store.recording("9").await.unwrap()), (None, None));
    let ids =
        |lines: Vec<pdm_ports::audit_store::ReportLine>| lines.into_iter().map(|l| l.id).collect::<Vec<_>>();
    let all = store.reports(None, None, 3).await.unwrap();
    let before = all[2].seq;
    assert_eq!(ids(all), ["u", "3", "2"]);
    assert_eq!(ids(store.reports(None, Some(before), 2).await.unwrap()), ["1"]);
    assert_eq!(ids(store.reports(Some(&a), None, 9).await.unwrap()), ["u", "3", "1"]);
    assert!(
        store.keep_report(&report("1", "c.omani.works", now), None, &[]).await.is_err(),
        "an id is given once"
    );

    let measured = Measurement { at: now, looks: 9, silent: 1, wrong: 2, millis: 70_000 };
    store.add_measurement(measured).await.unwrap();
    assert_eq!(store.measurements(now).await.unwrap(), [measured]);
    assert!(store.measurements(now + DAY).await.unwrap().is_empty());

    assert_eq!(store.prune_reports(DAY).await.unwrap(), 0);
    bed.shift(DAY * 2).await;
    assert_eq!(store.prune_reports(DAY).await.unwrap(), 1, "the newest of each name stays");
    assert_eq!(ids(store.reports(None, None, 9).await.unwrap()), ["u", "3", "2"]);
}

fn news(turn: Turn) -> Transition {
    let finding = Finding {
        code: "SOV06".to_owned(),
        subject: String::new(),
        severity: Severity::Error,
        title: "somebody changed what PDM wrote".to_owned(),
        detail: String::new(),
        who: Party::Operator,
        since: Timestamp(1),
        evidence: Vec::new(),
        fix: None,
        because_of: None,
        acknowledged: None,
    };
    Transition { turn, was: None, finding }
}

pub async fn news_of_findings_waits_with_the_report_while_somebody_is_told(bed: Bed) {
    let store = bed.open().await;
    let now = store.now().await.unwrap();
    let lent = reserve(&store, "told", "acme").await.unwrap().allocation.unwrap();
    let name = lent.fqdn.as_str();
    store.keep_report(&report("0", name, now), None, &[news(Turn::New)]).await.unwrap();
    store.keep("nats", true).await.unwrap();
    assert_eq!(store.waiting("nats", 9).await.unwrap().len(), 1, "only how the name stands");

    store.keep_report(&report("1", name, now), None, &[news(Turn::New), news(Turn::Gone)]).await.unwrap();
    // An id that was given already: nothing of that report is kept, its news neither.
    assert!(store.keep_report(&report("1", name, now), None, &[news(Turn::Worse)]).await.is_err());
    store.keep_report(&report("2", pool().as_str(), now), None, &[news(Turn::New)]).await.unwrap();
    let told: Vec<_> = store.waiting("nats", 9).await.unwrap().into_iter().skip(1).collect();
    let turn = |n: usize| told[n].finding.as_ref().unwrap()["turn"].as_str().unwrap().to_owned();
    assert_eq!((told.len(), turn(0), turn(1), turn(2)), (3, "new".into(), "gone".into(), "new".into()));
    assert_eq!((told[0].allocation.as_str(), told[0].owner.as_str()), (lent.id.as_str(), "acme"));
    assert_eq!((told[2].fqdn.as_str(), told[2].allocation.as_str()), (pool().as_str(), ""));
    assert_eq!(told[0].finding.as_ref().unwrap()["report"], "1");
}

pub async fn what_a_quick_look_saw_is_told_once(bed: Bed) {
    let store = bed.open().await;
    let lent = reserve(&store, "looked", "acme").await.unwrap().allocation.unwrap();
    store.keep("nats", true).await.unwrap();
    let entry = |text: &str| AuditEntry::new("pdm", "glance", &lent.fqdn, text);
    let note = async |wrong: Option<&str>, turn| {
        store.note_wrong(&lent.fqdn, wrong, entry("seen"), &news(turn)).await.unwrap()
    };
    assert!(!note(None, Turn::Gone).await, "all was well");
    assert!(note(Some("no keys"), Turn::New).await);
    assert!(!note(Some("other keys"), Turn::New).await, "it is known");
    let known = BTreeMap::from([(lent.fqdn.clone(), "no keys".to_owned())]);
    assert_eq!(store.wrong_names().await.unwrap(), known);
    assert!(note(None, Turn::Gone).await);
    assert!(store.wrong_names().await.unwrap().is_empty());
    assert_eq!(store.waiting("nats", 9).await.unwrap().len(), 3);
    let log = store.audit_log(Some(&lent.fqdn), Some("pdm"), None, 9).await.unwrap();
    assert_eq!(log.iter().filter(|entry| entry.action == "glance").count(), 2);
}

pub async fn the_name_that_was_not_audited_for_longest_is_next(bed: Bed) {
    let store = bed.open().await;
    assert_eq!(store.least_recently_audited(9).await.unwrap(), []);
    let now = store.now().await.unwrap();
    for label in ["a", "b", "c"] {
        let lent = reserve(&store, label, "acme").await.unwrap().allocation.unwrap();
        bed.sql(&format!("UPDATE allocations SET phase = 'active' WHERE id = '{}'", lent.id)).await.unwrap();
    }
    let next = async || store.least_recently_audited(1).await.unwrap().remove(0);
    let mut order = Vec::new();
    for n in 0..4 {
        let (name, _) = next().await;
        // What would be does not count.
        let would_be = Report { undelegated: true, ..report(&format!("u{n}"), name.as_str(), now) };
        store.keep_report(&would_be, None, &[]).await.unwrap();
        store.keep_report(&report(&format!("r{n}"), name.as_str(), now), None, &[]).await.unwrap();
        order.push(name.as_str().split('.').next().unwrap().to_owned());
    }
    assert_eq!(order, ["a", "b", "c", "a"]);
    assert!(next().await.1 > 0);
    assert_eq!(store.least_recently_audited(9).await.unwrap().len(), 3);
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
    let mut verifier = Verifier::new(None);
    loop {
        let links = store.links(verifier.place(), 17).await.unwrap();
        if links.is_empty() {
            break;
        }
        verifier.page(&links, &[]).unwrap();
    }
    assert!(verifier.place() == 80 && verifier.to_string().contains(&state.hash));
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
