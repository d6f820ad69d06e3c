//! What an adapter does when all goes well, and what it refuses.

use std::collections::BTreeSet;

use pdm_ports::Class;
use pdm_ports::registrar::{Change, DsForm, Mode, NsTarget, Operated, TaskStatus};

use super::{Parent, Who, name};

/// The nameservers that a delegation goes to.
pub const NEW: &[&str] = &["ns1.sov.example", "ns2.sov.example"];
/// Others, of which one stays.
pub const OTHER: &[&str] = &["ns2.sov.example", "ns3.sov.example", "ns4.sov.example"];

pub async fn good_credential(parent: &dyn Parent) {
    let zone = parent.place().zone();
    let passport = parent.registrar().validate(zone, parent.credential(Who::Good)).await.unwrap();
    assert_eq!(&passport.domain, zone);
    let obstacle = match parent.place().mode() {
        Mode::RegistryApex => &passport.registry_apex,
        Mode::HostedParent => &passport.hosted_parent,
    };
    assert_eq!(obstacle, &None, "{passport:?}");
    assert_eq!(parent.writes(), 0, "validate reads only");
}

pub async fn bad_credential(parent: &dyn Parent) {
    refused(parent, Who::Bad, &[Class::Credential]).await;
}

pub async fn foreign_credential(parent: &dyn Parent) {
    refused(parent, Who::Foreign, &[Class::NotOurs, Class::Credential]).await;
}

async fn refused(parent: &dyn Parent, who: Who, classes: &[Class]) {
    let (registrar, place, credential) = (parent.registrar(), parent.place(), parent.credential(who));
    let before = (parent.ns().await, parent.ds().await, parent.rest().await);
    let faults = [
        registrar.validate(place.zone(), credential).await.unwrap_err(),
        registrar.read(place, credential).await.unwrap_err(),
        registrar.apply(&parent.to_ns(NEW), credential).await.unwrap_err(),
    ];
    for fault in faults {
        assert!(classes.contains(&fault.class), "{fault:?}");
    }
    assert_eq!((parent.ns().await, parent.ds().await, parent.rest().await), before);
}

pub async fn apply_then_observe(parent: &dyn Parent) {
    let applied = parent.apply(&parent.to_ns(NEW)).await.unwrap();
    assert!(applied.wrote);
    assert_eq!(applied.task.is_some(), parent.can().asynchronous);
    parent.bring(&parent.to_ns(NEW)).await;
    parent.holds_ns(NEW).await;
    let state = parent.read().await.unwrap();
    assert_eq!(state.ns, parent.ns_set().await);
    assert_eq!(state.mode, parent.place().mode());
    assert_eq!(state.task, None);
}

pub async fn twice_is_one_write(parent: &dyn Parent) {
    parent.bring(&parent.to_ns(NEW)).await;
    let writes = parent.writes();
    let again = parent.apply(&parent.to_ns(NEW)).await.unwrap();
    assert!(again.agrees && !again.wrote && again.task.is_none(), "{again:?}");
    assert_eq!(parent.writes(), writes);
}

pub async fn order_and_case_do_not_matter(parent: &dyn Parent) {
    parent.put_ns(&["NS2.Sov.Example", "ns1.sov.EXAMPLE"]).await;
    let writes = parent.writes();
    let applied = parent.apply(&parent.to_ns(NEW)).await.unwrap();
    assert!(applied.agrees && !applied.wrote, "{applied:?}");
    assert_eq!(parent.writes(), writes);
}

pub async fn ns_replaced_and_nothing_else(parent: &dyn Parent) {
    let rest = parent.rest().await;
    parent.bring(&parent.to_ns(NEW)).await;
    if parent.can().withdraw_cannot.is_some() && parent.place().mode() == Mode::HostedParent {
        // What cannot be taken back cannot be replaced: only names can be added.
        let fault = parent.apply(&parent.to_ns(OTHER)).await.unwrap_err();
        assert_eq!(fault.class, Class::Unsupported, "{fault:?}");
        parent.holds_ns(NEW).await;
    } else {
        parent.bring(&parent.to_ns(OTHER)).await;
        parent.holds_ns(OTHER).await;
    }
    assert_eq!(parent.rest().await, rest);
}

pub async fn ds_comes_changes_and_goes(parent: &dyn Parent) {
    parent.bring(&parent.to_ns(NEW)).await;
    let (calls, rest) = (parent.web().map(|web| web.calls().len()), parent.rest().await);
    if matches!(parent.can().ds, DsForm::None | DsForm::CdsScanned) {
        let fault = parent.apply(&parent.to_ds("A")).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Unsupported, "ds-unsupported"));
        assert!(fault.detail.contains("way out"), "{fault}");
        assert_eq!(parent.web().map(|web| web.calls().len()), calls, "refused before any call");
        return;
    }
    for letters in ["A", "AB", "C", "C", ""] {
        let writes = parent.writes();
        let same = parent.read().await.unwrap().ds.unwrap_or_default()
            == letters.chars().map(|letter| super::key(parent.place().child(), letter).ds).collect();
        parent.bring(&parent.to_ds(letters)).await;
        parent.holds_ds(letters).await;
        assert_eq!(parent.writes() == writes, same, "{letters}");
    }
    parent.holds_ns(NEW).await;
    assert_eq!(parent.rest().await, rest);
}

/// Hosted: the records are removed. Registry: the vendor's own DNS is there again, with its mode.
pub async fn taken_back(parent: &dyn Parent) {
    let before = parent.read().await.unwrap();
    parent.bring(&parent.to_ns(NEW)).await;
    let back = match (&parent.place().mode(), before.operated) {
        (Mode::HostedParent, _) => parent.to_ns(&[]),
        (Mode::RegistryApex, Operated::Vendor(kind)) => {
            Change { ns: Some(NsTarget::Vendor(kind)), ..parent.to_ns(NEW) }
        }
        (Mode::RegistryApex, Operated::Custom | Operated::Unknown) => {
            let names: Vec<_> = before.ns.iter().map(ToString::to_string).collect();
            parent.to_ns(&names.iter().map(String::as_str).collect::<Vec<_>>())
        }
    };
    if parent.can().withdraw_cannot.is_some()
        && !matches!(&back.ns, Some(NsTarget::Names { names, .. }) if !names.is_empty())
    {
        let fault = parent.apply(&back).await.unwrap_err();
        assert_eq!((fault.class, fault.code), (Class::Unsupported, "withdraw-unsupported"));
        parent.holds_ns(NEW).await;
        return;
    }
    parent.bring(&back).await;
    assert_eq!(parent.ns_set().await, before.ns);
}

pub async fn two_at_once_write_once(parent: &dyn Parent) {
    let change = parent.to_ns(NEW);
    let (one, two) = tokio::join!(parent.apply(&change), parent.apply(&change));
    let wrote = [one.unwrap().wrote, two.unwrap().wrote];
    assert_eq!(wrote.iter().filter(|wrote| **wrote).count(), 1);
    parent.bring(&change).await;
    parent.holds_ns(NEW).await;
}

pub async fn what_cannot_be_is_refused_first(parent: &dyn Parent) {
    let can = parent.can();
    let many: Vec<_> = (0..=can.ns_max).map(|n| format!("ns{n}.sov.example")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let inside = format!("ns1.{}", parent.place().child());
    let mut cases =
        vec![(parent.to_ns(&many), "ns-count"), (parent.to_ns(&[&inside, "ns2.sov.example"]), "")];
    if !can.caveats.is_empty() {
        cases.push((Change { accepted: BTreeSet::new(), ..parent.to_ns(NEW) }, "caveat-not-accepted"));
    }
    for (change, code) in cases {
        let fault = parent.apply(&change).await.unwrap_err();
        assert!(matches!(fault.class, Class::Rejected | Class::Unsupported), "{fault:?}");
        assert!(code.is_empty() || fault.code == code, "{fault:?}");
    }
    assert!(parent.web().is_none_or(|web| web.calls().is_empty()), "refused before any call");
    assert!(!parent.ns_set().await.contains(&name(NEW[0])));
}

pub async fn async_failure_is_told(parent: &dyn Parent) {
    let Some(web) = parent.web().filter(|_| parent.can().asynchronous) else { return };
    let before = parent.ns_set().await;
    web.fail_next();
    let applied = parent.apply(&parent.to_ns(NEW)).await.unwrap();
    let TaskStatus::Failed { reason } = parent.follow(&applied.task.unwrap()).await else {
        panic!("it ended well");
    };
    assert!(!reason.is_empty());
    assert_eq!(parent.ns_set().await, before);
    // The next attempt starts anew.
    parent.bring(&parent.to_ns(NEW)).await;
    parent.holds_ns(NEW).await;
}
