//! DS out of the parent: all of it before a removal, or the part that matches no key.
//!
//! A DS without its key makes the name bogus for every validating resolver, so it goes out before anything else is
//! mended, and the TTL that was seen is remembered for the wait.

use std::collections::BTreeSet;

use pdm_model::{OperationKind, Ttl};
use pdm_ports::{Class, DelegationChange, Fault};
use serde_json::json;

use super::ensure_parent::apply;
use crate::reconcile::drive::{Outcome, Work};

pub(super) async fn stale(work: &mut Work) -> Result<Outcome, Fault> {
    // A name that never had a DS from us has none to withdraw; a foreign one is refused by the parent's writer.
    if work.operation.kind == OperationKind::Commit && work.allocation.observed.ds.is_empty() {
        must_not_be_delegated_elsewhere(work).await?;
        return Ok(Outcome::Nothing);
    }
    let engine = work.engine.clone();
    let name = work.allocation.fqdn.clone();
    let there = engine.parts.parent.observe(&name).await?;
    work.allocation.observed.parent = there.clone();
    if there.ds.is_empty() {
        return Ok(Outcome::Nothing);
    }
    let keys = engine.parts.zones.read_keys(&name).await?;
    if crate::keys::vouched(&name, &there.ds, keys.as_deref().unwrap_or_default()) {
        // One matching DS keeps the chain whole; the next step writes the exact set.
        return Ok(Outcome::Nothing);
    }
    remember_ttl(work, there.ds_ttl).await;
    let ttl = work.allocation.observed.ds_ttl_seen.unwrap_or(Ttl::new(0));
    apply(work, DelegationChange { ns: None, ds: Some((BTreeSet::new(), ttl)), mark: work.operation.seq })
        .await?;
    let now = work.now();
    let observed = &mut work.allocation.observed;
    observed.parent.ds.clear();
    observed.ds_last_seen = Some(now);
    let safe = now + observed.dnskey_ttl.unwrap_or(Ttl::new(0)).wait();
    observed.ds_not_before = Some(observed.ds_not_before.map_or(safe, |old| old.max(safe)));
    Ok(Outcome::Done { evidence: json!({ "withdrawn": there.ds }), event: None, also: None })
}

/// A name that the pool delegates to other servers is not ours to lend. This has to be seen before our zone exists:
/// afterwards its mark would vouch for the delegation.
async fn must_not_be_delegated_elsewhere(work: &Work) -> Result<(), Fault> {
    let there = work.engine.parts.parent.observe_lately(&work.allocation.fqdn).await?;
    let ours = work.engine.settings.nameservers.iter().cloned().collect();
    if there.ns.is_empty() && there.ds.is_empty() || there.ns == ours {
        return Ok(());
    }
    let detail = format!("the pool delegates this name already, to {:?}", there.ns);
    Err(Fault::new(Class::NotOurs, "delegated-elsewhere", detail))
}

pub(super) async fn all(work: &mut Work) -> Result<Outcome, Fault> {
    let engine = work.engine.clone();
    let there = engine.parts.parent.observe(&work.allocation.fqdn).await?;
    work.allocation.observed.parent = there.clone();
    remember_ttl(work, there.ds_ttl).await;
    crate::keys::tell(work, pdm_dnssec::roll::Cds::Off).await?;
    if there.ds.is_empty() {
        return Ok(Outcome::Done { evidence: json!({ "withdrawn": [] }), event: None, also: None });
    }
    let ttl = work.allocation.observed.ds_ttl_seen.unwrap_or(Ttl::new(0));
    apply(work, DelegationChange { ns: None, ds: Some((BTreeSet::new(), ttl)), mark: work.operation.seq })
        .await?;
    work.allocation.observed.parent.ds.clear();
    work.allocation.observed.ds_last_seen = Some(work.now());
    let evidence = json!({ "withdrawn": there.ds, "ttl": ttl });
    Ok(Outcome::Done { evidence, event: None, also: None })
}

/// The largest DS TTL seen anywhere: in the parent where it is edited, and in every server's answer.
async fn remember_ttl(work: &mut Work, edited: Option<Ttl>) {
    let engine = work.engine.clone();
    let served = engine.parts.probe.ds(&work.allocation.fqdn, &engine.settings.servers).await;
    let served = served.iter().filter_map(|s| s.ds.as_ref().and_then(|(_, ttl)| *ttl)).max();
    let seen = &mut work.allocation.observed.ds_ttl_seen;
    *seen = (*seen).max(edited).max(served);
}
