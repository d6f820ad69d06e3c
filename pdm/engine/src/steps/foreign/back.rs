//! The way back: the NS set that was there before, or none; then, when nobody can ask any more, the zone.

use std::collections::BTreeSet;

use pdm_model::handover::Write;
use pdm_model::{ConditionKind, Event, Status, StepKind, Ttl, Who, ZoneName};
use pdm_ports::registrar::{CurrentState, NsTarget, Operated, Place};
use pdm_ports::{Class, Fault};
use serde_json::json;

use super::{Change, before, change, done, edit, forget_instruction, look, may, not_yet, state, wait};
use crate::editor::place;
use crate::reconcile::drive::{Outcome, Work};

/// Every name that leads here, with those that were issued to prove the claim.
fn our_names(work: &Work) -> BTreeSet<ZoneName> {
    let engine = &work.engine;
    engine.settings.nameservers.iter().cloned().chain(engine.issued_names(&work.allocation)).collect()
}

/// NS as it was. It is enough that no parent server delegates here: wherever else a person led the name is theirs.
pub(in crate::steps) async fn return_delegation(work: &mut Work) -> Result<Outcome, Fault> {
    let step = StepKind::ReturnDelegation;
    let to = before(work).await?.to;
    let seen = look(work, &to).await?;
    let names = our_names(work);
    let here = seen.ns_sets().filter(|(set, _)| !set.is_disjoint(&names)).count();
    let all = seen.parents.len();
    let coming = {
        let memory = &state(work).memory;
        memory.wrote_ns.as_ref() == Some(&names)
            && memory.ns.iter().any(|n| n.set == names && n.written.is_some())
    };
    if here == 0 && !coming && seen.silent_parent().is_none() {
        forget_instruction(work);
        return Ok(done(json!({ "ns": work.allocation.observed.parent.ns })));
    }
    let progress = format!("{here} of {all} parent servers still delegate here.");
    if to.ns.is_empty()
        && matches!(place(&work.allocation), Place::RegistryApex { .. })
        && vendor(work).is_none()
    {
        let detail = format!(
            "nobody knows which nameservers were there before: set others at the registrar. {progress}"
        );
        return Ok(wait(work, step, "set-other-ns", detail, Who::Caller));
    }
    if let Err(why) = may(work, &Write::ChangeNs, &seen, &to) {
        if why.code == "not-served" {
            let detail = format!(
                "the nameservers from before no longer answer ({}): set others at the registrar, we keep answering and \
                 go on when no parent server delegates here. {progress}",
                why.detail
            );
            return Ok(wait(work, step, "old-servers-silent", detail, Who::Caller));
        }
        return Ok(not_yet(work, step, why));
    }
    let previous = state(work).previous.clone();
    let ttl = previous.as_ref().map_or(Ttl::new(3600), |p| p.ns.1);
    let glue = previous.map(|p| p.glue).unwrap_or_default();
    let target = vendor(work).unwrap_or(NsTarget::Names { names: to.ns.clone(), ttl, glue });
    let wanted = Change { ns: Some(target), ..change(work) };
    edit(work, step, wanted, progress).await
}

/// The vendor's own DNS, when that is what the domain used before.
fn vendor(work: &mut Work) -> Option<NsTarget> {
    let kept = state(work).previous.as_ref()?.vendor.clone()?;
    let kept: CurrentState = serde_json::from_value(kept).ok()?;
    match kept.operated {
        Operated::Vendor(kind) => Some(NsTarget::Vendor(kind)),
        Operated::Custom | Operated::Unknown => None,
    }
}

/// No parent server delegates here, and no cache can ask here.
pub(in crate::steps) async fn gone(work: &mut Work) -> Result<Outcome, Fault> {
    match nobody_asks(work).await? {
        Ok(()) => Ok(done(json!({ "memory": state(work).memory.ns }))),
        Err(why) => {
            // A delegation that is back is taken out again by the step before.
            let from_start = why.code == "still-delegated";
            let outcome = not_yet(work, StepKind::AwaitDelegationGone, why);
            Ok(match outcome {
                Outcome::Wait { reason, detail, who, again, .. } => {
                    Outcome::Wait { reason, detail, who, again, from_start }
                }
                other => other,
            })
        }
    }
}

async fn nobody_asks(work: &mut Work) -> Result<Result<(), pdm_model::handover::Unsafe>, Fault> {
    let to = before(work).await?.to;
    let seen = look(work, &to).await?;
    let names = our_names(work);
    Ok(may(work, &Write::RemoveZone(names), &seen, &to))
}

/// The zone out, if that is still safe in this moment.
pub(in crate::steps) async fn remove_zone(work: &mut Work) -> Result<Outcome, Fault> {
    if let Err(why) = nobody_asks(work).await? {
        let outcome = not_yet(work, StepKind::RemoveZone, why);
        return Ok(match outcome {
            Outcome::Wait { reason, detail, who, again, .. } => {
                Outcome::Wait { reason, detail, who, again, from_start: true }
            }
            other => other,
        });
    }
    let engine = work.engine.clone();
    let name = work.allocation.fqdn.clone();
    let zone = match engine.parts.zones.remove_zone(&name, &work.allocation.id).await {
        Ok(()) => "removed",
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
    for kind in [ConditionKind::ZonePublished, ConditionKind::DelegationVisible, ConditionKind::ChainSecure] {
        work.set(kind, Status::False, "released", "");
    }
    Ok(done(json!({ "zone": zone })))
}

/// The credential is of no more use.
pub(in crate::steps) async fn forget_credential(work: &mut Work) -> Result<Outcome, Fault> {
    work.engine.vault.forget(&work.allocation.id).await?;
    work.engine.parts.store.forget_credential(&work.allocation.id).await?;
    // Should the name come back, what stands at the parent then is what it goes back to.
    let foreign = state(work);
    foreign.previous = None;
    foreign.plan = None;
    foreign.memory.wrote_ns = None;
    foreign.memory.wrote_ds = None;
    Ok(Outcome::Done {
        evidence: json!({ "credential": "forgotten" }),
        event: Some(Event::Removed),
        also: None,
    })
}
