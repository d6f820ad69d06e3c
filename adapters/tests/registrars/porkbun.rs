//! Porkbun: the registry with DS by key tag, and NS inside its zones one by one.

use pdm_model::Ttl;
use pdm_ports::Class;
use pdm_ports::registrar::{NsTarget, Place};
use pdm_simulators::porkbun::{FOREIGN, GOOD, Porkbun};
use pdm_simulators::{Trouble, When};

use crate::suite::checks::{NEW, OTHER};
use crate::suite::{Parent, Simulated, apex, hosted, key, name, suite};

fn fields(pair: [&'static str; 2]) -> Vec<(&'static str, &'static str)> {
    ["api_key", "secret_api_key"].into_iter().zip(pair).collect()
}

async fn parent(place: Place) -> Simulated<Porkbun> {
    let who = [GOOD, [GOOD[0], "sk1_mistyped_0000000000"], FOREIGN].map(fields);
    Simulated::start("porkbun", Porkbun::default(), "/api/json/v3", place, [&who[0], &who[1], &who[2]]).await
}

async fn at_registry() -> Simulated<Porkbun> {
    parent(apex("acme.example")).await
}

async fn in_zone() -> Simulated<Porkbun> {
    parent(hosted("sub.acme.example", "acme.example")).await
}

suite!(registry_apex, at_registry);
suite!(hosted_parent, in_zone);

#[tokio::test]
async fn a_domain_that_is_not_opted_in_wants_another_right() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    made.sim.with(|vendor| vendor.domains[0].opted_in = false);
    let fault = parent.apply(&parent.to_ns(NEW)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Credential, "credential-scope"));
}

#[tokio::test]
async fn there_is_a_ds_at_every_moment_of_a_replacement() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    parent.bring(&parent.to_ns(NEW)).await;
    parent.bring(&parent.to_ds("A")).await;
    let before = made.sim.calls().len();
    parent.bring(&parent.to_ds("B")).await;
    let writes = made.sim.calls().split_off(before).into_iter().filter(|call| call.write);
    let verbs: Vec<_> = writes.map(|call| call.request.path.split('/').nth(5).unwrap().to_owned()).collect();
    assert_eq!(verbs, ["createDnssecRecord", "deleteDnssecRecord"]);
}

/// The other digest of the same key has the same tag.
#[tokio::test]
async fn another_ds_under_the_same_tag_takes_its_place() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    parent.bring(&parent.to_ns(NEW)).await;
    parent.bring(&parent.to_ds("A")).await;
    let mut other = key(&name("acme.example"), 'A');
    other.ds.digest_type = 4;
    other.ds.digest = "ab".repeat(48);
    let mut change = parent.to_ds("");
    change.ds = Some(([other.clone()].into(), Ttl::new(3600)));
    parent.bring(&change).await;
    assert_eq!(parent.ds().await, [other.ds.to_string()]);

    change.ds.as_mut().unwrap().0.insert(key(&name("acme.example"), 'A'));
    assert_eq!(parent.apply(&change).await.unwrap_err().code, "ds-count");
}

#[tokio::test]
async fn a_zone_that_is_served_elsewhere_and_a_domain_that_is_not_active_are_refused() {
    let made = in_zone().await;
    let parent: &dyn Parent = &made;
    made.sim.with(|vendor| vendor.domains[0].ns = NEW.iter().map(|host| (*host).to_owned()).collect());
    assert_eq!(parent.apply(&parent.to_ns(NEW)).await.unwrap_err().code, "zone-not-hosted");

    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    made.sim.with(|vendor| vendor.domains[0].status = "EXPIRED".into());
    assert_eq!(parent.apply(&parent.to_ns(NEW)).await.unwrap_err().code, "domain-locked");
}

#[tokio::test]
async fn a_ttl_is_brought_into_the_vendors_range_and_kept_there() {
    let made = in_zone().await;
    let parent: &dyn Parent = &made;
    let mut change = parent.to_ns(NEW);
    if let Some(NsTarget::Names { ttl, .. }) = &mut change.ns {
        *ttl = Ttl::new(60);
    }
    parent.bring(&change).await;
    assert_eq!(parent.read().await.unwrap().ns_ttl, Some(Ttl::new(600)));
    assert!(!parent.apply(&change).await.unwrap().wrote);
    // Another TTL changes the records that are there.
    parent.bring(&parent.to_ns(NEW)).await;
    assert_eq!(parent.read().await.unwrap().ns_ttl, Some(Ttl::new(3600)));
    parent.holds_ns(NEW).await;
}

#[tokio::test]
async fn lost_replies_in_a_row_make_no_doubles() {
    let made = in_zone().await;
    let parent: &dyn Parent = &made;
    for hosts in [NEW, OTHER] {
        for _ in 0..3 {
            made.sim.trouble(When::Write, Trouble::Lost);
            let _ = parent.apply(&parent.to_ns(hosts)).await;
        }
        made.sim.calm();
        parent.bring(&parent.to_ns(hosts)).await;
        parent.holds_ns(hosts).await;
    }
}

#[tokio::test]
async fn a_refused_nameserver_says_so() {
    let made = at_registry().await;
    let parent: &dyn Parent = &made;
    let fault = parent.apply(&parent.to_ns(&["ns1.sov.invalid", NEW[0]])).await.unwrap_err();
    assert_eq!(fault.code, "nameserver-refused");
}

#[tokio::test]
async fn what_a_delegation_would_hide_stops_it() {
    let made = in_zone().await;
    let parent: &dyn Parent = &made;
    for owner in ["sub.acme.example", "www.sub.acme.example"] {
        let record =
            serde_json::json!({"id": "9", "name": owner, "type": "A", "content": "192.0.2.7", "ttl": "600"});
        made.sim.with(|vendor| vendor.domains[0].records.push(record));
        let fault = parent.apply(&parent.to_ns(NEW)).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::NotOurs, "foreign-records"), "{owner}");
        made.sim.with(|vendor| vendor.domains[0].records.pop());
    }
    assert_eq!(parent.writes(), 0);
}
