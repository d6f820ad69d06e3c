//! OVHcloud: the registry by tasks, and NS inside a zone with its refresh.

use std::time::Duration;

use pdm_ports::Class;
use pdm_ports::registrar::{Change, NsTarget, Operated, Place};
use pdm_simulators::ovh::{FOREIGN, GOOD, Ovh, READER};
use pdm_simulators::{Trouble, When};
use serde_json::json;

use crate::client;
use crate::suite::checks::{NEW, OTHER};
use crate::suite::{Parent, Simulated, Who, apex, credential, hosted, name, suite};

fn fields(keys: [&'static str; 3]) -> Vec<(&'static str, &'static str)> {
    ["application_key", "application_secret", "consumer_key"].into_iter().zip(keys).collect()
}

async fn parent(place: Place) -> Simulated<Ovh> {
    // The application exists, its secret is another: only the signature tells.
    let bad = [GOOD[0], "app-secret-mistyped-000", GOOD[2]];
    let who = [GOOD, bad, FOREIGN].map(fields);
    Simulated::start("ovh", Ovh::default(), "/1.0", place, [&who[0], &who[1], &who[2]]).await
}

async fn at_registry() -> Simulated<Ovh> {
    parent(apex("acme.example")).await
}

async fn in_zone() -> Simulated<Ovh> {
    parent(hosted("sub.acme.example", "acme.example")).await
}

suite!(registry_apex, at_registry);
suite!(hosted_parent, in_zone);

#[tokio::test]
async fn external_comes_before_the_nameservers_and_hosted_brings_all_back() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    assert_eq!(parent.read().await.unwrap().operated, Operated::Vendor("hosted".into()));
    parent.bring(&parent.to_ns(NEW)).await;
    let writes: Vec<_> =
        made.sim.calls().into_iter().filter(|call| call.write).map(|call| call.request.target).collect();
    assert_eq!(writes, ["/1.0/domain/acme.example", "/1.0/domain/acme.example/nameServers/update"]);
    assert_eq!(parent.read().await.unwrap().operated, Operated::Custom);
    // What is on its way out is listed and no longer counts.
    assert!(made.sim.with(|vendor| vendor.domains[0].servers.iter().any(|server| server.to_delete)));

    parent.bring(&Change { ns: Some(NsTarget::Vendor("hosted".into())), ..parent.to_ns(NEW) }).await;
    assert_eq!(parent.read().await.unwrap().operated, Operated::Vendor("hosted".into()));
}

#[tokio::test]
async fn a_zone_that_the_vendor_signs_gives_up_its_ds_first() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    made.sim.with(|vendor| vendor.domains[0].dnssec = "enabled".into());
    assert_eq!(parent.read().await.unwrap().ds, None);
    assert_eq!(parent.apply(&parent.to_ns(NEW)).await.unwrap_err().code, "ds-first");
    assert_eq!(parent.writes(), 0);
    parent.bring(&parent.to_ds("")).await;
    parent.bring(&parent.to_ns(NEW)).await;
    parent.holds_ns(NEW).await;
}

#[tokio::test]
async fn a_second_change_waits_for_the_first() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    let first = parent.apply(&parent.to_ns(NEW)).await.unwrap();
    let writes = parent.writes();
    let second = parent.apply(&parent.to_ns(OTHER)).await.unwrap();
    assert_eq!((second.wrote, second.agrees), (false, false));
    assert_eq!(second.task, first.task);
    assert_eq!(parent.writes(), writes);
    parent.bring(&parent.to_ns(OTHER)).await;
    parent.holds_ns(OTHER).await;
}

#[tokio::test]
async fn keys_are_needed_and_must_fit() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    for (key, code) in
        [(None, "dnskey-needed"), (crate::suite::key(&name("acme.example"), 'B').key, "dnskey-mismatch")]
    {
        let mut change = parent.to_ds("A");
        let (entries, ttl) = change.ds.unwrap();
        let ds = entries.first().unwrap().ds.clone();
        change.ds = Some(([pdm_ports::registrar::DsEntry { ds, key }].into(), ttl));
        assert_eq!(parent.apply(&change).await.unwrap_err().code, code);
    }
    assert!(made.sim.calls().is_empty());
}

#[tokio::test]
async fn a_clock_that_is_off_is_set_again_once() {
    let made = in_zone().await;
    let parent: &dyn Parent = &made;
    parent.read().await.unwrap();
    made.sim.with(|vendor| vendor.skip(Duration::from_secs(3600)));
    parent.read().await.unwrap();
    let asked = made.sim.calls().iter().filter(|call| call.request.path == "/1.0/auth/time").count();
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn a_forgotten_refresh_is_made_up_for() {
    let made = in_zone().await;
    let parent: &dyn Parent = &made;
    // The records are written; the process dies before the refresh.
    for host in NEW {
        let record = json!({"id": 9000 + host.len() as u64 + u64::from(host.as_bytes()[2]), "zone": "acme.example",
            "fieldType": "NS", "subDomain": "sub", "target": format!("{host}."), "ttl": 3600});
        made.sim.with(|vendor| vendor.domains[0].records.push(record));
    }
    assert!(parent.ns().await.is_empty(), "nothing is served yet");
    parent.bring(&parent.to_ns(NEW)).await;
    parent.holds_ns(NEW).await;
    assert_eq!(parent.writes(), 1);
}

#[tokio::test]
async fn what_the_key_may_not_do_is_named() {
    let made = in_zone().await;
    let parent: &dyn Parent = &made;
    let reader = credential(parent.registrar(), &fields(READER));
    let passport = parent.registrar().validate(&name("acme.example"), &reader).await.unwrap();
    let lacking = passport.hosted_parent.unwrap();
    assert!(lacking.contains("POST /domain/zone/acme.example/refresh"), "{lacking}");
    assert!(!lacking.contains("GET"), "{lacking}");
    assert!(passport.registry_apex.unwrap().contains("PUT /domain/acme.example"));
    let fault = parent.registrar().apply(&parent.to_ns(NEW), &reader).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Credential, "credential-scope"));
    let passport =
        parent.registrar().validate(&name("acme.example"), parent.credential(Who::Good)).await.unwrap();
    assert!(passport.expires.is_some() && passport.credential_expires.is_some());
}

#[tokio::test]
async fn a_domain_that_is_not_ok_is_not_touched() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    made.sim.with(|vendor| vendor.domains[0].state = "expired".into());
    let fault = parent.apply(&parent.to_ns(NEW)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "domain-locked"));
    assert!(
        parent
            .registrar()
            .validate(&name("acme.example"), parent.credential(Who::Good))
            .await
            .unwrap()
            .registry_apex
            .is_some()
    );
    assert_eq!(parent.writes(), 0);
}

#[tokio::test]
async fn a_refused_nameserver_says_so() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    let fault = parent.apply(&parent.to_ns(&["ns1.sov.invalid", "ns2.sov.example"])).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "nameserver-refused"));
}

#[tokio::test]
async fn a_write_lost_before_the_refresh_makes_no_doubles() {
    let made = in_zone().await;
    let parent: &dyn Parent = &made;
    for _ in 0..3 {
        made.sim.trouble(When::Write, Trouble::Lost);
        let _ = parent.apply(&parent.to_ns(NEW)).await;
    }
    parent.bring(&parent.to_ns(NEW)).await;
    parent.holds_ns(NEW).await;
}

/// What the vendor's own client wrote, read by the adapter, and nothing left to write.
#[tokio::test]
async fn an_independent_client_works_against_the_simulator() {
    if pdm_harness::full() {
        let made = at_registry().await;
        let parent: &dyn Parent = &made;
        client::python("ovhcloud.py", &["ovh==1.2.0"], &made.sim.url()).await;
        assert!(!parent.apply(&parent.to_ns(NEW)).await.unwrap().wrote);
        let inside = Change { place: hosted("sub.acme.example", "acme.example"), ..parent.to_ns(NEW) };
        assert!(!parent.apply(&inside).await.unwrap().wrote);
    }
}
