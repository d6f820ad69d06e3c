//! Reads, always inside the caller's scope; and the few intents about PDM itself.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pdm_model::{Allocation, AuditEntry, Operation, OperationState, Phase, Refusal, Timestamp, ZoneName};
use pdm_ports::store::{Filter, StoredEvent};

use super::{Accepted, IntentError, not_found};
use crate::caller::{Caller, Right};
use crate::engine::Engine;

impl Engine {
    /// The allocation of a name, live or last freed, if the caller may know of it.
    pub(crate) async fn visible(&self, caller: &Caller, name: &ZoneName) -> Result<Allocation, IntentError> {
        match self.parts.store.allocation(name).await? {
            Some((allocation, _)) if caller.sees(&allocation) => Ok(allocation),
            Some(_) | None => Err(not_found().into()),
        }
    }

    /// Writes wait until the store was compared with the DNS, and stop when it is older.
    pub(crate) fn must_trust_store(&self) -> Result<(), Refusal> {
        if self.read_only.load(Ordering::Relaxed) {
            return Err(Refusal::new("read-only", "the store is older than the DNS").retry_after(60));
        }
        Ok(())
    }

    /// One allocation with its open operation.
    ///
    /// # Errors
    /// `not-found`, also for what the caller may not know; or a fault of the store.
    pub async fn get(&self, caller: &Caller, fqdn: &str) -> Result<Accepted, IntentError> {
        caller.must(Right::Read)?;
        let (name, _) = super::parse_fqdn(fqdn)?;
        match self.parts.store.allocation(&name).await? {
            Some((allocation, operation)) if caller.sees(&allocation) && allocation.phase != Phase::Freed => {
                Ok(Accepted { allocation, operation })
            }
            other => match self.claim_of(caller, &name, None).await? {
                Some(claim) => Ok(Accepted { allocation: claim.as_allocation(), operation: None }),
                None => match other {
                    Some((allocation, operation)) if caller.sees(&allocation) => {
                        Ok(Accepted { allocation, operation })
                    }
                    Some(_) | None => Err(not_found().into()),
                },
            },
        }
    }

    /// A page of allocations, narrowed to the caller's scope.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn list(&self, caller: &Caller, mut filter: Filter) -> Result<Vec<Allocation>, IntentError> {
        caller.must(Right::Read)?;
        for (own, asked) in [(&caller.owner, &mut filter.owner)] {
            if let Some(own) = own {
                if asked.as_ref().is_some_and(|a| a != own) {
                    return Ok(Vec::new());
                }
                *asked = Some(own.clone());
            }
        }
        if let Some(own) = &caller.pool {
            if filter.pool.as_ref().is_some_and(|asked| asked != own) {
                return Ok(Vec::new());
            }
            filter.pool = Some(own.clone());
        }
        Ok(self.parts.store.allocations(&filter).await?)
    }

    /// Open operations, oldest first, inside the caller's scope.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn open_operations(&self, caller: &Caller, limit: u32) -> Result<Vec<Operation>, IntentError> {
        caller.must(Right::Read)?;
        let all = self.parts.store.open_operations(limit).await?;
        if caller.owner.is_none() && caller.pool.is_none() {
            return Ok(all);
        }
        let mut seen = Vec::new();
        for operation in all {
            if self.visible(caller, &operation.fqdn).await.is_ok() {
                seen.push(operation);
            }
        }
        Ok(seen)
    }

    /// One operation.
    ///
    /// # Errors
    /// `not-found`, also for what the caller may not know; or a fault of the store.
    pub async fn operation(&self, caller: &Caller, id: &str) -> Result<Operation, IntentError> {
        caller.must(Right::Read)?;
        let operation = self.parts.store.operation(id).await?.ok_or_else(not_found)?;
        if caller.owner.is_some() || caller.pool.is_some() {
            self.visible(caller, &operation.fqdn).await?;
        }
        Ok(operation)
    }

    /// Changes of an operation after a place in the store's order.
    ///
    /// # Errors
    /// As [`Engine::operation`].
    pub async fn events(
        &self,
        caller: &Caller,
        id: &str,
        after: i64,
    ) -> Result<Vec<StoredEvent>, IntentError> {
        self.operation(caller, id).await?;
        Ok(self.parts.store.events(id, after).await?)
    }

    /// Wait until an operation is no longer open, at most for `at_most`; answers how it stands then.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn wait(&self, operation: &str, at_most: Duration) -> Result<Option<Operation>, IntentError> {
        let end = Instant::now() + at_most;
        loop {
            // Steps on the way to the end are nothing to this caller.
            let signals = self.waiters.of(operation);
            let woken = signals.at_rest.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let now = self.parts.store.operation(operation).await?;
            let left = end.saturating_duration_since(Instant::now());
            if now.as_ref().is_none_or(|o| o.state != OperationState::Open) || left.is_zero() {
                return Ok(now);
            }
            // Another replica may drive it, and wakes nobody here.
            let _ = tokio::time::timeout(left.min(Duration::from_millis(500)), woken).await;
        }
    }

    /// Return when an operation changed in this process, or after `at_most`.
    pub async fn next_change(&self, operation: &str, at_most: Duration) {
        let signals = self.waiters.of(operation);
        let _ = tokio::time::timeout(at_most, signals.changed.notified()).await;
    }

    /// Do not wait for the backoff.
    ///
    /// # Errors
    /// As [`Engine::operation`]; `not-acceptable-state` when it is no longer open.
    pub async fn hurry(&self, caller: &Caller, id: &str) -> Result<Operation, IntentError> {
        caller.must(Right::Commit)?;
        let operation = self.operation(caller, id).await?;
        if !self.parts.store.hurry(id).await? {
            return Err(Refusal::new("not-acceptable-state", "the operation is over").into());
        }
        self.bell.notify_one();
        Ok(operation)
    }

    /// Stop every write to PowerDNS and parents, or allow them again.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn set_freeze(&self, caller: &Caller, pool: Option<&str>, on: bool) -> Result<(), IntentError> {
        caller.must(Right::Administer)?;
        let pool = match pool {
            None => None,
            Some(typed) => {
                let unknown = |_| Refusal::new("unsupported-pool", "not a pool here").field("poolDomain");
                let name = ZoneName::parse(typed).map_err(unknown)?;
                Some(self.settings.pool(&name)?.domain.clone())
            }
        };
        if caller.pool.is_some() && caller.pool != pool {
            return Err(Refusal::new("forbidden", "this token acts in another pool only").into());
        }
        self.parts.store.set_freeze(pool.as_ref(), on, &caller.actor).await?;
        let entry = AuditEntry {
            seq: 0,
            at: Timestamp::default(),
            actor: caller.actor.clone(),
            action: if on { "freeze" } else { "thaw" }.to_owned(),
            fqdn: pool,
            result: "ok".to_owned(),
            detail: String::new(),
        };
        self.parts.store.audit(entry).await?;
        self.refresh_freezes().await?;
        self.bell.notify_one();
        Ok(())
    }

    /// Entries of the audit log, newest first.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn audit_log(
        &self,
        caller: &Caller,
        fqdn: Option<&str>,
        actor: Option<&str>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, IntentError> {
        caller.must(Right::Audit)?;
        let name = match fqdn {
            Some(typed) => Some(super::parse_fqdn(typed)?.0),
            None => None,
        };
        if caller.owner.is_some() || caller.pool.is_some() {
            let Some(name) = &name else {
                return Err(Refusal::new("invalid-parameter", "a token with a scope asks by name")
                    .field("fqdn")
                    .into());
            };
            self.visible(caller, name).await?;
        }
        Ok(self.parts.store.audit_log(name.as_ref(), actor, before, limit).await?)
    }
}
