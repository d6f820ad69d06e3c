//! What a policy is doing now, and what it would do. Nothing is written.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pdm_lua_records::{
    Bounds, Checking, Failover, ProbeLoad, RecordType, Rehearsal, TruthTable, bounds, probe_load, rehearse,
    truth_table,
};
use pdm_model::target::Target;
use pdm_model::{Allocation, Drain, Opinion, Refusal, Status};
use pdm_ports::LuaServer;

use super::IntentError;
use crate::caller::{Caller, Right};
use crate::engine::Engine;
use crate::failover::{opinions, overall};

/// How long checks go on after the last question when PowerDNS has not said it: its default.
const USUAL_EXPIRY: u32 = 3600;

/// A policy and what becomes of it.
#[derive(Debug, Clone)]
pub struct FailoverStatus {
    /// The allocation.
    pub allocation: Allocation,
    /// What nameservers compute, with what is forced.
    pub policy: Failover,
    /// What each nameserver answers now.
    pub opinions: Vec<Opinion>,
    /// All of them together: the condition `FailoverIdle`.
    pub overall: (Status, &'static str, String),
    /// What is forced.
    pub drains: Vec<Drain>,
    /// What the checks cost.
    pub load: ProbeLoad,
    /// When clients see a change.
    pub bounds: Bounds,
    /// How the servers compute.
    pub servers: Option<LuaServer>,
}

impl Engine {
    async fn with_policy(&self, caller: &Caller, fqdn: &str) -> Result<(Allocation, Failover), IntentError> {
        caller.must(Right::Read)?;
        let (name, _) = super::parse_fqdn(fqdn)?;
        let allocation = self.visible(caller, &name).await?;
        let Some(policy) = self.policy(&allocation)? else {
            let detail = format!("{name} is answered by plain records, or not at all");
            return Err(Refusal::new("no-failover", detail).into());
        };
        Ok((allocation, policy))
    }

    /// Ask every nameserver now what it gives.
    ///
    /// # Errors
    /// `not-found`, `no-failover`, or a fault of the store.
    pub async fn failover_status(&self, caller: &Caller, fqdn: &str) -> Result<FailoverStatus, IntentError> {
        let (allocation, policy) = self.with_policy(caller, fqdn).await?;
        // A name that is not in the DNS yet, or not any more, has nothing to ask for.
        let seen = if allocation.phase == pdm_model::Phase::Active {
            self.ask_policy(&allocation, policy.clone()).await?
        } else {
            None
        };
        let (by, seen) = match seen {
            Some((by, seen)) => (by, Some(seen)),
            None => (policy.clone(), None),
        };
        let now = self.parts.store.now().await?;
        let opinions = opinions(&by, &allocation.observed.opinions, seen.as_deref().unwrap_or_default(), now);
        let checking = self.checking();
        let overall = match &seen {
            Some(_) => overall(&by, &opinions),
            None => (
                Status::Unknown,
                "not-asked",
                "nameservers are asked while the name is active and carries the policy".to_owned(),
            ),
        };
        Ok(FailoverStatus {
            overall,
            drains: allocation.target.as_ref().map(|target| target.drains.clone()).unwrap_or_default(),
            load: probe_load(&policy, checking),
            bounds: bounds(&policy, checking),
            servers: self.known_lua_server(),
            allocation,
            policy,
            opinions,
        })
    }

    /// What clients would get, and when, if these regions went down together.
    ///
    /// # Errors
    /// `not-found`, `no-failover`, `unknown-region`, or a fault of the store.
    pub async fn rehearse(
        &self,
        caller: &Caller,
        fqdn: &str,
        down: &[&str],
    ) -> Result<Rehearsal, IntentError> {
        let (_, policy) = self.with_policy(caller, fqdn).await?;
        let rehearsal = rehearse(&policy, down, self.checking());
        Ok(rehearsal.map_err(|refusal| Refusal::new(refusal.code, refusal.detail).field(refusal.field))?)
    }

    /// What clients get for every combination of regions that are up or down; none without a policy.
    #[must_use]
    pub fn truth_table(&self, allocation: &Allocation) -> Option<TruthTable> {
        self.policy(allocation).ok().flatten().map(|policy| truth_table(&policy))
    }

    /// What a caller should know who sets, changes or takes away a policy.
    #[must_use]
    pub fn warnings(&self, before: Option<&Target>, after: Option<&Target>) -> Vec<String> {
        let policy =
            |target: Option<&Target>| target.and_then(|t| crate::failover::policy_of(t).ok().flatten());
        let (before, after) = (policy(before), policy(after));
        let mut warnings = after.as_ref().map(Failover::warnings).unwrap_or_default();
        warnings.extend(before.and_then(|before| self.checks_that_go_on(&before, after.as_ref())));
        warnings
    }

    /// Nameservers go on checking what nobody asks them for.
    fn checks_that_go_on(&self, before: &Failover, after: Option<&Failover>) -> Option<String> {
        // PowerDNS knows a check by its address and by how it is made.
        let kept = after.filter(|after| after.check() == before.check());
        let checked = |policy: &Failover| -> BTreeSet<IpAddr> {
            RecordType::ALL.iter().flat_map(|rtype| policy.addresses(*rtype)).collect()
        };
        let kept = kept.map(checked).unwrap_or_default();
        let left: Vec<String> = checked(before).difference(&kept).map(IpAddr::to_string).collect();
        if left.is_empty() {
            return None;
        }
        let expire = self.known_lua_server().map_or(USUAL_EXPIRY, |lua| lua.expire);
        let Checking { nameservers, .. } = self.checking();
        Some(format!(
            "health checks of {} go on as they were for up to {expire} s after the last question, from {nameservers} \
             nameservers (lua-health-checks-expire-delay)",
            left.join(", ")
        ))
    }
}
