//! Gandi in both modes, and what bites there.

use pdm_ports::Class;
use pdm_ports::registrar::{Change, NsTarget};
use pdm_simulators::gandi::Gandi;

use crate::client;
use crate::suite::checks::NEW;
use crate::suite::{Fields, Parent, Simulated, Who, apex, hosted, suite};

const WHO: [Fields<'static>; 3] =
    [&[("token", "acme-token-0123")], &[("token", "wrong-token-0123")], &[("token", "other-token-4567")]];
const ZONE: &str = "acme.example";

async fn registry_apex() -> Simulated<Gandi> {
    Simulated::start("gandi", Gandi::default(), "/v5", apex(ZONE), WHO).await
}

async fn hosted_parent() -> Simulated<Gandi> {
    Simulated::start("gandi", Gandi::default(), "/v5", hosted("sub.acme.example", ZONE), WHO).await
}

suite!(apex_mode, registry_apex);
suite!(hosted_mode, hosted_parent);

#[tokio::test]
async fn a_read_that_lags_is_no_second_write() {
    let parent = registry_apex().await;
    let parent: &dyn Parent = &parent;
    let applied = parent.apply(&parent.to_ns(NEW)).await.unwrap();
    assert!(applied.wrote && !applied.agrees && applied.task.is_none(), "{applied:?}");
    let later = parent.apply(&parent.to_ns(NEW)).await.unwrap();
    assert!(later.agrees && !later.wrote);
    assert_eq!(parent.writes(), 1);
}

#[tokio::test]
async fn ns_and_ds_come_and_go_in_the_safe_order() {
    let parent = hosted_parent().await;
    let dynamic: &dyn Parent = &parent;
    let both = Change { ds: dynamic.to_ds("A").ds, ..dynamic.to_ns(NEW) };
    let none = Change { ds: dynamic.to_ds("").ds, ..dynamic.to_ns(&[]) };
    dynamic.bring(&both).await;
    dynamic.bring(&none).await;
    let writes: Vec<_> = parent.sim.calls().into_iter().filter(|call| call.write).collect();
    let told: Vec<_> = writes
        .iter()
        .map(|call| (call.request.method.as_str(), call.request.target.rsplit('/').next().unwrap()))
        .collect();
    assert_eq!(told, [("PUT", "NS"), ("PUT", "DS"), ("DELETE", "DS"), ("DELETE", "NS")]);
}

#[tokio::test]
async fn a_status_in_the_way_and_strange_nameservers_are_told() {
    let parent = registry_apex().await;
    let dynamic: &dyn Parent = &parent;
    let strange = dynamic.to_ns(&["ns1.unregistered.example", "ns2.unregistered.example"]);
    let fault = dynamic.apply(&strange).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "nameserver-refused"));
    let older = Change { ns: Some(NsTarget::Vendor("classic".into())), ..dynamic.to_ns(NEW) };
    let fault = dynamic.apply(&older).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Unsupported, "withdraw-unsupported"));
    parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().status.push("clientUpdateProhibited"));
    let writes = parent.writes();
    let fault = dynamic.apply(&dynamic.to_ns(NEW)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "domain-locked"));
    assert_eq!(parent.writes(), writes);
}

#[tokio::test]
async fn a_zone_that_is_not_used_and_records_that_would_be_hidden_stop_it() {
    let parent = hosted_parent().await;
    let dynamic: &dyn Parent = &parent;
    for label in ["sub", "www.sub"] {
        let key = (label.to_owned(), "A".to_owned());
        let records = |vendor: &mut Gandi| vendor.domain(ZONE).unwrap().records.clone().unwrap();
        let mut with = parent.sim.with(records);
        let before = with.clone();
        with.insert(key, (300, vec!["192.0.2.7".into()]));
        parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().records = Some(with));
        let fault = dynamic.apply(&dynamic.to_ns(NEW)).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::NotOurs, "foreign-records"), "{label}");
        parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().records = Some(before));
    }
    parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().records = None);
    let fault = dynamic.apply(&dynamic.to_ns(NEW)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "zone-not-hosted"));
    let passport =
        dynamic.registrar().validate(dynamic.place().zone(), dynamic.credential(Who::Good)).await.unwrap();
    assert!(passport.hosted_parent.is_some() && passport.registry_apex.is_none());
    assert_eq!(parent.writes(), 0);
}

#[tokio::test]
async fn an_independent_client_and_the_adapter_see_the_same() {
    if pdm_harness::full() {
        let parent = hosted_parent().await;
        client::python("with_octodns_gandi.py", &["octodns-gandi==1.2.0"], &parent.sim.url()).await;
        let dynamic: &dyn Parent = &parent;
        assert!(dynamic.apply(&dynamic.to_ns(NEW)).await.unwrap().agrees, "the client wrote it");
    }
}
