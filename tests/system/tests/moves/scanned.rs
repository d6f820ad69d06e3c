//! A registry that takes no DS from anybody and reads CDS instead. The first DS gets there by signalling records, a KSK
//! rolls, and the DS goes again: all of it without an editor; NOTIFY(CDS) makes it quick.

use std::time::Duration;

use pdm_harness::until_within;
use pdm_lab::{ACME, Outcome, Scanner};
use serde_json::json;

use crate::scene::{Move, PATIENCE, steered};

const QUESTIONS: [&str; 3] = ["acme.com MX", "console.acme.com A", "anything.acme.com A"];

impl Move {
    /// The registry holds the DS of the keys that are there, and nobody entered it.
    async fn ds_is_ours(&self) -> String {
        let (_, held) = self.lab.registry.delegation(ACME).await;
        assert_eq!(held, self.lab.ours.ds(ACME).await);
        held[0].split(' ').next().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_only_scans_has_every_ds_from_the_zone_alone() {
    let lab = steered().await;
    let mut moving = Move::start(lab.clone(), "").await;
    // It looks by itself once an hour: what happens sooner, a NOTIFY brought about.
    let scanner = Scanner::start(&lab, ACME, Duration::from_secs(3600)).await;
    let body = moving.claim("byo-manual").await;
    moving.ask("/v1/commit", &body).await;
    let path = format!("/v1/allocations/{ACME}/keys/policy");
    let policy = moving.api.put(&path, &json!({"policy": {"scanned": true}})).await.expect(&[200]);
    assert_eq!(policy.body["policy"]["cds"], true, "it implies CDS");
    moving.follow("active", false).await;
    let first = moving.ds_is_ours().await;
    assert_eq!(scanner.journal(), [format!("bootstrap {first}")], "{}", scanner.why());
    let keys = moving.keys(ACME).await.unwrap();
    assert_eq!(keys["announced"]["heard"], "taken", "{keys:#}");
    let shown = moving.look().await.unwrap();
    let told = shown["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "ParentTold");
    assert_eq!(told.expect("a condition")["status"], "True", "{shown:#}");
    // The signalling records are out again.
    until_within("the signals to be gone", PATIENCE, || async {
        let signal = format!("_dsboot.{ACME}._signal.ns1.openova.io");
        match lab.cold().ask_cold(&signal, "CDS").await {
            Outcome::NoData | Outcome::NxDomain => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    let watcher = lab.watcher(&QUESTIONS, Duration::from_millis(500));
    watcher.rounds(1).await;

    moving.roll(ACME, "ksk").await;
    moving.until_rolled("ksk", false).await;
    let second = moving.ds_is_ours().await;
    assert_ne!(first, second);

    // Nobody hears the next NOTIFY; the registry looks when its time comes.
    scanner.be_deaf(true);
    moving.roll(ACME, "ksk").await;
    moving.until_rests(ACME, "ds-scanned").await;
    until_within("the silence to be noticed", PATIENCE, || async {
        let keys = moving.keys(ACME).await?;
        if keys["announced"]["heard"] == "silent" { Ok(()) } else { Err(keys.to_string()) }
    })
    .await;
    scanner.be_deaf(false);
    scanner.look();
    moving.until_rolled("ksk", false).await;
    let third = moving.ds_is_ours().await;
    watcher.rounds(2).await;
    let report = watcher.stop();
    report.must_be_unbroken();
    moving.say(&format!("{} answers, not one SERVFAIL; {:?}", report.asked(), scanner.journal()));
    let journal = scanner.journal();
    assert!(journal.iter().all(|change| !change.starts_with("delete")), "{journal:?}");
    assert_eq!(journal.last().unwrap(), &format!("replace {third}"));

    // On the way back the zone asks for the DS to go, and NS goes back after that.
    moving.ask("/v1/release", &json!({"fqdn": ACME})).await;
    moving.follow("quarantined", false).await;
    assert_eq!(scanner.journal().last().unwrap(), "delete");
    let (ns, ds) = lab.registry.delegation(ACME).await;
    assert!(ns.iter().all(|n| n.ends_with("old-dns.net.")) && ds.is_empty(), "{ns:?} {ds:?}");
}
