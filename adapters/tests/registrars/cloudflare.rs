//! Cloudflare: a hosted parent, and the refusal of everything at the registry.

use pdm_ports::Class;
use pdm_simulators::cloudflare::{ACCOUNT_TOKEN, Cloudflare, FOREIGN, READER, TOKEN};
use pdm_simulators::{Simulator, Trouble, When};

use crate::client;
use crate::suite::checks::{NEW, OTHER};
use crate::suite::{Parent, Simulated, Who, adapter, apex, credential, hosted, name, suite};

const CHILD: &str = "sub.acme.example";

async fn parent() -> Simulated<Cloudflare> {
    let who = [TOKEN, "never-issued-token-000", FOREIGN].map(|token| [("token", token)]);
    let place = hosted(CHILD, "acme.example");
    Simulated::start("cloudflare", Cloudflare::default(), "/client/v4", place, [&who[0], &who[1], &who[2]])
        .await
}

suite!(hosted_parent, parent);

#[tokio::test]
async fn a_registered_domain_is_refused_with_the_way_out_and_no_call() {
    let parent = parent().await;
    let parent: &dyn Parent = &parent;
    let change = pdm_ports::registrar::Change { place: apex("acme.example"), ..parent.to_ns(NEW) };
    for fault in [
        parent.apply(&change).await.unwrap_err(),
        parent.registrar().read(&apex("acme.example"), parent.credential(Who::Good)).await.unwrap_err(),
    ] {
        assert_eq!((fault.class, fault.code), (Class::Unsupported, "mode-unsupported"));
        assert!(fault.detail.contains("way out: delegate a name below"), "{fault}");
    }
    assert!(parent.web().unwrap().calls().is_empty());
    let passport =
        parent.registrar().validate(&name("acme.example"), parent.credential(Who::Good)).await.unwrap();
    assert!(passport.registry_apex.is_some());
    assert!(passport.credential_expires.is_some());
}

#[tokio::test]
async fn ns_and_ds_come_in_one_batch_and_go_in_one() {
    let parent = parent().await;
    let parent: &dyn Parent = &parent;
    let both = |ns, ds| pdm_ports::registrar::Change { ds: parent.to_ds(ds).ds, ..parent.to_ns(ns) };
    for (ns, ds) in [(NEW, "A"), (OTHER, "AB"), (&[][..], "")] {
        let writes = parent.writes();
        parent.bring(&both(ns, ds)).await;
        parent.holds_ns(ns).await;
        parent.holds_ds(ds).await;
        assert_eq!(parent.writes(), writes + 1);
    }
    let fault = parent.apply(&parent.to_ds("A")).await.unwrap_err();
    assert_eq!(fault.code, "ds-without-ns");
}

#[tokio::test]
async fn other_records_at_the_name_and_below_it_stand_in_the_way() {
    let made = parent().await;
    let parent: &dyn Parent = &made;
    for owner in [CHILD.to_owned(), format!("www.{CHILD}")] {
        let record =
            serde_json::json!({"id": "x", "type": "A", "name": owner, "content": "192.0.2.7", "ttl": 1});
        made.sim.with(|vendor| vendor.zones[0].records.push(record));
        let fault = parent.apply(&parent.to_ns(NEW)).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::NotOurs, "foreign-records"), "{owner}");
        made.sim.with(|vendor| vendor.zones[0].records.pop());
    }
    assert_eq!(parent.writes(), 0);
}

#[tokio::test]
async fn a_zone_that_is_not_served_or_edited_there_is_refused() {
    for (status, kind, code) in
        [("pending", "full", "zone-not-hosted"), ("active", "partial", "domain-locked")]
    {
        let made = parent().await;
        let parent: &dyn Parent = &made;
        made.sim.with(|vendor| {
            vendor.zones[0].status = status.into();
            vendor.zones[0].kind = kind.into();
            vendor.zones[0].dnssec = "disabled".into();
        });
        assert_eq!(parent.apply(&parent.to_ns(NEW)).await.unwrap_err().code, code);
        let passport =
            parent.registrar().validate(&name("acme.example"), parent.credential(Who::Good)).await.unwrap();
        assert!(passport.hosted_parent.is_some());
        assert!(passport.notes.iter().any(|note| note.contains("not signed")));
    }
}

#[tokio::test]
async fn the_parents_own_nameservers_are_no_target() {
    let parent = parent().await;
    let parent: &dyn Parent = &parent;
    let fault =
        parent.apply(&parent.to_ns(&["ada.ns.cloudflare.example", "ns1.sov.example"])).await.unwrap_err();
    assert_eq!(fault.code, "nameserver-refused");
    assert_eq!(parent.writes(), 0);
}

#[tokio::test]
async fn both_kinds_of_token_and_a_missing_right() {
    let sim = Simulator::start(Cloudflare::default()).await.unwrap();
    let cloudflare = adapter("cloudflare", Some(format!("{}/client/v4", sim.url())));
    let good = credential(&*cloudflare, &[("token", ACCOUNT_TOKEN)]);
    let passport = cloudflare.validate(&name("acme.example"), &good).await.unwrap();
    assert!(passport.credential_expires.is_some(), "verified at the account");

    let reader = credential(&*cloudflare, &[("token", READER)]);
    let parent = parent().await;
    let parent: &dyn Parent = &parent;
    let fault = cloudflare.apply(&parent.to_ns(NEW), &reader).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Credential, "credential-scope"));
}

#[tokio::test]
async fn a_lane_that_is_closed_is_closed_for_this_credential_only() {
    let made = parent().await;
    let parent: &dyn Parent = &made;
    made.sim.trouble(When::Next, Trouble::TooMany(30));
    parent.read().await.unwrap_err();
    assert_eq!(parent.read().await.unwrap_err().class, Class::RateLimited);
    let place = hosted("sub.other.example", "other.example");
    parent.registrar().read(&place, parent.credential(Who::Foreign)).await.unwrap();
}

/// What octoDNS wrote, read by the adapter, and nothing left to write.
#[tokio::test]
async fn an_independent_client_works_against_the_simulator() {
    if pdm_harness::full() {
        let made = parent().await;
        let parent: &dyn Parent = &made;
        client::python("cloudflare.py", &["octodns-cloudflare==1.2.0"], &made.sim.url()).await;
        let state = parent.read().await.unwrap();
        let ds =
            "55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17".parse().unwrap();
        assert_eq!(state.ds, Some([ds].into()));
        assert!(!parent.apply(&parent.to_ns(NEW)).await.unwrap().wrote);
    }
}
