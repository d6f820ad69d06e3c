//! DS: that of the servers before out and waited for, ours in and seen.

use std::collections::BTreeSet;

use pdm_model::handover::{Operator, Write, matches_key};
use pdm_model::{StepKind, Ttl, Who};
use pdm_ports::Fault;
use serde_json::json;

use super::{
    Change, before, change, done, ds_entries, edit, forget_instruction, look, may, not_yet, ours, pause,
};
use crate::reconcile::drive::{Outcome, Work};

/// The DS of the servers before goes out, while they still answer.
pub(in crate::steps) async fn withdraw_foreign(work: &mut Work) -> Result<Outcome, Fault> {
    let to = ours(work);
    withdraw(work, StepKind::WithdrawForeignDs, &to).await
}

/// Every DS that the destination of a release does not match goes out.
pub(in crate::steps) async fn withdraw_all(work: &mut Work) -> Result<Outcome, Fault> {
    let to = before(work);
    withdraw(work, StepKind::WithdrawDelegationDs, &to).await
}

async fn withdraw(work: &mut Work, step: StepKind, to: &Operator) -> Result<Outcome, Fault> {
    let seen = look(work, to).await?;
    let (with, all) = seen.with_ns(&to.ns);
    let settled = with == all && !to.ds.is_empty();
    let foreign: BTreeSet<_> = seen
        .ds_records()
        .map(|(ds, _)| ds.clone())
        .filter(|ds| !settled && !matches_key(ds, &to.ds))
        .collect();
    let answered = seen.parents.iter().filter(|p| p.ds.is_some()).count();
    // What we asked for and nobody shows yet may still come; taking it out again has the last word.
    let coming = super::state(work)
        .memory
        .ds
        .iter()
        .any(|d| d.written.is_some() && !d.ds.as_ref().is_some_and(|ds| matches_key(ds, &to.ds)))
        && super::state(work).memory.wrote_ds.as_ref().is_some_and(|set| !set.is_empty());
    if foreign.is_empty() && !coming {
        if answered < all || all == 0 {
            let detail = format!("{answered} of {all} parent servers answer about DS");
            return Ok(super::wait(work, step, "parent-silent", detail, Who::Nobody));
        }
        forget_instruction(work);
        return Ok(done(json!({ "ds": [] })));
    }
    let wanted = Change { ds: Some((BTreeSet::new(), Ttl::new(0))), ..change(work) };
    let clear = seen.parents.iter().filter(|p| p.ds.as_ref().is_some_and(|(set, _)| set.is_empty())).count();
    edit(work, step, wanted, format!("{clear} of {all} parent servers answer without it.")).await
}

/// No cache holds the DS of the servers before.
pub(in crate::steps) async fn foreign_gone(work: &mut Work) -> Result<Outcome, Fault> {
    let to = ours(work);
    gone(work, StepKind::AwaitForeignDsGone, &to).await
}

/// No cache holds a DS that the destination of a release does not match.
pub(in crate::steps) async fn all_gone(work: &mut Work) -> Result<Outcome, Fault> {
    let to = Operator::default();
    gone(work, StepKind::AwaitDelegationDsGone, &to).await
}

async fn gone(work: &mut Work, step: StepKind, to: &Operator) -> Result<Outcome, Fault> {
    let seen = look(work, to).await?;
    let (with, all) = seen.with_ns(&to.ns);
    if with == all && all > 0 && !to.ns.is_empty() {
        return Ok(Outcome::Nothing);
    }
    match may(work, &Write::ChangeNs, &seen, to) {
        Ok(()) => Ok(done(json!({ "memory": super::state(work).memory.ds }))),
        Err(why) => Ok(not_yet(work, step, why)),
    }
}

/// Our DS in the parent.
pub(in crate::steps) async fn ensure(work: &mut Work) -> Result<Outcome, Fault> {
    let step = StepKind::EnsureDelegationDs;
    let to = ours(work);
    let seen = look(work, &to).await?;
    let (with, all) = seen.with_ds(&to.ds);
    if with == all && all > 0 {
        forget_instruction(work);
        return Ok(done(json!({ "ds": to.ds, "parentServers": all })));
    }
    if let Some(until) = work.allocation.observed.ds_not_before.filter(|until| *until > work.now()) {
        let detail = format!("caches may hold the keys of an earlier zone of this name until {until}");
        let again = until.since(work.now());
        let reason = "old-keys-cached".to_owned();
        return Ok(Outcome::Wait { reason, detail, who: Who::Nobody, again, from_start: false });
    }
    if let Err(why) = may(work, &Write::PublishDs, &seen, &to) {
        return Ok(not_yet(work, step, why));
    }
    let ttl = work.engine.pool_of(&work.allocation)?.ttls.parent_ds;
    let wanted = Change { ds: Some((ds_entries(work).await?, ttl)), ..change(work) };
    edit(work, step, wanted, format!("{with} of {all} parent servers answer with it.")).await
}

/// Every parent server answers our DS.
pub(in crate::steps) async fn visible(work: &mut Work) -> Result<Outcome, Fault> {
    let step = StepKind::AwaitDelegationDs;
    let to = ours(work);
    let seen = look(work, &to).await?;
    let (with, all) = seen.with_ds(&to.ds);
    if with == all && all > 0 {
        let observed = &mut work.allocation.observed;
        observed.ds_ttl_seen = observed.ds_ttl_seen.max(observed.parent.ds_ttl);
        observed.ds_not_before = None;
        return Ok(done(json!({ "parentServers": all })));
    }
    let detail = format!("{with} of {all} parent servers answer with our DS");
    let (looks, _) = super::patience(work, step);
    let from_start = looks % super::DOUBT == super::DOUBT - 1;
    let again = pause(work, step);
    Ok(Outcome::Wait { reason: "ds-not-visible".into(), detail, who: Who::Nobody, again, from_start })
}
