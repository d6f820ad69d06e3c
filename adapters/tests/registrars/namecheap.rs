//! Namecheap in both modes, and what bites there.

use std::collections::BTreeSet;

use pdm_ports::Class;
use pdm_ports::registrar::{Change, NsTarget, Operated};
use pdm_simulators::namecheap::{Dns, Host, Namecheap};
use pdm_simulators::{Trouble, When};

use crate::client;
use crate::suite::checks::NEW;
use crate::suite::{Fields, Parent, Simulated, Who, apex, hosted, suite};

const WHO: [Fields<'static>; 3] = [
    &[("api_user", "acme"), ("api_key", "0123456789abcdef-acme"), ("client_ip", "192.0.2.53")],
    &[("api_user", "acme"), ("api_key", "0123456789abcdef-wrong"), ("client_ip", "192.0.2.53")],
    &[("api_user", "stranger"), ("api_key", "0123456789abcdef-stranger"), ("client_ip", "192.0.2.53")],
];

const ZONE: &str = "acme.example";

async fn registry_apex() -> Simulated<Namecheap> {
    Simulated::start("namecheap", Namecheap::default(), "", apex(ZONE), WHO).await
}

async fn hosted_parent() -> Simulated<Namecheap> {
    Simulated::start("namecheap", Namecheap::default(), "", hosted("sub.acme.example", ZONE), WHO).await
}

suite!(apex_mode, registry_apex);
suite!(hosted_mode, hosted_parent);

fn dynamic(parent: &Simulated<Namecheap>) -> &dyn Parent {
    parent
}

#[tokio::test]
async fn nothing_but_the_command_stands_in_a_url() {
    let parent = hosted_parent().await;
    dynamic(&parent).bring(&dynamic(&parent).to_ns(NEW)).await;
    for call in parent.sim.calls() {
        assert_eq!((call.request.method.as_str(), call.request.target.as_str()), ("POST", "/xml.response"));
    }
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_told_apart() {
    let parent = registry_apex().await;
    parent.sim.with(|vendor| vendor.address = "192.0.2.99".into());
    let fault = dynamic(&parent).read().await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Credential, "credential-address-not-allowed"));
    let six = [("api_user", "acme"), ("api_key", "0123456789abcdef-acme"), ("client_ip", "2001:db8::1")];
    let credential = crate::suite::credential(parent.registrar(), &six);
    let fault = parent.registrar().read(parent.place(), &credential).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Credential, "credential-malformed"));
}

#[tokio::test]
async fn free_dns_is_read_although_the_list_does_not_know_it() {
    let parent = registry_apex().await;
    parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().dns = Dns::Free);
    let state = dynamic(&parent).read().await.unwrap();
    assert_eq!(state.operated, Operated::Vendor("free-dns".into()));
    assert_eq!(state.ns.len(), 2);
    // No call brings FreeDNS back.
    let back = Change { ns: Some(NsTarget::Vendor("free-dns".into())), ..dynamic(&parent).to_ns(NEW) };
    let fault = dynamic(&parent).apply(&back).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Unsupported, "withdraw-unsupported"));
}

#[tokio::test]
async fn a_locked_or_expired_domain_is_left_alone() {
    for status in ["Locked", "Expired"] {
        let parent = registry_apex().await;
        parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().status = status);
        let fault = dynamic(&parent).apply(&dynamic(&parent).to_ns(NEW)).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Rejected, "domain-locked"));
        let passport =
            parent.registrar().validate(parent.place().zone(), parent.credential(Who::Good)).await.unwrap();
        assert!(passport.registry_apex.unwrap().contains(status));
        assert_eq!(parent.writes(), 0);
    }
}

#[tokio::test]
async fn a_right_that_is_missing_is_seen_before() {
    let parent = registry_apex().await;
    parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().rights = vec!["hosts"]);
    let passport =
        parent.registrar().validate(parent.place().zone(), parent.credential(Who::Good)).await.unwrap();
    assert!(passport.registry_apex.unwrap().contains("nameserver"));
    assert_eq!(passport.hosted_parent, None);
}

#[tokio::test]
async fn a_new_set_may_clear_the_ds_and_that_is_said() {
    let parent = registry_apex().await;
    parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().ds = vec!["1 13 2 aa".into()]);
    let applied = dynamic(&parent).apply(&dynamic(&parent).to_ns(NEW)).await.unwrap();
    assert!(applied.agrees && applied.notes.iter().any(|note| note.contains("DS")));
    assert!(parent.ds().await.is_empty(), "the simulator clears it, as is reported");
}

#[tokio::test]
async fn nameservers_that_the_registry_does_not_know_are_refused() {
    let parent = registry_apex().await;
    let change = dynamic(&parent).to_ns(&["ns1.unregistered.example", "ns2.unregistered.example"]);
    let fault = dynamic(&parent).apply(&change).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "nameserver-refused"));
}

#[tokio::test]
async fn a_zone_that_moved_away_is_not_written() {
    let parent = hosted_parent().await;
    parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().dns = Dns::Custom);
    let fault = dynamic(&parent).apply(&dynamic(&parent).to_ns(NEW)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "zone-not-hosted"));
}

#[tokio::test]
async fn srv_records_are_lost_only_with_leave() {
    let parent = hosted_parent().await;
    parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().hidden = vec!["_sip._tcp SRV".into()]);
    let change = dynamic(&parent).to_ns(NEW);
    let refused = Change { accepted: BTreeSet::new(), ..change.clone() };
    let fault = dynamic(&parent).apply(&refused).await.unwrap_err();
    assert_eq!(fault.code, "caveat-not-accepted");
    assert!(parent.sim.calls().is_empty());
    assert_eq!(parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().hidden.len()), 1);
    dynamic(&parent).bring(&change).await;
    assert_eq!(parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().hidden.len()), 0, "the caveat is true");
}

#[tokio::test]
async fn a_record_that_cannot_be_said_again_stops_the_write() {
    let parent = hosted_parent().await;
    let odd = Host {
        name: "x".into(),
        rtype: "LOC".into(),
        address: "1".into(),
        preference: "10".into(),
        ttl: 1800,
    };
    parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().hosts.push(odd));
    let before = parent.rest().await;
    let fault = dynamic(&parent).apply(&dynamic(&parent).to_ns(NEW)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "zone-not-repeatable"));
    assert_eq!((parent.writes(), parent.rest().await), (0, before));
}

#[tokio::test]
async fn records_that_would_be_hidden_are_not() {
    let parent = hosted_parent().await;
    for label in ["sub", "www.sub"] {
        let host = Host {
            name: label.into(),
            rtype: "A".into(),
            address: "192.0.2.7".into(),
            preference: "10".into(),
            ttl: 1800,
        };
        parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().hosts.push(host));
        let fault = dynamic(&parent).apply(&dynamic(&parent).to_ns(NEW)).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::NotOurs, "foreign-records"));
        parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().hosts.pop());
    }
    assert_eq!(parent.writes(), 0);
}

#[tokio::test]
async fn two_names_of_one_zone_do_not_undo_each_other() {
    let parent = hosted_parent().await;
    let other =
        Change { place: hosted("other.acme.example", ZONE), ..dynamic(&parent).to_ns(&["ns9.sov.example"]) };
    let one = dynamic(&parent).to_ns(NEW);
    let (a, b) = tokio::join!(dynamic(&parent).apply(&one), dynamic(&parent).apply(&other));
    assert!(a.unwrap().agrees && b.unwrap().agrees);
    dynamic(&parent).holds_ns(NEW).await;
    use pdm_simulators::Vendor;
    assert_eq!(parent.sim.with(|vendor| vendor.ns("other.acme.example")), ["ns9.sov.example."]);
}

#[tokio::test]
async fn what_else_changed_during_a_write_is_told() {
    let parent = hosted_parent().await;
    // The answer of the write is fine, the list read after it is not what was written.
    parent.sim.with(|vendor| vendor.drops_caa = true);
    let fault = dynamic(&parent).apply(&dynamic(&parent).to_ns(NEW)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "zone-not-as-written"));
    assert!(fault.detail.contains("missing: the CAA record of \"@\""), "{}", fault.detail);
}

#[tokio::test]
async fn a_405_is_too_many_and_not_a_wrong_method() {
    let parent = registry_apex().await;
    parent.sim.trouble(When::Next, Trouble::Busy);
    let fault = dynamic(&parent).read().await.unwrap_err();
    assert_eq!(fault.code, "registrar-busy");
    assert!(fault.retry_after.unwrap().as_secs() >= 60);
}

#[tokio::test]
async fn an_independent_client_works_against_the_simulator() {
    if pdm_harness::full() {
        let parent = registry_apex().await;
        client::python("with_pynamecheap.py", &["PyNamecheap==0.0.3", "requests==2.34.2"], &parent.sim.url())
            .await;
    }
}
