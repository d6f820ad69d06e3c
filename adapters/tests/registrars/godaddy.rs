//! GoDaddy in both modes, with both kinds of credential, and what bites there.

use pdm_ports::Class;
use pdm_ports::registrar::{TaskId, TaskStatus};
use pdm_simulators::godaddy::GoDaddy;
use pdm_simulators::{Trouble, When};

use crate::client;
use crate::suite::checks::NEW;
use crate::suite::{Fields, Parent, Simulated, Who, apex, credential, hosted, suite};

const TOKEN: [Fields<'static>; 3] = [
    &[("token", "acme-token-0123"), ("shopper_id", "123456789")],
    &[("token", "acme-token-wrong"), ("shopper_id", "123456789")],
    &[("token", "other-token-4567"), ("shopper_id", "123456789")],
];
const KEY: [Fields<'static>; 3] = [
    &[("key", "acme-key-0123"), ("secret", "acme-secret-0123"), ("shopper_id", "123456789")],
    &[("key", "acme-key-0123"), ("secret", "acme-secret-wrong")],
    &[("key", "other-key-4567"), ("secret", "other-secret-4567")],
];
const ZONE: &str = "acme.example";

async fn registry_apex() -> Simulated<GoDaddy> {
    Simulated::start("godaddy", GoDaddy::default(), "", apex(ZONE), KEY).await
}

async fn hosted_parent() -> Simulated<GoDaddy> {
    Simulated::start("godaddy", GoDaddy::default(), "", hosted("sub.acme.example", ZONE), TOKEN).await
}

suite!(apex_mode, registry_apex);
suite!(hosted_mode, hosted_parent);

fn dynamic(parent: &Simulated<GoDaddy>) -> &dyn Parent {
    parent
}

#[tokio::test]
async fn an_account_that_may_not_is_told_so() {
    let parent = registry_apex().await;
    parent.sim.with(|vendor| vendor.eligible = false);
    let fault = dynamic(&parent).read().await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Credential, "account-not-eligible"));
}

#[tokio::test]
async fn a_token_without_a_scope_is_told_so() {
    let parent = hosted_parent().await;
    parent.sim.with(|vendor| vendor.scopes = vec!["domains.domain:read", "domains.dns:read"]);
    let fault = dynamic(&parent).apply(&dynamic(&parent).to_ns(NEW)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Credential, "credential-scope"));
}

#[tokio::test]
async fn a_key_takes_no_delegation_back_and_a_token_does() {
    let parent = hosted_parent().await;
    dynamic(&parent).bring(&dynamic(&parent).to_ns(NEW)).await;
    let key = credential(parent.registrar(), KEY[0]);
    let calls = parent.sim.calls().len();
    let fault = parent.registrar().apply(&dynamic(&parent).to_ns(&[]), &key).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Unsupported, "withdraw-unsupported"));
    assert!(fault.detail.contains("way out"));
    assert_eq!(parent.sim.calls().len(), calls, "refused before any call");
    let rest = parent.rest().await;
    dynamic(&parent).bring(&dynamic(&parent).to_ns(&[])).await;
    assert!(parent.ns().await.is_empty());
    assert_eq!(parent.rest().await, rest);
}

#[tokio::test]
async fn only_the_narrowest_path_is_written() {
    let parent = hosted_parent().await;
    dynamic(&parent).bring(&dynamic(&parent).to_ns(NEW)).await;
    let writes: Vec<_> = parent.sim.calls().into_iter().filter(|call| call.write).collect();
    assert_eq!(writes.len(), 1);
    assert_eq!(writes[0].request.method, "PUT");
    assert_eq!(writes[0].request.target, "/v1/domains/acme.example/records/NS/sub");
}

#[tokio::test]
async fn ds_is_refused_where_the_account_may_not() {
    let parent = registry_apex().await;
    parent.sim.with(|vendor| vendor.reseller = false);
    let state = dynamic(&parent).read().await.unwrap();
    assert_eq!(state.ds, None, "not told is not nothing");
    let fault = dynamic(&parent).apply(&dynamic(&parent).to_ds("A")).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Unsupported, "ds-unsupported"));
    assert!(fault.detail.contains("web interface"));
    // Without a customer number nothing is asked at all.
    let calls = parent.sim.calls().len();
    let plain = credential(parent.registrar(), &KEY[0][..2]);
    let fault = parent.registrar().apply(&dynamic(&parent).to_ds("A"), &plain).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Unsupported, "ds-unsupported"));
    assert_eq!(parent.sim.calls().len(), calls);
}

#[tokio::test]
async fn without_v2_the_status_alone_is_followed() {
    let parent = registry_apex().await;
    let plain = credential(parent.registrar(), &KEY[0][..2]);
    let applied = parent.registrar().apply(&dynamic(&parent).to_ns(NEW), &plain).await.unwrap();
    let task = applied.task.unwrap();
    assert_eq!(task, TaskId("status".into()));
    let running = parent.registrar().task(parent.place(), &task, &plain).await.unwrap();
    assert_eq!(running, TaskStatus::Running { stage: "PENDING_DNS_ACTIVE".into() });
    dynamic(&parent).bring(&dynamic(&parent).to_ns(NEW)).await;
    dynamic(&parent).holds_ns(NEW).await;
}

#[tokio::test]
async fn a_second_change_waits_for_the_first() {
    let parent = registry_apex().await;
    let first = dynamic(&parent).apply(&dynamic(&parent).to_ns(NEW)).await.unwrap();
    let other = dynamic(&parent)
        .apply(&dynamic(&parent).to_ns(&["ns8.sov.example", "ns9.sov.example"]))
        .await
        .unwrap();
    assert!(!other.wrote && !other.agrees);
    assert_eq!(other.task.is_some(), first.task.is_some());
}

#[tokio::test]
async fn a_status_in_the_way_stops_everything() {
    for status in ["LOCKED_SUPER", "EXPIRED_REASSIGNED", "CONFISCATED", "HELD_SHOPPER"] {
        let parent = registry_apex().await;
        parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().status = status.into());
        let fault = dynamic(&parent).apply(&dynamic(&parent).to_ns(NEW)).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Rejected, "domain-locked"), "{status}");
        assert_eq!(parent.writes(), 0);
    }
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
    parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().ns = vec!["ns1.elsewhere.example".into()]);
    let fault = dynamic(&parent).apply(&dynamic(&parent).to_ns(NEW)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Rejected, "zone-not-hosted"));
    let passport =
        parent.registrar().validate(parent.place().zone(), parent.credential(Who::Good)).await.unwrap();
    assert!(passport.hosted_parent.is_some() && passport.registry_apex.is_none());
}

#[tokio::test]
async fn records_that_would_be_hidden_are_not() {
    let parent = hosted_parent().await;
    let record = ("A".into(), "www.sub".into(), "192.0.2.7".into(), 3600);
    parent.sim.with(|vendor| vendor.domain(ZONE).unwrap().records.push(record));
    let fault = dynamic(&parent).apply(&dynamic(&parent).to_ns(NEW)).await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::NotOurs, "foreign-records"));
    assert_eq!(parent.writes(), 0);
}

#[tokio::test]
async fn its_own_pause_is_honoured() {
    let parent = registry_apex().await;
    parent.sim.trouble(When::Next, Trouble::Busy);
    let fault = dynamic(&parent).read().await.unwrap_err();
    assert_eq!((fault.class, fault.retry_after.unwrap().as_secs()), (Class::RateLimited, 30));
}

#[tokio::test]
async fn an_independent_client_works_against_the_simulator() {
    if pdm_harness::full() {
        let parent = registry_apex().await;
        client::python(
            "with_godaddypy.py",
            &["GoDaddyPy==2.5.1", "configloader==1.0.1", "pyyaml==6.0.3"],
            &parent.sim.url(),
        )
        .await;
    }
}
