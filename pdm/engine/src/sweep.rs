//! Looks at everything that should be still, over and over: deadlines, drift, proofs that grow old.
//!
//! One list of zones and one of delegations a sweep; a zone is read in full only when its serial moved. Keys do not
//! move a serial, so the DNSKEY RRset of every Sovereign is asked for at one server.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use pdm_model::canonical::Change;
use pdm_model::{
    Allocation, AuditEntry, ConditionKind, Delegation, DriftPolicy, DsRecord, Observed, Operation,
    OperationKind, Parent, Phase, Status, StepState, Timestamp, Who, ZoneName, set_condition,
};
use pdm_ports::store::{Facts, Filter, NewOperation, Wanted, Write};
use pdm_ports::zone::ZoneSummary;
use pdm_ports::{Class, Fault};
use tokio::sync::watch;
use tracing::{debug, error, info, warn};

use crate::caller::{Caller, Role};
use crate::engine::Engine;
use crate::keys::sweep::KeyFigures;
use crate::steps::await_chain::describe;

/// Another DS at the parent than the keys call for.
const DS_CHANGED: &str = "ds-changed";
/// Rows read at once.
const PAGE: u32 = 200;
/// Looks at the DNS in flight at once.
const LOOKS: usize = 8;
/// Proofs taken again in one sweep, at most: a sweep must end before the next begins.
const PROOFS: usize = 200;
/// Proofs of ownership looked for again in one sweep, at most: other people's servers may be slow.
const REPEATS: usize = 16;

/// Zones read in full in one sweep whatever their serial says: who writes into PowerDNS's database moves none. Up to so
/// many, all of them are; of more, each has its turn.
const DEEP_LOOKS: usize = 100;

/// What a sweep saw in one look at everything.
struct Seen {
    /// The number of this sweep.
    round: u64,
    zones: HashMap<Box<str>, Zone>,
    /// Digests of what the pools hold for each child: there may be very many, and nearly all are as they should be.
    delegations: HashMap<Box<str>, u64>,
    digests: RandomState,
}

/// A zone as it was listed.
struct Zone {
    serial: u32,
    allocation: Option<Box<str>>,
}

/// One difference between what PDM wrote and what is there.
struct Drift {
    reason: &'static str,
    detail: String,
    /// Whether PDM may write it again. Who led a name elsewhere, at a parent that is not ours, meant it; a DS that is not
    /// that of the keys is no use to anybody while the name leads here.
    ours: bool,
}

impl Seen {
    /// Whether a pool holds exactly this for a child.
    fn holds(&self, child: &ZoneName, ns: &BTreeSet<ZoneName>, ds: &BTreeSet<DsRecord>) -> bool {
        self.delegations.get(child.as_str()) == Some(&self.digests.hash_one((ns, ds)))
    }

    /// Whether a zone is to be read in full now.
    fn has_its_turn(&self, name: &ZoneName) -> bool {
        let rounds = self.zones.len().div_ceil(DEEP_LOOKS).max(1) as u64;
        // FNV-1a: the same turn in every replica.
        let hash = name.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        hash % rounds == self.round % rounds
    }
}

impl Engine {
    pub(crate) async fn sweep_for_ever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if self.may_work()
                && let Err(fault) = self.sweep().await
            {
                debug!(%fault, "sweep with faults");
                metrics::counter!("pdm_sweep_faults_total").increment(1);
            }
            tokio::select! {
                () = tokio::time::sleep(self.settings.sweep) => {}
                _ = stop.changed() => {}
            }
        }
    }

    async fn sweep(self: &Arc<Self>) -> Result<(), Fault> {
        let store = &self.parts.store;
        while store.expire(500).await? >= 500 {}
        store.prune().await?;
        let seen = self.look_at_everything().await?;
        let now = store.now().await?;
        let mut after = None;
        let mut proofs = 0;
        let mut repeats = REPEATS;
        let mut known = std::collections::HashSet::new();
        let mut figures = KeyFigures::default();
        let mut first_fault = None;
        loop {
            let filter = Filter { after: after.clone(), limit: PAGE, ..Filter::default() };
            let page = store.allocations(&filter).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.fqdn.as_str().to_owned());
            known.extend(
                page.iter()
                    .filter(|a| a.phase.has_zone() || a.phase == Phase::Releasing)
                    .map(|a| a.id.clone()),
            );
            let due: Vec<_> =
                page.iter().filter(|a| self.proof_is_due(a, now)).take(repeats).cloned().collect();
            repeats -= due.len();
            let mut asked =
                stream::iter(due.into_iter().map(|a| self.repeat_proof(a))).buffer_unordered(LOOKS);
            while let Some(result) = asked.next().await {
                if let Err(fault) = result {
                    left_out(fault, &mut first_fault);
                }
            }
            // What was forced ends in time, also while a change waits for something.
            for forced in page.iter().filter(|a| a.phase.has_zone()) {
                if let Err(fault) = self.end_drains(forced, now).await {
                    left_out(fault, &mut first_fault);
                }
            }
            let active: Vec<_> = page.into_iter().filter(|a| a.phase == Phase::Active).collect();
            for one in active.iter().filter(|a| a.target.as_ref().is_some_and(|t| t.failover.is_some())) {
                self.watch_policy(&one.fqdn);
            }
            for allocation in &active {
                if let Err(fault) = self.look_at_keys(allocation, now, &mut figures).await {
                    left_out(fault, &mut first_fault);
                }
            }
            let due = |a: &Allocation| {
                let old = a.proof.as_ref().is_none_or(|p| now.since(p.begun_at) > self.settings.proof_age);
                old || !holds(a, ConditionKind::ChainSecure)
            };
            let mut looks = stream::iter(active.into_iter().map(|a| {
                let again = due(&a) && proofs < PROOFS;
                proofs += usize::from(again);
                self.look_at_one(a, &seen, now, again)
            }))
            .buffer_unordered(LOOKS);
            while let Some(result) = looks.next().await {
                if let Err(fault) = result {
                    left_out(fault, &mut first_fault);
                }
            }
        }
        figures.tell(now);
        let lost = |zone: &Zone| zone.allocation.as_ref().is_some_and(|id| !known.contains(&**id));
        let orphans: Vec<&str> =
            seen.zones.iter().filter(|(_, z)| lost(z)).map(|(name, _)| &**name).collect();
        metrics::gauge!("pdm_orphan_zones").set(f64::from(u32::try_from(orphans.len()).unwrap_or(u32::MAX)));
        if !orphans.is_empty() {
            warn!(
                count = orphans.len(),
                first = orphans[0],
                "zones with our mark and without an allocation; never deleted"
            );
        }
        metrics::gauge!("pdm_last_sweep_timestamp_seconds").set(now.0 as f64 / 1000.0);
        first_fault.map_or(Ok(()), Err)
    }

    async fn look_at_everything(&self) -> Result<Seen, Fault> {
        let zones = self.parts.zones.list_zones().await?.into_iter().map(|listed| {
            let ZoneSummary { name, serial, allocation } = listed;
            (name.into(), Zone { serial, allocation: allocation.map(Into::into) })
        });
        let (zones, mut delegations, digests) = (zones.collect(), HashMap::new(), RandomState::new());
        for pool in self.settings.pools.keys() {
            let mut keep = |child: ZoneName, there: Delegation| {
                let digest = digests.hash_one((&there.ns, &there.ds));
                delegations.insert(child.as_str().into(), digest);
            };
            self.parts.parent.each_delegation(pool, &mut keep).await?;
        }
        let round = self.sweeps.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(Seen { round, zones, delegations, digests })
    }

    async fn look_at_one(
        self: &Arc<Self>,
        mut allocation: Allocation,
        seen: &Seen,
        now: Timestamp,
        prove: bool,
    ) -> Result<(), Fault> {
        let before = (allocation.conditions.clone(), allocation.observed.clone());
        let parent = self.parent_now(&mut allocation, seen, prove).await?;
        let drift = self.drift(&mut allocation, seen, &parent).await?;
        let mut audit = Vec::new();
        let mut proof = None;
        let mut known = false;
        if let Some(found) = &drift {
            let news = set_condition(
                &mut allocation.conditions,
                ConditionKind::InSync,
                Status::False,
                found.reason,
                found.detail.clone(),
                now,
            );
            known = !news;
            if news {
                let detail = format!("{}: {}", found.reason, found.detail);
                warn!(zone = %allocation.fqdn, reason = found.reason, detail = found.detail, "drift");
                metrics::counter!("pdm_drift_total", "reason" => found.reason).increment(1);
                audit.push(AuditEntry::new("pdm", "drift", &allocation.fqdn, detail));
            }
        } else {
            set_condition(
                &mut allocation.conditions,
                ConditionKind::InSync,
                Status::True,
                "as-desired",
                "",
                now,
            );
        }
        if prove || drift.is_some() {
            match self.prove(&allocation, allocation.generation, now).await {
                // What should be there cannot be said, so it cannot be asked for.
                Err(fault) if fault.class == Class::Unsupported => {}
                Err(fault) => return Err(fault),
                Ok(Ok(receipt)) => {
                    set_condition(
                        &mut allocation.conditions,
                        ConditionKind::ChainSecure,
                        Status::True,
                        "proved",
                        "",
                        now,
                    );
                    proof = Some(receipt);
                }
                Ok(Err(why)) => {
                    if why.reason == "bogus" {
                        self.forget_anchor(&allocation.pool);
                    }
                    let detail = describe(&why);
                    let kind = ConditionKind::ChainSecure;
                    if set_condition(
                        &mut allocation.conditions,
                        kind,
                        Status::False,
                        &why.reason,
                        detail.clone(),
                        now,
                    ) {
                        error!(zone = %allocation.fqdn, reason = why.reason, detail, "no longer proved");
                        audit.push(AuditEntry::new("pdm", "unproved", &allocation.fqdn, detail));
                    }
                }
            }
        }
        if (&allocation.conditions, &allocation.observed) != (&before.0, &before.1) || proof.is_some() {
            let _alone = self.busy.lock(&allocation.id).await;
            self.keep_opinions(&mut allocation, &before.1).await?;
            self.parts.store.note(&allocation, proof, audit).await?;
        }
        if let Some(found) = drift.filter(|found| found.ours)
            && self.pool_of(&allocation)?.drift == DriftPolicy::Repair
        {
            self.repair(&allocation, &found, known).await?;
        }
        Ok(())
    }

    /// What the parent holds: as listed with the pool, read again when that is not as it should be; a parent that is not
    /// ours is walked to when a proof is due, and taken for what it was in between.
    async fn parent_now(
        &self,
        allocation: &mut Allocation,
        seen: &Seen,
        look: bool,
    ) -> Result<Delegation, Fault> {
        if allocation.mode.parent() == Parent::Ours {
            let ns: BTreeSet<_> = self.settings.nameservers.iter().cloned().collect();
            let ds: BTreeSet<_> = allocation.observed.ds.iter().cloned().collect();
            if seen.holds(&allocation.fqdn, &ns, &ds) {
                return Ok(Delegation { ns, ds, ns_ttl: None, ds_ttl: None });
            }
            return self.parts.parent.observe(&allocation.fqdn).await;
        }
        if look {
            let view = self.parts.walk.parent(&allocation.fqdn).await?;
            let parent = &mut allocation.observed.parent;
            let answered: Vec<_> = view.answers.iter().filter(|a| a.ns.is_some() && a.ds.is_some()).collect();
            if !answered.is_empty() {
                parent.ns =
                    answered.iter().filter_map(|a| a.ns.as_ref()).flat_map(|(set, _)| set.clone()).collect();
                parent.ds =
                    answered.iter().filter_map(|a| a.ds.as_ref()).flat_map(|(set, _)| set.clone()).collect();
            }
        }
        Ok(allocation.observed.parent.clone())
    }

    /// Between two sweeps the nameservers are asked for what they compute: that is newer than the row of a page.
    async fn keep_opinions(&self, allocation: &mut Allocation, read: &Observed) -> Result<(), Fault> {
        if self.policy(allocation)?.is_none() {
            return Ok(());
        }
        if let Some((fresh, _)) = self.parts.store.allocation(&allocation.fqdn).await?
            && fresh.id == allocation.id
            && (Observed { opinions: read.opinions.clone(), ..fresh.observed.clone() }) == *read
        {
            allocation.updated_at = fresh.updated_at;
            let kind = ConditionKind::FailoverIdle;
            allocation.conditions.retain(|c| c.kind != kind);
            allocation.conditions.extend(fresh.conditions.into_iter().filter(|c| c.kind == kind));
            allocation.conditions.sort_by_key(|c| c.kind);
            allocation.observed.opinions = fresh.observed.opinions;
        }
        Ok(())
    }

    /// The first thing that is not as PDM wrote it.
    async fn drift(
        self: &Arc<Self>,
        allocation: &mut Allocation,
        seen: &Seen,
        parent: &Delegation,
    ) -> Result<Option<Drift>, Fault> {
        let found = |reason, detail: String| Ok(Some(Drift { reason, detail, ours: true }));
        let ours = allocation.mode.parent() == Parent::Ours;
        let name = allocation.fqdn.clone();
        let Some(zone) = seen.zones.get(name.as_str()) else {
            // The list may be older than a zone made meanwhile.
            if self.parts.zones.read_keys(&name).await?.is_some() {
                return Ok(None);
            }
            return found("zone-missing", "the zone is gone from PowerDNS".to_owned());
        };
        if zone.allocation.as_deref() != Some(allocation.id.as_str()) {
            return found(
                "zone-not-ours",
                "the zone no longer carries the mark of this allocation".to_owned(),
            );
        }
        let wanted: std::collections::BTreeSet<_> = self.settings.nameservers.iter().cloned().collect();
        let ds: std::collections::BTreeSet<_> = allocation.observed.ds.iter().cloned().collect();
        if parent.ns != wanted {
            let detail = format!("the parent holds {:?} as NS", parent.ns);
            return Ok(Some(Drift { reason: "delegation-changed", detail, ours }));
        }
        let other_ds = (parent.ds != ds).then(|| {
            let detail = format!("the parent holds {:?} as DS, the zone's keys call for {ds:?}", parent.ds);
            Drift { reason: DS_CHANGED, detail, ours: true }
        });
        if ours && other_ds.is_some() {
            return Ok(other_ds);
        }
        // A policy that the servers cannot compute any more: nobody can say what should be there.
        let uncomputable = match self.policy(allocation)? {
            None => None,
            Some(_) => match self.own_rrsets_now(allocation).await {
                Ok(_) => None,
                Err(fault) if fault.class == Class::Unsupported => {
                    Some(Drift { reason: fault.code, detail: fault.detail, ours: false })
                }
                Err(fault) => return Err(fault),
            },
        };
        let due = allocation.observed.serial != Some(zone.serial) || seen.has_its_turn(&name);
        if due && uncomputable.is_none() {
            let Some(full) = self.parts.zones.read_zone(&name).await? else {
                return found("zone-missing", "the zone is gone from PowerDNS".to_owned());
            };
            let changes = self.changes(allocation, &full.rrsets).await?;
            if !changes.is_empty() {
                return found("records-changed", listed(&changes));
            }
            allocation.observed.serial = Some(full.serial);
        }
        let keys = self.key_drift(allocation).await?;
        // Under a foreign parent a roll waits for whoever edits it, and watches what comes. Otherwise the DS comes last: a
        // person may take months to put it back, and what else drifts meanwhile is not to wait for that.
        let rolls = allocation.observed.keys.roll.is_some();
        Ok(keys.or(uncomputable).or(other_ds.filter(|_| !rolls)))
    }

    /// Keys do not move a serial: the DNSKEY RRset is asked for at one server. What it answers may be old; what PowerDNS
    /// holds decides.
    async fn key_drift(self: &Arc<Self>, allocation: &mut Allocation) -> Result<Option<Drift>, Fault> {
        let name = allocation.fqdn.clone();
        let one = &self.settings.servers[..self.settings.servers.len().min(1)];
        let views = self.parts.probe.key_views(&name, one).await;
        let until = crate::keys::signatures_until(&views);
        let state = &mut allocation.observed.keys;
        state.signatures_until = until.or(state.signatures_until);
        let known: std::collections::BTreeSet<_> = state.known.iter().map(|age| age.dnskey.clone()).collect();
        let as_known =
            views.first().and_then(|view| view.keys.as_ref()).is_none_or(|(keys, _)| *keys == known);
        let there: std::collections::BTreeSet<_> = allocation.observed.ds.iter().cloned().collect();
        // A roll that looked first may know keys already that were restored behind our back.
        let vouched = there.is_empty() || crate::keys::any_vouched(&name, known.iter(), &there);
        if as_known && vouched || state.roll.is_some() {
            return Ok(None);
        }
        let keys = self.parts.zones.read_keys(&name).await?.unwrap_or_default();
        if known.is_empty() {
            let now = self.parts.store.now().await?;
            crate::keys::acquaint(&mut allocation.observed.keys, &keys, false, now);
        }
        let wanted = self.wanted_ds(allocation, &keys)?;
        if !there.is_empty() && !crate::keys::vouched(&name, &there, &keys) {
            let detail = format!("PowerDNS holds keys for {wanted:?}, the parent has {there:?}");
            return Ok(Some(Drift { reason: "keys-changed", detail, ours: true }));
        }
        let lost = |age: &pdm_model::keys::KeyAge| !keys.iter().any(|key| key.dnskey == age.dnskey);
        if let Some(lost) = allocation.observed.keys.known.iter().find(|age| lost(age)) {
            let detail = format!("PowerDNS no longer holds the key {}", lost.dnskey);
            return Ok(Some(Drift { reason: "keys-changed", detail, ours: true }));
        }
        let strange: Vec<_> = keys.iter().filter(|key| !known.contains(&key.dnskey)).collect();
        if !known.is_empty() && !strange.is_empty() {
            let detail = format!("{} keys that nobody asked for", strange.len());
            warn!(zone = %name, detail, "unexpected keys");
            metrics::counter!("pdm_drift_total", "reason" => "unexpected-keys").increment(1);
            self.tidy(allocation, detail).await?;
        }
        Ok(None)
    }

    /// A roll that rests gives way to a repair, and goes on afterwards: it may rest for months. So does a repair that waits
    /// for an owner to put a DS back, if something else has drifted. Only for drift that an earlier sweep saw too, because
    /// what a roll wrote meanwhile looks like drift once.
    async fn repair(
        self: &Arc<Self>,
        allocation: &Allocation,
        drift: &Drift,
        known: bool,
    ) -> Result<(), Fault> {
        let (operation, birth) = self.birth(allocation, OperationKind::Repair);
        let opened = operation.id.clone();
        let (id, generation) = (allocation.id.clone(), allocation.generation);
        let detail = format!("{}: {}", drift.reason, drift.detail);
        let of_ds = drift.reason == DS_CHANGED;
        let decision = Arc::new(move |facts: &Facts| {
            let mut write = Write::default();
            let Some(live) = &facts.live else { return Ok(write) };
            // Somebody else is at it, or what should be has changed meanwhile.
            let gives_way = |open: &Operation| rests(open) || !of_ds && awaits_owner(open);
            if facts.open.as_ref().is_some_and(|open| !(known && gives_way(open)))
                || live.id != id
                || live.generation != generation
                || live.phase != Phase::Active
            {
                return Ok(write);
            }
            write.supersede = facts.open.is_some();
            write.operation = Some(NewOperation { generation, ..operation.clone() });
            write.audit.push(AuditEntry::new("pdm", "repair", &live.fqdn, detail.clone()));
            Ok(write)
        });
        match self.carry_out(&allocation.fqdn, Wanted::default(), decision, birth).await {
            Ok(accepted) if accepted.operation.as_ref().is_some_and(|open| open.id == opened) => {
                info!(zone = %allocation.fqdn, reason = drift.reason, "repair begun");
            }
            Ok(_) => {}
            Err(crate::intents::IntentError::Refused(refusal)) => debug!(%refusal, "no repair"),
            Err(crate::intents::IntentError::Fault(fault)) => return Err(fault),
        }
        Ok(())
    }

    /// PDM itself as an actor, for the audit log.
    #[must_use]
    pub fn itself() -> Caller {
        Caller { actor: "pdm".to_owned(), role: Role::Admin, owner: None, pool: None, door: None }
    }
}

/// One name that could not be looked at is no reason not to look at the others; the sweep tells of the first.
fn left_out(fault: Fault, first: &mut Option<Fault>) {
    debug!(%fault, "a name was left out");
    // What the servers cannot compute for a name is its own condition, not a fault of the sweep.
    if fault.class != Class::Unsupported {
        first.get_or_insert(fault);
    }
}

/// A repair that goes on when the owner of the name has acted at a parent that is not ours.
pub(crate) fn awaits_owner(operation: &Operation) -> bool {
    let step = operation.current().and_then(|at| operation.steps.get(at));
    let wait =
        step.filter(|step| step.state == StepState::Waiting).and_then(|step| step.wait_reason.as_ref());
    operation.kind == OperationKind::Repair && wait.is_some_and(|wait| wait.who == Who::Caller)
}

/// A roll that waits.
fn rests(operation: &Operation) -> bool {
    let step = operation.current().and_then(|at| operation.steps.get(at));
    operation.kind == OperationKind::Roll && step.is_some_and(|step| step.state == StepState::Waiting)
}

fn holds(allocation: &Allocation, kind: ConditionKind) -> bool {
    allocation.conditions.iter().any(|c| c.kind == kind && c.status == Status::True)
}

fn listed(changes: &[Change]) -> String {
    let one = |change: &Change| match change {
        Change::Replace(rrset) => format!("{} {} is not as written", rrset.owner, rrset.rtype),
        Change::Delete(owner, rtype) => format!("{owner} {rtype} competes with what PDM wrote"),
    };
    let mut lines: Vec<_> = changes.iter().take(5).map(one).collect();
    if changes.len() > 5 {
        lines.push(format!("and {} more", changes.len() - 5));
    }
    lines.join("; ")
}

impl Engine {
    /// Compare the store with the marks in the pools; an older store makes everything read-only.
    pub(crate) async fn compare_store_with_dns(&self) -> Result<(), Fault> {
        let ours = self.parts.store.mark().await?;
        for pool in self.settings.pools.keys() {
            if let Some(theirs) = self.parts.parent.mark(pool).await?
                && theirs > ours
            {
                error!(%pool, theirs, ours, "the store is older than the DNS: read-only until `pdm store recover`");
                self.read_only.store(true, std::sync::atomic::Ordering::Relaxed);
                return Err(Fault::new(Class::Rejected, "read-only", "the store is older than the DNS"));
            }
        }
        self.trusted.store(true, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }
}
