//! NS and DS in the parent.
//!
//! Where the same servers carry parent and child, a served child without its NS in the parent is bogus for validating
//! resolvers, so NS is written at once; DS goes into the same change when every server already answers the child's
//! DNSKEY, and waits for them otherwise. The precondition of a DS is looked at in the moment of writing it.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_model::{ConditionKind, DsRecord, Status, StepKind, Ttl, ZoneName};
use pdm_ports::probe::KeysSeen;
use pdm_ports::{DelegationChange, Fault};
use serde_json::json;

use super::called;
use crate::reconcile::backoff::doubled;
use crate::reconcile::drive::{Outcome, Work};

pub(super) async fn ns(work: &mut Work) -> Result<Outcome, Fault> {
    let ttls = work.engine.pool_of(&work.allocation)?.ttls;
    let ns: BTreeSet<ZoneName> = work.engine.settings.nameservers.iter().cloned().collect();
    let ds = match may_publish_ds(work).await {
        Ok(ds) => Some((ds, ttls.parent_ds)),
        Err(_) => None,
    };
    let change =
        DelegationChange { ns: Some((ns.clone(), ttls.parent_ns)), ds: ds.clone(), mark: work.operation.seq };
    apply(work, change).await?;
    let parent = &mut work.allocation.observed.parent;
    parent.ns = ns;
    parent.ns_ttl = Some(ttls.parent_ns);
    work.set(ConditionKind::DelegationVisible, Status::True, "delegated", "");
    let with_ds = ds.is_some();
    if let Some((ds, ttl)) = ds {
        seen_in_parent(work, ds, ttl);
    }
    let evidence =
        json!({ "ns": work.allocation.observed.parent.ns, "ds": work.allocation.observed.parent.ds });
    Ok(Outcome::Done { evidence, event: None, also: with_ds.then_some(StepKind::EnsureParentDs) })
}

pub(super) async fn ds(work: &mut Work) -> Result<Outcome, Fault> {
    let ttls = work.engine.pool_of(&work.allocation)?.ttls;
    let attempts =
        work.operation.steps.iter().find(|s| s.kind == StepKind::EnsureParentDs).map_or(0, |s| s.attempts);
    let ds = match may_publish_ds(work).await {
        Ok(ds) => ds,
        Err((reason, detail, until)) => {
            let again = until.unwrap_or(doubled(Duration::from_millis(50), Duration::from_secs(5), attempts));
            let who = pdm_model::Who::Nobody;
            return Ok(Outcome::Wait {
                reason: reason.to_owned(),
                detail,
                who,
                again,
                from_start: attempts % 8 == 7,
            });
        }
    };
    let change =
        DelegationChange { ns: None, ds: Some((ds.clone(), ttls.parent_ds)), mark: work.operation.seq };
    apply(work, change).await?;
    seen_in_parent(work, ds, ttls.parent_ds);
    Ok(Outcome::Done {
        evidence: json!({ "ds": work.allocation.observed.parent.ds }),
        event: None,
        also: None,
    })
}

fn seen_in_parent(work: &mut Work, ds: BTreeSet<DsRecord>, ttl: Ttl) {
    let observed = &mut work.allocation.observed;
    observed.parent.ds = ds;
    observed.parent.ds_ttl = Some(ttl);
    observed.ds_ttl_seen = observed.ds_ttl_seen.max(Some(ttl));
    observed.ds_last_seen = None;
    observed.ds_not_before = None;
}

pub(super) async fn apply(work: &Work, change: DelegationChange) -> Result<(), Fault> {
    work.engine.parts.parent.apply(&work.allocation.fqdn, change, work.lease_end).await
}

/// The DS set, if every server answers the keys it names now and no cache can hold older ones.
async fn may_publish_ds(
    work: &mut Work,
) -> Result<BTreeSet<DsRecord>, (&'static str, String, Option<Duration>)> {
    let wanted: BTreeSet<DsRecord> = work.allocation.observed.ds.iter().cloned().collect();
    let now = work.now();
    if let Some(until) = work.allocation.observed.ds_not_before.filter(|until| *until > now) {
        let detail = format!("caches may hold the keys of an earlier zone of this name until {until}");
        return Err(("old-keys-cached", detail, Some(until.since(now))));
    }
    let engine = work.engine.clone();
    let seen = engine.parts.probe.keys(&work.allocation.fqdn, &engine.settings.servers).await;
    work.allocation.observed.dnskey_ttl =
        seen.iter().filter_map(|s| s.ttl).max().or(work.allocation.observed.dnskey_ttl);
    match seen.iter().find(|s| !answers(s, &wanted)) {
        None if !seen.is_empty() && !wanted.is_empty() => Ok(wanted),
        None => Err(("keys-not-served", "no server to ask".to_owned(), None)),
        Some(lacking) => {
            let what = if lacking.ds_of_keys.is_some() {
                "answers other keys"
            } else {
                "does not answer for the zone"
            };
            Err(("keys-not-served", format!("{} {what}", called(&lacking.server)), None))
        }
    }
}

fn answers(seen: &KeysSeen, wanted: &BTreeSet<DsRecord>) -> bool {
    seen.ds_of_keys.as_ref().is_some_and(|keys| keys.is_superset(wanted))
}
