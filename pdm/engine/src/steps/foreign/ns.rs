//! The first look, and NS: asked for, seen at every parent server, and the servers before out of every cache.

use pdm_model::handover::{Case, Write, plan};
use pdm_model::{ConditionKind, Refusal, Status, StepKind, Who};
use pdm_ports::registrar::NsTarget;
use pdm_ports::{Class, Fault};
use serde_json::json;

use super::{
    change, done, edit, forget_instruction, look, may, not_yet, ours, pause, read_vendor, state, wait,
};
use crate::reconcile::drive::{Outcome, Work};

/// Read what is there, keep it for the way back, and say what cannot work before anything is written.
pub(in crate::steps) async fn look_at_parent(work: &mut Work) -> Result<Outcome, Fault> {
    let step = StepKind::LookAtParent;
    // The keys come with the zone; until then a key that matches nothing stands for them.
    let to = work.engine.destination(&work.allocation.observed.ds);
    let seen = look(work, &to).await?;
    let vendor = match read_vendor(work).await {
        Ok(vendor) => vendor,
        Err(fault) if fault.class == Class::Credential => {
            return Ok(wait(work, step, fault.code, fault.detail, Who::Caller));
        }
        Err(fault) => return Err(fault),
    };
    let ability = super::editor(work)?.ability(&work.engine, &work.allocation, vendor.as_ref())?;
    let name = work.allocation.fqdn.clone();
    match plan(&name, &Case { look: &seen, memory: &state(work).memory, to: &to }, &ability) {
        Ok(planned) => {
            let evidence = json!({ "ns": work.allocation.observed.parent.ns, "ds": work.allocation.observed.parent.ds, "plan": planned });
            state(work).plan = Some(planned);
            Ok(done(evidence))
        }
        Err(Refusal { code, detail, .. }) => {
            let who = if code == "parent-unknown" { Who::Nobody } else { Who::Caller };
            Ok(wait(work, step, code, detail, who))
        }
    }
}

/// Every nameserver answers for the zone, with its NS set and keys, before anything points to it.
pub(in crate::steps) async fn authoritative(work: &mut Work) -> Result<Outcome, Fault> {
    let to = ours(work);
    let servers = work.engine.settings.servers.clone();
    let seen = work.engine.parts.walk.child(&work.allocation.fqdn, &servers).await;
    let right = |s: &pdm_ports::walk::ChildAnswer| {
        s.authoritative
            && s.ns.as_ref().is_some_and(|(set, _)| *set == to.ns)
            && s.keys.as_ref().is_some_and(|(keys, _)| keys.is_superset(&to.ds))
    };
    match seen.iter().find(|s| !right(s)) {
        None if !seen.is_empty() => Ok(done(json!({ "servers": seen.len() }))),
        lacking => {
            let who = lacking.map_or("no nameserver".to_owned(), |s| super::called(&s.server));
            let detail = format!("{who} does not answer for the zone, with its NS set and keys, yet");
            let (looks, _) = super::patience(work, StepKind::AwaitAuthoritative);
            let again = crate::reconcile::backoff::doubled(
                std::time::Duration::from_millis(100),
                std::time::Duration::from_secs(15),
                looks,
            );
            let who = if looks > 8 { Who::Operator } else { Who::Nobody };
            Ok(Outcome::Wait { reason: "not-served".into(), detail, who, again, from_start: looks % 8 == 7 })
        }
    }
}

/// NS in the parent.
pub(in crate::steps) async fn ensure(work: &mut Work) -> Result<Outcome, Fault> {
    let step = StepKind::EnsureDelegation;
    let to = ours(work);
    let seen = look(work, &to).await?;
    let (with, all) = seen.with_ns(&to.ns);
    if with == all && all > 0 {
        forget_instruction(work);
        return Ok(done(json!({ "ns": to.ns, "parentServers": all })));
    }
    if let Err(why) = may(work, &Write::ChangeNs, &seen, &to) {
        return Ok(not_yet(work, step, why));
    }
    if with == 0
        && let Some(outcome) = super::carry::undone(work).await?
    {
        return Ok(outcome);
    }
    let ttl = work.engine.pool_of(&work.allocation)?.ttls.parent_ns;
    let glue = std::collections::BTreeMap::new();
    let wanted =
        super::Change { ns: Some(NsTarget::Names { names: to.ns.clone(), ttl, glue }), ..change(work) };
    edit(work, step, wanted, format!("{with} of {all} parent servers answer with them.")).await
}

/// Every parent server delegates here.
pub(in crate::steps) async fn delegated(work: &mut Work) -> Result<Outcome, Fault> {
    let step = StepKind::AwaitDelegation;
    let to = ours(work);
    let seen = look(work, &to).await?;
    let (with, all) = seen.with_ns(&to.ns);
    if with == all && all > 0 {
        work.set(ConditionKind::DelegationVisible, Status::True, "delegated", "");
        return Ok(done(json!({ "parentServers": all })));
    }
    let detail = format!("{with} of {all} parent servers answer with the new nameservers");
    work.set(ConditionKind::DelegationVisible, Status::False, "not-delegated", detail.clone());
    let (looks, _) = super::patience(work, step);
    let from_start = looks % super::DOUBT == super::DOUBT - 1;
    let again = pause(work, step);
    Ok(Outcome::Wait { reason: "not-delegated".into(), detail, who: Who::Nobody, again, from_start })
}

/// No cache holds anything of the servers before.
pub(in crate::steps) async fn old_out(work: &mut Work) -> Result<Outcome, Fault> {
    let to = ours(work);
    if to.ds.is_empty() && work.allocation.observed.keys.insecure {
        // No DS is to follow, so nobody has to be rid of anything.
        return Ok(Outcome::Nothing);
    }
    let seen = look(work, &to).await?;
    match may(work, &Write::PublishDs, &seen, &to) {
        Ok(()) => Ok(done(json!({ "memory": state(work).memory.ns }))),
        Err(why) => Ok(not_yet(work, StepKind::AwaitOldCaches, why)),
    }
}
