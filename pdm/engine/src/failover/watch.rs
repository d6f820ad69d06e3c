//! Looks at every policy, over and over: what does each nameserver answer now?
//!
//! The question is also what begins and keeps up the health checks of a nameserver: one that was started again, or that
//! no client asks, has checked nothing and would give its first client what it gives when all are down.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream;
use pdm_lua_records::{Checking, Failover, probe_load};
use pdm_model::{
    Allocation, AuditEntry, ConditionKind, Opinion, Parent, Phase, RecordType, Status, Timestamp, ZoneName,
    set_condition,
};
use pdm_ports::{AddressesSeen, Asking, Class, Fault, Heeded};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::opinion::asking;
use super::{opinion, overall};
use crate::engine::Engine;

/// Policies looked at at once.
const LOOKS: usize = 8;

/// What one look found.
struct Look {
    reason: &'static str,
    checks_per_second: f64,
    timeout: u8,
}

impl Engine {
    pub(crate) async fn watch_failover_for_ever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            if self.may_work()
                && let Err(fault) = self.look_at_policies().await
            {
                debug!(%fault, "look at failover policies cut short");
            }
            tokio::select! {
                () = tokio::time::sleep(self.settings.failover_look) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Look at this name from now on.
    pub(crate) fn watch_policy(&self, name: &ZoneName) {
        self.policies.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
    }

    async fn look_at_policies(&self) -> Result<(), Fault> {
        let names = self.policies.read().unwrap_or_else(PoisonError::into_inner).clone();
        if names.is_empty() {
            return Ok(());
        }
        let _ = self.lua_server().await;
        let mut looks =
            stream::iter(names.into_iter().map(|name| self.look_at_policy(name))).buffer_unordered(LOOKS);
        let (mut by_reason, mut load, mut slowest) = (BTreeMap::<&str, u32>::new(), 0.0, 0);
        while let Some(look) = looks.next().await {
            match look {
                Ok(Some(look)) => {
                    *by_reason.entry(look.reason).or_default() += 1;
                    load += look.checks_per_second;
                    slowest = slowest.max(look.timeout);
                }
                Ok(None) => {}
                // One that cannot be looked at is no reason not to look at the others.
                Err(fault) => debug!(%fault, "a failover policy was left out"),
            }
        }
        for reason in
            ["preferred", "one-client", "failed-over", "disagree", "all-down", "not-computed", "no-answer"]
        {
            let count = by_reason.get(reason).copied().unwrap_or(0);
            metrics::gauge!("pdm_failover_policies", "state" => reason).set(f64::from(count));
        }
        metrics::gauge!("pdm_failover_checks_per_second").set(load);
        self.slowest_check.store(slowest, Ordering::Relaxed);
        Ok(())
    }

    async fn look_at_policy(&self, name: ZoneName) -> Result<Option<Look>, Fault> {
        let found = self.parts.store.allocation(&name).await?;
        let active = found.filter(|(allocation, _)| allocation.phase == Phase::Active);
        let Some((allocation, _)) = active else {
            self.policies.write().unwrap_or_else(PoisonError::into_inner).remove(&name);
            return Ok(None);
        };
        let Some(policy) = self.policy(&allocation)? else {
            self.policies.write().unwrap_or_else(PoisonError::into_inner).remove(&name);
            return Ok(None);
        };
        let Some((policy, seen)) = self.ask_policy(&allocation, policy).await? else { return Ok(None) };
        let checks_per_second = probe_load(&policy, self.checking()).per_second;
        let look = |reason| Look { reason, checks_per_second, timeout: policy.check().timeout };
        let judged = |row: &Allocation, now| {
            let opinions = opinions(&policy, &row.observed.opinions, &seen, now);
            let overall = overall(&policy, &opinions);
            (opinions, overall)
        };
        let now = self.parts.store.now().await?;
        // Sweep and operations write the same row: what is added goes on top of what stands there now. An operation that
        // is being driven looks for itself, and nobody waits for it here.
        let Some(_alone) = self.busy.try_lock(&allocation.id) else {
            return Ok(Some(look(judged(&allocation, now).1.1)));
        };
        let Some((mut fresh, _)) = self.parts.store.allocation(&name).await? else { return Ok(None) };
        if fresh.id != allocation.id || fresh.generation != allocation.generation {
            return Ok(None);
        }
        let (opinions, overall) = judged(&fresh, now);
        let reason = overall.1;
        if reason == "not-computed" {
            // What the servers told of themselves is no longer true.
            self.forget_lua_server().await;
        }
        // The store takes it unless an operation goes on by itself.
        self.note_opinions(&mut fresh, opinions, overall, now).await?;
        Ok(Some(look(reason)))
    }

    /// Ask every nameserver what it gives for a name that carries the policy; all of them share it and its checks. None
    /// when none of the six does, as in a brought domain whose owner kept what stood there. Besides, the policy that the
    /// answers are to be judged by: what many clients see where every nameserver heeds them, else what one sees.
    pub(crate) async fn ask_policy(
        &self,
        allocation: &Allocation,
        policy: Failover,
    ) -> Result<Option<(Failover, Vec<AddressesSeen>)>, Fault> {
        let Some(owner) = self.policy_owner(allocation).await? else { return Ok(None) };
        let types: Vec<_> = policy.record_types().into_iter().map(Into::into).collect();
        let ask = |asking| self.parts.probe.addresses(&owner, &types, asking, &self.settings.servers);
        let asking = asking(&policy);
        let seen = ask(asking).await;
        if matches!(asking, Asking::Times(_)) {
            return Ok(Some((policy, seen)));
        }
        let all = |heeded| seen.iter().filter(|one| one.answers.is_some()).all(|one| one.heeded == heeded);
        if all(Heeded::All) {
            return Ok(Some((policy.to_many_clients().unwrap_or(policy), seen)));
        }
        // Answers to us and answers to others cannot be compared.
        let seen = if all(Heeded::None) { seen } else { ask(Asking::Times(1)).await };
        Ok(Some((policy, seen)))
    }

    async fn policy_owner(&self, allocation: &Allocation) -> Result<Option<String>, Fault> {
        if allocation.mode.parent() == Parent::Ours {
            return Ok(Some(allocation.fqdn.dotted()));
        }
        let desired = match self.desired(allocation).await {
            // It cannot be said what stands there, and the policy is asked for all the same.
            Err(fault) if matches!(fault.class, Class::Unsupported | Class::Transient) => Vec::new(),
            other => other?,
        };
        if desired.is_empty() {
            return Ok(Some(format!("pdm-look.{}", allocation.fqdn.dotted())));
        }
        let computed = desired.into_iter().find(|set| set.rtype == RecordType::Lua).map(|set| set.owner);
        // A name that nothing else stands at.
        Ok(computed
            .map(|owner| owner.strip_prefix("*.").map(|rest| format!("pdm-look.{rest}")).unwrap_or(owner)))
    }

    /// How checks are made here. Unless it is known better, every address that is asked counts as a process of its own, so
    /// that the load is never more than what is said.
    #[must_use]
    pub fn checking(&self) -> Checking {
        let addresses = || u32::try_from(self.settings.servers.len()).unwrap_or(u32::MAX);
        let nameservers = self.settings.processes.map_or_else(addresses, NonZeroU32::get);
        let server_interval = self.known_lua_server().map_or(5, |lua| lua.interval);
        Checking { nameservers, server_interval, slowest: self.slowest_check.load(Ordering::Relaxed) }
    }

    async fn note_opinions(
        &self,
        allocation: &mut Allocation,
        opinions: Vec<Opinion>,
        (status, reason, detail): (Status, &'static str, String),
        now: Timestamp,
    ) -> Result<(), Fault> {
        let before = (allocation.conditions.clone(), allocation.observed.opinions.clone());
        let kind = ConditionKind::FailoverIdle;
        let news = set_condition(&mut allocation.conditions, kind, status, reason, detail.clone(), now);
        if (&allocation.conditions, &opinions) == (&before.0, &before.1) {
            return Ok(());
        }
        let text = if detail.is_empty() { reason.to_owned() } else { format!("{reason}: {detail}") };
        let audit =
            news.then(|| AuditEntry::new("pdm", "failover", &allocation.fqdn, text)).into_iter().collect();
        allocation.observed.opinions = opinions;
        if self.parts.store.note(allocation, None, audit).await? {
            match status {
                _ if !news => {}
                Status::True => info!(zone = %allocation.fqdn, reason, "failover"),
                Status::False | Status::Unknown => warn!(zone = %allocation.fqdn, reason, detail, "failover"),
            }
            for (server, flips) in new_flips(&before.1, &allocation.observed.opinions) {
                // Not by name: a series of each name would outlive it. The name's own count is in its opinions.
                metrics::counter!("pdm_failover_flips_total", "nameserver" => server).increment(flips);
            }
        }
        Ok(())
    }
}

/// One opinion of each server that was asked, in their order.
pub(crate) fn opinions(
    policy: &Failover,
    before: &[Opinion],
    seen: &[AddressesSeen],
    now: Timestamp,
) -> Vec<Opinion> {
    let one = |seen: &AddressesSeen| {
        let address = seen.server.address.to_string();
        opinion(policy, before.iter().find(|old| old.server == address), seen, now)
    };
    seen.iter().map(one).collect()
}

fn new_flips(before: &[Opinion], after: &[Opinion]) -> Vec<(String, u64)> {
    let new = |now: &Opinion| {
        let old = before.iter().find(|old| old.server == now.server).map_or(0, |old| old.flips);
        (now.names.join(" "), now.flips.saturating_sub(old))
    };
    after.iter().map(new).filter(|(_, flips)| *flips > 0).collect()
}
