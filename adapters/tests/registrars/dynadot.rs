//! Dynadot: the registry with its list of known nameservers, and a zone to which is only added.

use std::time::{Duration, Instant};

use pdm_adapters::{Http, Options, registrar};
use pdm_ports::Class;
use pdm_ports::registrar::{Change, Operated, Place};
use pdm_simulators::dynadot::{Dynadot, FOREIGN, GOOD};
use pdm_simulators::{Trouble, When};

use crate::client;
use crate::suite::checks::{NEW, OTHER};
use crate::suite::{Parent, Simulated, Who, apex, credential, hosted, key, name, suite};

fn fields(pair: [&'static str; 2]) -> Vec<(&'static str, &'static str)> {
    ["key", "secret"].into_iter().zip(pair).collect()
}

async fn parent(place: Place) -> Simulated<Dynadot> {
    let who = [GOOD, [GOOD[0], "dynadot-secret-mistyped"], FOREIGN].map(fields);
    Simulated::start("dynadot", Dynadot::default(), "/restful/v2", place, [&who[0], &who[1], &who[2]]).await
}

async fn at_registry() -> Simulated<Dynadot> {
    parent(apex("acme.example")).await
}

async fn in_zone() -> Simulated<Dynadot> {
    parent(hosted("sub.acme.example", "acme.example")).await
}

suite!(registry_apex, at_registry);
suite!(hosted_parent, in_zone);

#[tokio::test]
async fn nameservers_are_entered_before_they_are_used() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    parent.bring(&parent.to_ns(NEW)).await;
    made.sim.with(|vendor| assert_eq!(vendor.known[0], NEW));
    // Those that are known already are no obstacle.
    parent.bring(&parent.to_ns(OTHER)).await;
    parent.holds_ns(OTHER).await;
    // One that the account cannot use is named as such.
    let fault = parent.apply(&parent.to_ns(&["ns1.sub.other.example", NEW[0]])).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "nameserver-refused"));
}

#[tokio::test]
async fn names_that_were_there_before_come_back() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    let old = ["ns1.old.example", "ns2.old.example"];
    parent.put_ns(&old).await;
    assert_eq!(parent.read().await.unwrap().operated, Operated::Custom);
    parent.bring(&parent.to_ns(NEW)).await;
    parent.bring(&parent.to_ns(&old)).await;
    parent.holds_ns(&old).await;
}

#[tokio::test]
async fn a_ds_is_replaced_by_adding_clearing_and_adding() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    parent.bring(&parent.to_ns(NEW)).await;
    parent.bring(&parent.to_ds("A")).await;
    let before = made.sim.calls().len();
    parent.bring(&parent.to_ds("B")).await;
    let writes = made.sim.calls().split_off(before).into_iter().filter(|call| call.write);
    assert_eq!(writes.map(|call| call.request.method).collect::<Vec<_>>(), ["PUT", "DELETE", "PUT"]);
    // A DS that is refused costs nothing: it comes before the clearing.
    made.sim.trouble(When::Write, Trouble::Error(400));
    parent.apply(&parent.to_ds("C")).await.unwrap_err();
    parent.holds_ds("B").await;
    // Nor does a loss after the clearing last.
    for _ in 0..3 {
        made.sim.trouble(When::Write, Trouble::Lost);
        let _ = parent.apply(&parent.to_ds("C")).await;
    }
    parent.bring(&parent.to_ds("C")).await;
    parent.holds_ds("C").await;
}

#[tokio::test]
async fn one_ds_for_a_key_tag() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    let mut change = parent.to_ds("A");
    let mut twin = key(&name("acme.example"), 'A');
    twin.ds.digest = "00".repeat(32);
    change.ds.as_mut().unwrap().0.insert(twin);
    assert_eq!(parent.apply(&change).await.unwrap_err().code, "ds-count");
    assert!(made.sim.calls().is_empty());
}

#[tokio::test]
async fn a_registry_without_dnssec_is_told_from_one_without_ds() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    made.sim.with(|vendor| vendor.domains[0].dnssec = false);
    assert_eq!(parent.read().await.unwrap().ds, None);
    parent.bring(&parent.to_ns(NEW)).await;
    let fault = parent.apply(&parent.to_ds("A")).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Unsupported, "registrar-cannot"));
}

#[tokio::test]
async fn a_zone_that_is_served_elsewhere_is_not_switched_by_accident() {
    let made = in_zone().await;
    let parent: &dyn Parent = &made;
    for setting in ["Name Servers", "Parking", ""] {
        made.sim.with(|vendor| vendor.domains[0].setting = setting.into());
        let rest = parent.rest().await;
        assert_eq!(parent.apply(&parent.to_ns(NEW)).await.unwrap_err().code, "zone-not-hosted");
        assert_eq!(parent.rest().await, rest);
        let passport =
            parent.registrar().validate(&name("acme.example"), parent.credential(Who::Good)).await.unwrap();
        assert!(passport.hosted_parent.is_some(), "{setting}");
    }
    assert_eq!(parent.writes(), 0);
}

#[tokio::test]
async fn nothing_is_ever_written_without_the_append_flag() {
    let made = in_zone().await;
    let parent: &dyn Parent = &made;
    parent.put_ns(&NEW[..1]).await;
    parent.bring(&parent.to_ns(NEW)).await;
    let writes: Vec<_> = made.sim.calls().into_iter().filter(|call| call.write).collect();
    assert_eq!(writes.len(), 1);
    let body = writes[0].request.json().unwrap();
    assert_eq!(body["add_dns_to_current_setting"], true);
    assert_eq!(body["dns_sub_list"].as_array().unwrap().len(), 1, "only what is missing: {body}");
    assert_eq!(body["ttl"], 1800, "the zone's TTL stays");

    made.sim.with(|vendor| vendor.domains[0].main.clear());
    parent.put_ns(&[]).await;
    assert_eq!(parent.apply(&parent.to_ns(NEW)).await.unwrap_err().code, "zone-not-hosted");
}

#[tokio::test]
async fn a_disabled_domain_is_not_touched() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    made.sim.with(|vendor| vendor.domains[0].disabled = true);
    assert_eq!(parent.apply(&parent.to_ns(NEW)).await.unwrap_err().code, "domain-locked");
    assert_eq!(parent.writes(), 0);
}

/// Regular accounts may have one request under way, and one a second.
#[tokio::test]
async fn one_request_at_a_time_and_evenly_spaced() {
    let made = at_registry().await;
    made.sim.slow(Duration::from_millis(30));
    let options = Options {
        base: Some(format!("{}/restful/v2", made.sim.url())),
        calls_per_minute: Some(600),
        ..Options::default()
    };
    let dynadot = registrar("dynadot", &Http::new().unwrap(), &options).unwrap().unwrap();
    let good = credential(&*dynadot, &fields(GOOD));
    let (place, started) = (apex("acme.example"), Instant::now());
    let read = || dynadot.read(&place, &good);
    let (one, two, three) = tokio::join!(read(), read(), read());
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    let calls = u32::try_from(made.sim.calls().len()).unwrap();
    assert_eq!((calls, made.sim.peak()), (9, 1));
    assert!(started.elapsed() >= Duration::from_millis(100) * (calls - 1), "{:?}", started.elapsed());

    // Who would wait for too long is told when to come again, and nothing is sent.
    let options = Options { calls_per_minute: Some(1), patience: Duration::from_millis(50), ..options };
    let dynadot = registrar("dynadot", &Http::new().unwrap(), &options).unwrap().unwrap();
    let fault = dynadot.read(&place, &good).await.unwrap_err();
    assert_eq!(fault.class, Class::RateLimited);
    assert!(fault.retry_after.is_some_and(|pause| pause > Duration::from_secs(30)), "{fault:?}");
    assert_eq!(made.sim.calls().len(), 10);
}

#[tokio::test]
async fn a_change_of_both_sets_at_a_registry_is_two_changes() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    let both = Change { ds: parent.to_ds("A").ds, ..parent.to_ns(NEW) };
    assert_eq!(parent.apply(&both).await.unwrap_err().code, "ns-and-ds-apart");
}

/// What certbot's plugin wrote, read by the adapter, and nothing left to write.
#[tokio::test]
async fn an_independent_client_works_against_the_simulator() {
    if pdm_harness::full() {
        let made = at_registry().await;
        let parent: &dyn Parent = &made;
        client::python("dynadot.py", &["certbot-dns-dynadot==0.2.1"], &made.sim.url()).await;
        assert!(!parent.apply(&parent.to_ns(NEW)).await.unwrap().wrote);
    }
}

#[tokio::test]
async fn what_a_delegation_would_hide_stops_it() {
    let made = in_zone().await;
    let parent: &dyn Parent = &made;
    for label in ["sub", "www.sub"] {
        let record = serde_json::json!({"sub_host": label, "record_type": "a", "record_value1": "192.0.2.7"});
        made.sim.with(|vendor| vendor.domains[0].sub.push(record));
        let fault = parent.apply(&parent.to_ns(NEW)).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::NotOurs, "foreign-records"), "{label}");
        made.sim.with(|vendor| vendor.domains[0].sub.pop());
    }
    assert_eq!(parent.writes(), 0);
}
