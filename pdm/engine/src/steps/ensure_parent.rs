//! NS and DS in the parent.
//!
//! Where the same servers carry parent and child, a served child without its NS in the parent is bogus for validating
//! resolvers, so NS is written at once; DS goes into the same change when every server already answers the child's
//! DNSKEY, and waits for them otherwise. The precondition of a DS is looked at in the moment of writing it.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_dnssec::Name;
use pdm_model::{ConditionKind, DsRecord, Status, StepKind, Ttl, ZoneName};
use pdm_ports::{DelegationChange, Fault, ZoneKey};
use serde_json::json;

use super::called;
use crate::reconcile::backoff::doubled;
use crate::reconcile::drive::{Outcome, Work};

pub(super) async fn ns(work: &mut Work) -> Result<Outcome, Fault> {
    let ttls = work.engine.pool_of(&work.allocation)?.ttls;
    let ns: BTreeSet<ZoneName> = work.engine.settings.nameservers.iter().cloned().collect();
    let ds = match may_publish_ds(work).await {
        Ok(ds) => Some((ds, work.engine.ds_ttl(&work.allocation, work.now())?)),
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
        tell_scanning_parents(work).await?;
        seen_in_parent(work, ds, ttl);
    }
    let evidence =
        json!({ "ns": work.allocation.observed.parent.ns, "ds": work.allocation.observed.parent.ds });
    Ok(Outcome::Done { evidence, event: None, also: with_ds.then_some(StepKind::EnsureParentDs) })
}

pub(super) async fn ds(work: &mut Work) -> Result<Outcome, Fault> {
    let ttl = work.engine.ds_ttl(&work.allocation, work.now())?;
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
    let change = DelegationChange { ns: None, ds: Some((ds.clone(), ttl)), mark: work.operation.seq };
    apply(work, change).await?;
    tell_scanning_parents(work).await?;
    seen_in_parent(work, ds, ttl);
    Ok(Outcome::Done {
        evidence: json!({ "ds": work.allocation.observed.parent.ds }),
        event: None,
        also: None,
    })
}

/// In a roll the stage says what they are told.
async fn tell_scanning_parents(work: &Work) -> Result<(), Fault> {
    if work.allocation.observed.keys.roll.is_some() || work.allocation.observed.keys.insecure {
        return Ok(());
    }
    crate::keys::tell(work, pdm_dnssec::roll::Cds::Publish).await
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
    let name = work.allocation.fqdn.clone();
    if wanted.is_empty() && work.allocation.observed.keys.insecure {
        return Ok(wanted);
    }
    let held = match work.keys_lately() {
        Some(keys) => keys,
        None => {
            let held = engine.parts.zones.read_keys(&name).await;
            held.map_err(|fault| (fault.code, fault.detail, None))?.unwrap_or_default()
        }
    };
    let vouched = vouched_keys(&name, &wanted, &held);
    let seen = engine.parts.probe.key_views(&name, &engine.settings.servers).await;
    work.allocation.observed.dnskey_ttl = seen
        .iter()
        .filter_map(|s| s.keys.as_ref().map(|(_, ttl)| *ttl))
        .max()
        .or(work.allocation.observed.dnskey_ttl);
    let until = crate::keys::signatures_until(&seen);
    work.allocation.observed.keys.signatures_until = until.or(work.allocation.observed.keys.signatures_until);
    match seen.iter().find(|s| !s.keys.as_ref().is_some_and(|(keys, _)| keys.is_superset(&vouched))) {
        None if !seen.is_empty() && !wanted.is_empty() && !vouched.is_empty() => Ok(wanted),
        None => Err(("keys-not-served", "no server to ask, or no key behind the DS".to_owned(), None)),
        Some(lacking) => {
            let what =
                if lacking.keys.is_some() { "answers other keys" } else { "does not answer for the zone" };
            Err(("keys-not-served", format!("{} {what}", called(&lacking.server)), None))
        }
    }
}

/// The keys behind a DS set that are published: those every server must answer. A roll may announce the DS of one that
/// is not published yet, beside another.
fn vouched_keys(name: &ZoneName, ds: &BTreeSet<DsRecord>, held: &[ZoneKey]) -> BTreeSet<String> {
    let zone = Name::from(name);
    let published = crate::keys::held(held).into_iter().filter(|key| key.published).map(|key| key.dnskey);
    published.filter(|key| ds.iter().any(|ds| key.matches(&zone, ds))).map(|key| key.to_string()).collect()
}
