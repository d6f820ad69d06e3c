//! DS: that of the servers before out and waited for, ours in and seen; and whatever a roll of keys asks for.

use std::collections::BTreeSet;

use pdm_dnssec::roll::Cds;
use pdm_dnssec::{DsDigest, Name};
use pdm_model::handover::{Look, Operator, ParentSight, Write, matches_key};
use pdm_model::{DsRecord, StepKind, Ttl, Who};
use pdm_ports::Fault;
use serde_json::json;

use super::{
    Change, before, change, done, ds_entries, edit, forget_instruction, look, may, not_yet, ours, pause,
};
use crate::reconcile::drive::{Outcome, Work};

/// The DS of the servers before goes out, while they still answer.
pub(in crate::steps) async fn withdraw_foreign(work: &mut Work) -> Result<Outcome, Fault> {
    let to = ours(work);
    let seen = look(work, &to).await?;
    if left_to_roll(work, &seen) {
        return Ok(Outcome::Nothing);
    }
    let (with, all) = seen.with_ns(&to.ns);
    // Where NS leads here already, our DS takes the place of whatever stands there.
    let settled = with == all && !to.ds.is_empty();
    withdraw(work, StepKind::WithdrawForeignDs, &seen, &to, |_| settled).await
}

/// Every DS that the destination of a release does not match goes out.
pub(in crate::steps) async fn withdraw_all(work: &mut Work) -> Result<Outcome, Fault> {
    // Whoever scans would put back what is taken out here; who does nothing else is told to take it out.
    let scanned = work.engine.key_policy(&work.allocation)?.scanned;
    crate::keys::tell(work, if scanned { Cds::Delete } else { Cds::Off }).await?;
    crate::keys::signal(work, false).await?;
    let to = before(work).await?.to;
    let seen = look(work, &to).await?;
    let returned = returned(&seen, &to);
    let recorded = super::state(work).previous.as_ref().map(|p| p.ds.clone()).unwrap_or_default();
    // What stood there before us stays with the servers that it stood for, whatever they answer now.
    withdraw(work, StepKind::WithdrawDelegationDs, &seen, &to, |ds| returned && recorded.contains(ds)).await
}

/// Every parent server delegates to the servers from before.
fn returned(seen: &Look, to: &Operator) -> bool {
    let (with, all) = seen.with_ns(&to.ns);
    with == all && all > 0 && !to.ns.is_empty()
}

async fn withdraw(
    work: &mut Work,
    step: StepKind,
    seen: &Look,
    to: &Operator,
    stays: impl Fn(&DsRecord) -> bool + Send,
) -> Result<Outcome, Fault> {
    let all = seen.parents.len();
    let foreign: BTreeSet<_> = seen
        .ds_records()
        .map(|(ds, _)| ds.clone())
        .filter(|ds| !stays(ds) && !matches_key(ds, &to.ds))
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

/// Whether the parent reads in our zone what this step wants of its DS. What the servers before have to say about theirs
/// is not for us to publish.
pub(super) fn is_scanned(work: &Work, step: StepKind) -> Result<bool, Fault> {
    let ours =
        matches!(step, StepKind::EnsureDelegationDs | StepKind::WithdrawDelegationDs | StepKind::RollKeys);
    Ok(ours && work.engine.key_policy(&work.allocation)?.scanned)
}

/// The zone says it, and the parent is told that it does; nobody else has to act.
pub(super) async fn by_scan(
    work: &mut Work,
    step: StepKind,
    change: &Change,
    progress: String,
) -> Result<Outcome, Fault> {
    forget_instruction(work);
    let set_of = |entries: &BTreeSet<super::DsEntry>| entries.iter().map(|entry| entry.ds.clone()).collect();
    let wanted: Option<BTreeSet<DsRecord>> = change.ds.as_ref().map(|(entries, _)| set_of(entries));
    if super::state(work).memory.wrote_ds != wanted {
        super::note_write(work, change);
    }
    let name = work.allocation.fqdn.clone();
    if let Some(signing) = work.engine.parts.zones.read_signing(&name).await? {
        crate::keys::announce(work, &signing).await?;
    }
    let detail = format!("the parent of {name} reads CDS, and changes the DS once it has. {progress}");
    Ok(super::wait(work, step, "ds-scanned", detail, Who::Nobody))
}

/// No cache holds the DS of the servers before.
pub(in crate::steps) async fn foreign_gone(work: &mut Work) -> Result<Outcome, Fault> {
    let to = ours(work);
    let seen = look(work, &to).await?;
    Ok(gone(work, StepKind::AwaitForeignDsGone, &seen, &to))
}

/// No cache holds a DS that the destination of a release does not match.
pub(in crate::steps) async fn all_gone(work: &mut Work) -> Result<Outcome, Fault> {
    let to = before(work).await?.to;
    let seen = look(work, &to).await?;
    // Whether those servers answer is asked when NS changes.
    let to = if returned(&seen, &to) { to } else { Operator { ns: BTreeSet::new(), ..to } };
    Ok(gone(work, StepKind::AwaitDelegationDsGone, &seen, &to))
}

fn gone(work: &mut Work, step: StepKind, seen: &Look, to: &Operator) -> Outcome {
    if returned(seen, to) {
        return Outcome::Nothing;
    }
    match may(work, &Write::ChangeNs, seen, to) {
        Ok(()) => done(json!({ "memory": super::state(work).memory.ds })),
        Err(why) => not_yet(work, step, why),
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
    if left_to_roll(work, &seen) {
        return Ok(done(json!({ "ds": work.allocation.observed.parent.ds, "leftTo": "roll" })));
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
    if work.allocation.observed.keys.roll.is_none() {
        crate::keys::tell(work, Cds::Publish).await?;
        // A parent that has a DS believes the zone itself.
        let none = seen.parents.iter().all(|p| p.ds.as_ref().is_some_and(|(set, _)| set.is_empty()));
        crate::keys::signal(work, none).await?;
    }
    if let Some(signing) = work.engine.parts.zones.read_signing(&work.allocation.fqdn.clone()).await? {
        crate::keys::announce(work, &signing).await?;
    }
    let ttl = work.engine.pool_of(&work.allocation)?.ttls.parent_ds;
    let wanted = Change { ds: Some((ds_entries(work, &to.ds).await?, ttl)), ..change(work) };
    edit(work, step, wanted, format!("{with} of {all} parent servers answer with it.")).await
}

/// A roll is under way, and every parent server answers with a DS of one of its keys: nothing is bogus, and which DS is
/// to stand there is for the roll to say. So a repair never waits for what a roll waits for.
fn left_to_roll(work: &Work, seen: &Look) -> bool {
    let Some(roll) = &work.allocation.observed.keys.roll else { return false };
    let name = &work.allocation.fqdn;
    let of_roll =
        |p: &ParentSight| p.ds.as_ref().is_some_and(|(set, _)| crate::keys::of_roll(name, roll, set));
    !seen.parents.is_empty() && seen.parents.iter().all(of_roll)
}

/// The DS set that a stage of a roll calls for. Done means asked for, or seen everywhere; the roll looks again.
pub(in crate::steps) async fn replace(
    work: &mut Work,
    wanted: &BTreeSet<DsRecord>,
) -> Result<Outcome, Fault> {
    let step = StepKind::RollKeys;
    // A roll may announce a key that is not published yet; what is published has to be served.
    let name = work.allocation.fqdn.clone();
    let held = work.engine.parts.zones.read_keys(&name).await?.unwrap_or_default();
    let published = crate::keys::held(&held).into_iter().filter(|key| key.published);
    let published = published.map(|key| key.dnskey.ds(&Name::from(&name), DsDigest::Sha256));
    let to = Operator { ds: published.filter(|ds| wanted.contains(ds)).collect(), ..ours(work) };
    let seen = look(work, &to).await?;
    let (with, all) = seen.with_ds(wanted);
    if with == all && all > 0 {
        forget_instruction(work);
        return Ok(done(json!({ "ds": wanted, "parentServers": all })));
    }
    let write = if wanted.is_empty() { Write::WithdrawDs } else { Write::PublishDs };
    if let Err(why) = may(work, &write, &seen, &to) {
        return Ok(not_yet(work, step, why));
    }
    let progress = format!("{with} of {all} parent servers answer so.");
    let (looks, _) = super::patience(work, step);
    let scanned = is_scanned(work, step)?;
    if !scanned && under_way(work, wanted) && looks % super::DOUBT != super::DOUBT - 1 {
        return Ok(super::wait(work, step, "ds-not-visible", progress, Who::Nobody));
    }
    let ttl = work.engine.pool_of(&work.allocation)?.ttls.parent_ds;
    let change = Change { ds: Some((ds_entries(work, wanted).await?, ttl)), ..change(work) };
    edit(work, step, change, progress).await
}

/// We wrote this set, and not every parent server shows it yet.
fn under_way(work: &mut Work, wanted: &BTreeSet<DsRecord>) -> bool {
    let state = super::state(work);
    let coming = |d: &pdm_model::handover::DsSeen| {
        d.written.is_some() && d.ds.as_ref().is_some_and(|ds| wanted.contains(ds))
    };
    state.task.is_none()
        && state.memory.wrote_ds.as_ref() == Some(wanted)
        && state.memory.ds.iter().any(coming)
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
        crate::keys::signal(work, false).await?;
        return Ok(done(json!({ "parentServers": all })));
    }
    if left_to_roll(work, &seen) {
        return Ok(done(json!({ "leftTo": "roll" })));
    }
    let detail = format!("{with} of {all} parent servers answer with our DS");
    let (looks, _) = super::patience(work, step);
    let from_start = looks % super::DOUBT == super::DOUBT - 1;
    let again = pause(work, step);
    Ok(Outcome::Wait { reason: "ds-not-visible".into(), detail, who: Who::Nobody, again, from_start })
}
