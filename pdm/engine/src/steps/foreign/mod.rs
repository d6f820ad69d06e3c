//! Under a parent that is not ours. Every step looks at all parent servers and at both operators' servers, learns, asks
//! the planner whether the write may happen now, writes down that it is about to, and writes.
//!
//! If the process died after a write was noted and before it was made, the next run finds nothing changed and writes it
//! again; if it died after, the next look shows it, or it counts as under way.

pub(super) mod back;
pub(crate) mod carry;
pub(super) mod ds;
pub(super) mod ns;
pub(super) mod restore;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pdm_dnssec::Name;
use pdm_model::byo::{ForeignParent, Instruction, Previous};
use pdm_model::handover::{self, Case, ChildSight, Look, Operator, ParentSight, Side, Unsafe, Write};
use pdm_model::{DsRecord, RecordType, StepKind, StepState, Ttl, Who, ZoneName, polling};
use pdm_ports::registrar::{Change, CurrentState, DsEntry, KeyData, NsTarget, TaskId, TaskStatus};
use pdm_ports::walk::{ChildAnswer, ParentAnswer};
use pdm_ports::{Class, Fault, Server};
use serde_json::json;

use super::called;
use crate::editor::{Ask, Editor, place};
use crate::reconcile::drive::{Outcome, Work};
use restore::before;

/// The longest time between two looks while only time is lacking: what is waited for may come back.
const LOOK_AGAIN: Duration = Duration::from_secs(10 * 60);
/// Types whose TTLs are measured at the servers before, at the apex.
const MEASURED: [RecordType; 6] =
    [RecordType::A, RecordType::Aaaa, RecordType::Ns, RecordType::Soa, RecordType::Txt, RecordType::Dnskey];
/// Looks at a wait after which the write before it is looked at again.
const DOUBT: u32 = 24;

/// Our servers as the destination.
fn ours(work: &Work) -> Operator {
    Operator {
        ns: work.engine.settings.nameservers.iter().cloned().collect(),
        ds: work.allocation.observed.ds.iter().cloned().collect(),
        lenient: false,
    }
}

fn state(work: &mut Work) -> &mut ForeignParent {
    work.allocation.observed.foreign.get_or_insert_with(Box::default)
}

fn editor(work: &Work) -> Result<std::sync::Arc<dyn Editor>, Fault> {
    let mode = work.allocation.mode;
    let missing =
        || Fault::new(Class::Bug, "no-editor", format!("nobody edits parents in mode {}", mode.as_str()));
    work.engine.editors.get(&mode).cloned().ok_or_else(missing)
}

/// Look at the parent and at the servers of both sides, and learn.
async fn look(work: &mut Work, to: &Operator) -> Result<Look, Fault> {
    let walk = work.engine.parts.walk.clone();
    let name = work.allocation.fqdn.clone();
    let view = walk.parent(&name).await?;
    let parents: Vec<ParentSight> = view.answers.iter().map(parent_sight).collect();
    let sets = parents.iter().filter_map(|p| p.ns.as_ref().map(|(set, _)| set));
    let leaving: BTreeSet<ZoneName> = sets.filter(|set| **set != to.ns).flatten().cloned().collect();
    let measured = {
        let known = &state(work).memory.ns;
        known.iter().any(|n| n.set == leaving && n.record_ttl.is_some())
    };
    let from = side(work, &leaving, !measured).await?;
    let joining = side(work, &to.ns, false).await?;
    let ended = work.now();
    let seen = Look { ended, parents, from, to: joining };
    let observed = &mut work.allocation.observed;
    observed.parent.ns = seen.ns_sets().flat_map(|(set, _)| set.iter().cloned()).collect();
    observed.parent.ds = seen.ds_records().map(|(ds, _)| ds.clone()).collect();
    observed.parent.ns_ttl = seen.ns_sets().filter(|(set, _)| !set.is_empty()).map(|(_, ttl)| *ttl).max();
    observed.parent.ds_ttl = seen.ds_records().map(|(_, ttl)| ttl).max();
    let ns_ttl = observed.parent.ns_ttl;
    let issued = work.engine.issued_names(&work.allocation);
    let state = state(work);
    state.zone = Some(view.parent.clone());
    state.ns_ttl = state.ns_ttl.max(ns_ttl);
    state.memory.learn(&seen, to);
    state.look = Some(seen.clone());
    keep_previous(state, &view.answers, &seen, &[&to.ns, &issued]);
    Ok(seen)
}

/// What every server of the parent answers.
pub(crate) async fn parents(work: &mut Work) -> Result<Vec<ParentSight>, Fault> {
    let to = ours(work);
    Ok(look(work, &to).await?.parents)
}

/// What stood there before our first write. The way back leads to it, so it is kept with the first complete look. What
/// leads to us is nothing to go back to.
fn keep_previous(
    state: &mut ForeignParent,
    answers: &[ParentAnswer],
    seen: &Look,
    here: &[&BTreeSet<ZoneName>],
) {
    if state.previous.is_some() || seen.silent_parent().is_some() || state.memory.wrote_ns.is_some() {
        return;
    }
    let none = || (BTreeSet::new(), Ttl::new(0));
    let ns = seen.ns_sets().find(|(set, _)| !here.contains(&set)).cloned().unwrap_or_else(none);
    let mut glue: BTreeMap<ZoneName, BTreeSet<std::net::IpAddr>> = BTreeMap::new();
    for (name, set) in answers.iter().flat_map(|a| &a.glue).filter(|(name, _)| ns.0.contains(*name)) {
        glue.entry(name.clone()).or_default().extend(set);
    }
    let ds = seen.ds_records().map(|(ds, _)| ds.clone()).collect();
    state.previous = Some(Previous { ns, glue, ds, vendor: None, at: seen.ended });
}

pub(crate) fn parent_sight(answer: &ParentAnswer) -> ParentSight {
    ParentSight { server: called(&answer.server), ns: answer.ns.clone(), ds: answer.ds.clone() }
}

pub(crate) fn child_sight(answer: &ChildAnswer) -> ChildSight {
    ChildSight {
        server: called(&answer.server),
        authoritative: answer.authoritative,
        ns: answer.ns.clone(),
        keys: answer.keys.clone(),
    }
}

/// All servers with these names. Ours are asked where proofs ask them.
async fn side(work: &Work, names: &BTreeSet<ZoneName>, measure: bool) -> Result<Side, Fault> {
    if names.is_empty() {
        return Ok(Side::default());
    }
    let engine = &work.engine;
    let name = &work.allocation.fqdn;
    if names.iter().all(|n| engine.settings.nameservers.contains(n)) {
        let seen = engine.parts.walk.child(name, &engine.settings.servers).await;
        let largest = engine.desired(&work.allocation).await?.iter().map(|r| r.ttl).max();
        return Ok(Side {
            servers: seen.iter().map(child_sight).collect(),
            unreachable: BTreeSet::new(),
            record_ttl: largest,
        });
    }
    let servers = engine.parts.walk.addresses(names).await?;
    let reachable: BTreeSet<ZoneName> =
        servers.iter().flat_map(|s| &s.names).filter_map(|n| ZoneName::parse(n).ok()).collect();
    let seen = engine.parts.walk.child(name, &servers).await;
    let record_ttl = if measure { largest_ttl(work, &servers).await } else { None };
    Ok(Side {
        servers: seen.iter().map(child_sight).collect(),
        unreachable: names.difference(&reachable).cloned().collect(),
        record_ttl,
    })
}

/// The largest TTL at the apex and at `www`, at any of these servers.
async fn largest_ttl(work: &Work, servers: &[Server]) -> Option<Ttl> {
    let walk = &work.engine.parts.walk;
    let (apex, www) = (work.allocation.fqdn.dotted(), format!("www.{}.", work.allocation.fqdn));
    let mx = RecordType::Other("MX".to_owned());
    let questions =
        MEASURED.iter().chain([&mx]).map(|t| (apex.as_str(), t)).chain([(www.as_str(), &RecordType::A)]);
    let mut largest = None;
    for (owner, rtype) in questions {
        let answers = walk.rrset(owner, rtype, servers).await;
        let ttls = answers.iter().filter_map(|a| a.contents.as_ref()).filter(|(set, _)| !set.is_empty());
        largest = largest.max(ttls.map(|(_, ttl)| *ttl).max());
    }
    largest
}

/// Whether a write may happen now.
fn may(work: &mut Work, write: &Write, look: &Look, to: &Operator) -> Result<(), Unsafe> {
    handover::admit(write, &Case { look, memory: &state(work).memory, to })
}

/// How often this step looked, and since when it waits.
fn patience(work: &Work, step: StepKind) -> (u32, Duration) {
    let entry = work.operation.steps.iter().find(|s| s.kind == step);
    let waited = entry.filter(|s| s.state == StepState::Waiting).map(|s| work.now().since(s.since));
    (entry.map_or(0, |s| s.attempts), waited.unwrap_or_default())
}

/// The pause before the next look at people and registries.
fn pause(work: &Work, step: StepKind) -> Duration {
    let (looks, waited) = patience(work, step);
    polling::pause(looks, waited)
}

/// Why a write has to wait, as a wait of this step. What has come undone sends the operation back to the start.
fn not_yet(work: &mut Work, step: StepKind, why: Unsafe) -> Outcome {
    // Nobody is to follow what was right before.
    forget_instruction(work);
    let undone = ["foreign-ds", "not-delegated", "not-served"].contains(&why.code.as_str());
    let again = match why.until {
        Some(until) => until.since(work.now()).min(LOOK_AGAIN).max(Duration::from_millis(50)),
        None => pause(work, step),
    };
    let who =
        if why.code == "parent-silent" && patience(work, step).0 > 10 { Who::Operator } else { Who::Nobody };
    Outcome::Wait { reason: why.code, detail: why.detail, who, again, from_start: undone }
}

fn wait(work: &Work, step: StepKind, reason: &str, detail: String, who: Who) -> Outcome {
    Outcome::Wait { reason: reason.to_owned(), detail, who, again: pause(work, step), from_start: false }
}

fn done(evidence: serde_json::Value) -> Outcome {
    Outcome::Done { evidence, event: None, also: None }
}

/// A change with nothing in it yet.
fn change(work: &Work) -> Change {
    let choice = work.allocation.byo.as_ref().and_then(|b| b.registrar.as_ref());
    Change {
        place: place(&work.allocation),
        ns: None,
        ds: None,
        accepted: choice.map(|c| c.accepted.clone()).unwrap_or_default(),
    }
}

/// Have the parent edited: by hand with `progress` shown, or by the API. Done means asked for; the step behind it looks.
async fn edit(work: &mut Work, step: StepKind, change: Change, progress: String) -> Result<Outcome, Fault> {
    if change.ns.is_none() && ds::is_scanned(work, step)? {
        return ds::by_scan(work, step, &change, progress).await;
    }
    let editor = editor(work)?;
    if let Some(made) = editor.by_hand(&Ask { allocation: &work.allocation, change: &change }) {
        let detail = format!("{} {progress}", made.text);
        let reason = made.action.as_str();
        state(work).instruction = Some(made);
        return Ok(wait(work, step, reason, detail, Who::Caller));
    }
    let outcome = by_api(work, step, &editor, &change).await;
    match outcome {
        Err(fault) if fault.class == Class::Credential => {
            Ok(wait(work, step, fault.code, fault.detail, Who::Caller))
        }
        other => other,
    }
}

async fn by_api(
    work: &mut Work,
    step: StepKind,
    editor: &std::sync::Arc<dyn Editor>,
    change: &Change,
) -> Result<Outcome, Fault> {
    let engine = work.engine.clone();
    let (allocation, change) = (work.allocation.clone(), change.clone());
    if let Some(task) = state(work).task.clone() {
        let task = TaskId(task);
        let status = holding(work, editor.follow(&engine, &allocation, &task)).await??;
        match status {
            TaskStatus::Running { stage } => {
                let detail = format!("the registrar says: {stage}");
                return Ok(wait(work, step, "registrar-at-work", detail, Who::Nobody));
            }
            TaskStatus::Failed { reason } => {
                state(work).task = None;
                let detail = format!("the registrar says: {reason}");
                return Ok(wait(work, step, "registrar-refused", detail, Who::Caller));
            }
            // It may have been the task of a step before, whose effect was seen first. What is wanted now is compared
            // with what is there, and written only when it differs.
            TaskStatus::Done => state(work).task = None,
        }
    }
    note_write(work, &change);
    work.hold().await?;
    let ask = Ask { allocation: &allocation, change: &change };
    let applied = holding(work, editor.write(&engine, &ask)).await??;
    if let Some(task) = applied.task {
        state(work).task = Some(task.0);
        return Ok(wait(
            work,
            step,
            "registrar-at-work",
            "the registrar carries it out".to_owned(),
            Who::Nobody,
        ));
    }
    Ok(done(json!({ "by": "api", "wrote": applied.wrote, "agrees": applied.agrees, "notes": applied.notes })))
}

/// Hold the lease while a registrar takes its time: it has a pace of its own, and answers slowly. When the lease is lost
/// the call is given up; whoever has the operation now reads what became of it.
pub(crate) async fn holding<T>(work: &mut Work, doing: impl Future<Output = T>) -> Result<T, Fault> {
    let each = work.engine.settings.lease / 4;
    let mut doing = std::pin::pin!(doing);
    loop {
        tokio::select! {
            done = &mut doing => return Ok(done),
            () = tokio::time::sleep(each) => work.hold().await?,
        }
    }
}

/// What is asked for counts as seen from now on, whether or not we live to hear the answer.
fn note_write(work: &mut Work, change: &Change) {
    let now = work.now();
    let known = work.allocation.observed.parent.clone();
    let memory = &mut state(work).memory;
    match &change.ns {
        Some(NsTarget::Names { names, ttl, .. }) => {
            memory.write_ns(names, known.ns_ttl.unwrap_or(*ttl).max(*ttl), now);
        }
        Some(NsTarget::Vendor(_)) => memory.write_ns(&BTreeSet::new(), Ttl::new(0), now),
        None => {}
    }
    if let Some((set, ttl)) = &change.ds {
        let set: BTreeSet<DsRecord> = set.iter().map(|entry| entry.ds.clone()).collect();
        // A registry has its own TTL for DS, which is not known before it is seen; that of NS stands in for it.
        memory.write_ds(&set, known.ns_ttl.unwrap_or(*ttl).max(*ttl), now);
    }
}

/// What the registrar's API holds, kept before the first write.
async fn read_vendor(work: &mut Work) -> Result<Option<CurrentState>, Fault> {
    let editor = editor(work)?;
    let engine = work.engine.clone();
    let allocation = work.allocation.clone();
    let current = holding(work, editor.read(&engine, &allocation)).await??;
    let kept = current.as_ref().and_then(|c| serde_json::to_value(c).ok());
    if let Some(previous) = &mut state(work).previous
        && previous.vendor.is_none()
    {
        previous.vendor = kept;
    }
    Ok(current)
}

/// A DS set with the keys behind it, for parents that take keys.
async fn ds_entries(work: &Work, wanted: &BTreeSet<DsRecord>) -> Result<BTreeSet<DsEntry>, Fault> {
    let name = &work.allocation.fqdn;
    let held = work.engine.parts.zones.read_keys(name).await?.unwrap_or_default();
    let (zone, keys) = (Name::from(name), crate::keys::held(&held));
    let key_of = |ds: &DsRecord| {
        let key = keys.iter().map(|key| &key.dnskey).find(|key| key.matches(&zone, ds))?.to_string();
        let mut parts = key.split_ascii_whitespace();
        let (flags, _, algorithm) = (parts.next()?, parts.next()?, parts.next()?);
        let (flags, algorithm) = (flags.parse().ok()?, algorithm.parse().ok()?);
        Some(KeyData { flags, algorithm, public_key: parts.collect() })
    };
    Ok(wanted.iter().map(|ds| DsEntry { ds: ds.clone(), key: key_of(ds) }).collect())
}

pub(super) fn forget_instruction(work: &mut Work) -> Option<Instruction> {
    work.allocation.observed.foreign.as_mut()?.instruction.take()
}
