//! What an adapter makes of a vendor, or of something between, that misbehaves.

use std::time::Duration;

use pdm_ports::{Class, Fault};
use pdm_simulators::{Trouble, When};

use super::checks::NEW;
use super::{Parent, Web};
use pdm_ports::registrar::{DsForm, Mode};

pub async fn lost_reply_is_recognised(parent: &dyn Parent) {
    let Some(web) = parent.web() else { return };
    web.trouble(When::Write, Trouble::Lost);
    lost(parent, web, &parent.to_ns(NEW)).await;
    parent.holds_ns(NEW).await;
}

pub async fn lost_ds_reply_is_recognised(parent: &dyn Parent) {
    let Some(web) = parent.web().filter(|_| matches!(parent.can().ds, DsForm::Ds | DsForm::Dnskey)) else {
        return;
    };
    parent.bring(&parent.to_ns(NEW)).await;
    web.trouble(When::Write, Trouble::Lost);
    lost(parent, web, &parent.to_ds("A")).await;
    parent.holds_ds("A").await;
}

/// A lost reply may come to light at once, or with the next call when more than one write was needed. Never is
/// anything written twice that a vendor would keep twice.
async fn lost(parent: &dyn Parent, web: &dyn Web, change: &pdm_ports::registrar::Change) {
    match parent.apply(change).await {
        Ok(applied) => assert!(applied.wrote, "{applied:?}"),
        Err(fault) => assert_eq!(fault.class, Class::Transient, "{fault:?}"),
    }
    assert!(web.calls().iter().any(|call| call.status.is_none()), "a reply was lost");
    parent.bring(change).await;
    let writes = parent.writes();
    assert!(!parent.apply(change).await.unwrap().wrote);
    assert_eq!(parent.writes(), writes);
}

pub async fn busy_in_its_own_words(parent: &dyn Parent) {
    let Some(web) = parent.web() else { return };
    web.trouble(When::Next, Trouble::Busy);
    let fault = parent.read().await.unwrap_err();
    assert_eq!(fault.class, Class::RateLimited, "{fault:?}");
    assert!(fault.retry_after.is_some_and(|pause| !pause.is_zero()));
    still_closed(parent, web).await;
}

pub async fn retry_after_is_honoured(parent: &dyn Parent) {
    let Some(web) = parent.web() else { return };
    web.trouble(When::Next, Trouble::TooMany(77));
    let fault = parent.read().await.unwrap_err();
    assert_eq!((fault.class, fault.retry_after), (Class::RateLimited, Some(Duration::from_secs(77))));
    still_closed(parent, web).await;
}

/// While the vendor wants no calls with this credential, none is sent.
async fn still_closed(parent: &dyn Parent, web: &dyn Web) {
    let calls = web.calls().len();
    let fault = parent.apply(&parent.to_ns(NEW)).await.unwrap_err();
    assert_eq!(fault.class, Class::RateLimited);
    assert!(fault.retry_after.is_some());
    assert_eq!(web.calls().len(), calls);
}

pub async fn server_errors_are_transient(parent: &dyn Parent) {
    for trouble in [Trouble::Error(500), Trouble::Error(503), Trouble::Page(502)] {
        both(parent, trouble, &[Class::Transient]).await;
    }
}

/// A proxy's 404 is no missing domain and its 403 no missing right; a landing page is no success.
pub async fn pages_are_not_answers(parent: &dyn Parent) {
    for status in [200, 301, 403, 404] {
        both(parent, Trouble::Page(status), &[Class::Protocol]).await;
    }
}

/// A read of the wrong shape must never look like "there is nothing".
pub async fn other_json_is_not_an_empty_state(parent: &dyn Parent) {
    let Some(web) = parent.web() else { return };
    for text in ["{}", "[{}]", "\"\"", "7", "{\"success\":true}", "<a/>", "null", ""] {
        web.trouble(When::Always, Trouble::Other(text));
        let fault = parent.read().await.unwrap_err();
        assert_eq!(fault.class, Class::Protocol, "{text}: {fault:?}");
        web.calm();
    }
    recovers(parent).await;
}

pub async fn broken_replies(parent: &dyn Parent) {
    both(parent, Trouble::Truncated, &[Class::Transient, Class::Protocol]).await;
}

pub async fn too_long_replies(parent: &dyn Parent) {
    both(parent, Trouble::Huge, &[Class::Protocol]).await;
}

pub async fn silence_ends(parent: &dyn Parent) {
    let Some(web) = parent.web() else { return };
    web.trouble(When::Next, Trouble::Silent);
    let fault = parent.read().await.unwrap_err();
    assert_eq!((fault.class, fault.code), (Class::Transient, "registrar-no-answer"));
    recovers(parent).await;
}

/// The same trouble with a read and with a write, each of which a repeat gets over.
async fn both(parent: &dyn Parent, trouble: Trouble, classes: &[Class]) {
    let Some(web) = parent.web() else { return };
    let expect = |fault: &Fault| assert!(classes.contains(&fault.class), "{trouble:?}: {fault:?}");
    web.trouble(When::Read, trouble);
    expect(&parent.read().await.unwrap_err());
    web.trouble(When::Write, trouble);
    // A write that took effect may be recognised by reading; one that did not is a fault.
    if let Err(fault) = parent.apply(&parent.to_ns(NEW)).await {
        expect(&fault);
    } else {
        assert!(matches!(trouble, Trouble::Truncated | Trouble::Huge), "{trouble:?} passed for success");
    }
    web.calm();
    recovers(parent).await;
    // Back, so that the next round has something to write; where names can only be added, to none.
    let back: &[&str] = match parent.place().mode() {
        Mode::RegistryApex => &["ns8.old.example", "ns9.old.example"],
        Mode::HostedParent => &[],
    };
    parent.put_ns(back).await;
}

async fn recovers(parent: &dyn Parent) {
    parent.bring(&parent.to_ns(NEW)).await;
    parent.holds_ns(NEW).await;
}
