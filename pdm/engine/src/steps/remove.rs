//! NS out of the parent and the zone out, back to back, because the same servers carry both.
//!
//! If the process died in between, the next run finds the NS gone already and removes the zone.

use std::collections::BTreeSet;

use pdm_model::{ConditionKind, Event, Status, Ttl};
use pdm_ports::{Class, DelegationChange, Fault};
use serde_json::json;

use super::ensure_parent::apply;
use crate::reconcile::drive::{Outcome, Work};

pub(super) async fn run(work: &mut Work) -> Result<Outcome, Fault> {
    let engine = work.engine.clone();
    let name = work.allocation.fqdn.clone();
    let none = |ttl: Option<Ttl>| ttl.unwrap_or(Ttl::new(0));
    let parent = work.allocation.observed.parent.clone();
    let change = DelegationChange {
        ns: Some((BTreeSet::new(), none(parent.ns_ttl))),
        ds: Some((BTreeSet::new(), none(parent.ds_ttl))),
        mark: work.operation.seq,
    };
    apply(work, change).await?;
    let zone = match engine.parts.zones.remove_zone(&name, &work.allocation.id).await {
        Ok(()) => "removed",
        // Somebody else's zone under our old name is theirs. Our delegation to it is gone, and that is all we may do.
        Err(fault) if fault.class == Class::NotOurs => "not ours, left",
        Err(fault) => return Err(fault),
    };
    engine.parts.zones.flush(&name).await?;
    let now = work.now();
    work.allocation.forget_failover();
    let observed = &mut work.allocation.observed;
    observed.ds_not_before = Some(now + observed.dnskey_ttl.unwrap_or(Ttl::new(0)).wait());
    observed.ds.clear();
    observed.serial = None;
    observed.keys = pdm_model::KeyState::default();
    observed.ds_last_seen = None;
    observed.parent.ns.clear();
    observed.parent.ds.clear();
    for kind in [ConditionKind::ZonePublished, ConditionKind::DelegationVisible, ConditionKind::ChainSecure] {
        work.set(kind, Status::False, "released", "");
    }
    Ok(Outcome::Done { evidence: json!({ "zone": zone }), event: Some(Event::Removed), also: None })
}
