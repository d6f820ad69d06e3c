//! The store port in memory: enough of it for requests, nothing for workers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use pdm_carry_over::CarriedZone;
use pdm_model::audit::Report;
use pdm_model::pool_keys::PoolKeys;
use pdm_model::{
    Allocation, AuditEntry, Claim, Operation, OperationState, Phase, Proof, Refusal, Timestamp, ZoneName,
};
use pdm_ports::store::{
    Checkpoint, Count, Decided, Decision, Facts, Filter, Freeze, Held, Lease, Queue, Remembered,
    SealedCredential, StoredEvent, Wanted,
};
use pdm_ports::{Class, Fault, Store};
use serde_json::Value;

/// The store's time stands still here.
pub const NOW: Timestamp = Timestamp(1_795_046_400_123);

#[derive(Default)]
struct Inner {
    rows: HashMap<String, Allocation>,
    operations: Vec<Operation>,
    events: Vec<(String, StoredEvent)>,
    remembered: HashMap<String, (String, Option<(u16, Value)>)>,
    audit: Vec<AuditEntry>,
    freezes: Vec<Freeze>,
    claims: Vec<Claim>,
    credentials: HashMap<String, SealedCredential>,
    carried: HashMap<String, (CarriedZone, i64)>,
}

/// Everything in maps.
#[derive(Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
    reports: Mutex<Vec<Report>>,
    /// When set, nothing answers.
    pub down: AtomicBool,
}

impl MemoryStore {
    fn inner(&self) -> Result<MutexGuard<'_, Inner>, Fault> {
        if self.down.load(Ordering::Relaxed) {
            return Err(Fault::transient("database", "secret-connection-string"));
        }
        Ok(self.inner.lock().unwrap())
    }

    /// The reports that were kept.
    pub fn kept_reports(&self) -> Result<MutexGuard<'_, Vec<Report>>, Fault> {
        drop(self.inner()?);
        Ok(self.reports.lock().unwrap())
    }

    /// End the open operation of a name, as a worker would.
    pub fn end(&self, fqdn: &str, phase: Phase) {
        let mut inner = self.inner().unwrap();
        inner.rows.get_mut(fqdn).unwrap().phase = phase;
        for operation in inner.operations.iter_mut().filter(|o| o.fqdn.as_str() == fqdn) {
            operation.state = OperationState::Done;
            operation.finished_at = Some(NOW);
        }
        let done: Vec<_> = inner.operations.iter().filter(|o| o.fqdn.as_str() == fqdn).cloned().collect();
        for operation in done {
            record(&mut inner, &operation);
        }
    }

    /// What was remembered, as text.
    pub fn memory(&self) -> String {
        format!("{:?}", self.inner().unwrap().remembered)
    }

    /// Begin a request that is never answered.
    pub fn begin_forever(&self) {
        for kept in self.inner().unwrap().remembered.values_mut() {
            kept.1 = None;
        }
    }
}

fn record(inner: &mut Inner, operation: &Operation) {
    let seq = inner.events.len() as i64 + 1;
    let json = serde_json::to_value(operation).unwrap();
    inner.events.push((operation.id.clone(), StoredEvent { seq, at: NOW, operation: json }));
}

fn open_of(inner: &Inner, fqdn: &ZoneName) -> Option<Operation> {
    inner.operations.iter().find(|o| o.fqdn == *fqdn && o.state == OperationState::Open).cloned()
}

fn claims_on(inner: &Inner, fqdn: &ZoneName) -> Vec<Claim> {
    inner.claims.iter().filter(|c| c.fqdn == *fqdn).cloned().collect()
}

fn unused<T>() -> Result<T, Fault> {
    Err(Fault::new(Class::Bug, "unused", "requests do not need this"))
}

#[async_trait]
impl Store for MemoryStore {
    async fn now(&self) -> Result<Timestamp, Fault> {
        self.inner().map(|_| NOW)
    }

    async fn decide(
        &self,
        name: &ZoneName,
        _: Wanted,
        decision: Decision,
    ) -> Result<Result<Decided, Refusal>, Fault> {
        let mut inner = self.inner()?;
        let live = inner.rows.get(name.as_str()).filter(|a| a.phase != Phase::Freed).cloned();
        let open = open_of(&inner, name);
        let facts = Facts { now: NOW, live, open, claims: claims_on(&inner, name), ..Facts::default() };
        let write = match decision(&facts) {
            Ok(write) => write,
            Err(refusal) => return Ok(Err(refusal)),
        };
        for claim in write.claims {
            inner.claims.retain(|c| c.id != claim.id && (c.fqdn != claim.fqdn || c.owner != claim.owner));
            inner.claims.push(claim);
        }
        inner.claims.retain(|c| !write.drop_claims.contains(&c.id));
        for row in write.allocations {
            inner.rows.insert(row.fqdn.to_string(), row);
        }
        if write.supersede {
            for operation in inner.operations.iter_mut().filter(|o| o.fqdn == *name) {
                operation.state = OperationState::Superseded;
            }
        }
        if let Some(new) = write.operation {
            let parent = inner.rows[name.as_str()].mode.parent();
            let operation = Operation {
                id: new.id,
                seq: inner.operations.len() as i64 + 1,
                allocation: new.allocation,
                fqdn: new.fqdn,
                kind: new.kind,
                generation: new.generation,
                state: OperationState::Open,
                steps: Operation::fresh_steps(parent, new.kind, NOW),
                created_at: NOW,
                finished_at: None,
            };
            record(&mut inner, &operation);
            inner.operations.push(operation);
        }
        for mut entry in write.audit {
            entry.seq = inner.audit.len() as i64 + 1;
            entry.at = NOW;
            inner.audit.push(entry);
        }
        let operation = open_of(&inner, name);
        Ok(Ok(Decided {
            now: NOW,
            allocation: inner.rows.get(name.as_str()).cloned(),
            operation,
            quiet: false,
        }))
    }

    async fn holder(&self, name: &ZoneName, _: &ZoneName, _: &str) -> Result<Option<Held>, Fault> {
        let inner = self.inner()?;
        Ok(inner.rows.get(name.as_str()).filter(|a| a.phase != Phase::Freed).map(|a| Held {
            fqdn: a.fqdn.clone(),
            phase: a.phase,
            owner: a.owner.clone(),
            until: (a.phase == Phase::Reserved).then_some(a.expires_at),
        }))
    }

    async fn lease(&self, _: &str, _: Duration, _: u32) -> Result<Vec<Lease>, Fault> {
        unused()
    }
    async fn checkpoint(&self, _: &str, _: &str, _: Checkpoint) -> Result<Timestamp, Fault> {
        unused()
    }
    async fn let_go(&self, _: &str) -> Result<(), Fault> {
        unused()
    }
    async fn hurry(&self, operation: &str) -> Result<bool, Fault> {
        let inner = self.inner()?;
        Ok(inner.operations.iter().any(|o| o.id == operation && o.state == OperationState::Open))
    }
    async fn expire(&self, _: u32) -> Result<u64, Fault> {
        unused()
    }
    async fn note(&self, _: &Allocation, _: Option<Proof>, _: Vec<AuditEntry>) -> Result<bool, Fault> {
        unused()
    }

    async fn allocation(&self, name: &ZoneName) -> Result<Option<(Allocation, Option<Operation>)>, Fault> {
        let inner = self.inner()?;
        Ok(inner.rows.get(name.as_str()).map(|a| (a.clone(), open_of(&inner, name))))
    }

    async fn allocations(&self, filter: &Filter) -> Result<Vec<Allocation>, Fault> {
        let inner = self.inner()?;
        let mut rows: Vec<_> = inner
            .rows
            .values()
            .filter(|a| filter.phase.is_none_or(|phase| a.phase == phase))
            .filter(|a| filter.owner.as_ref().is_none_or(|owner| a.owner == *owner))
            .filter(|a| filter.after.as_ref().is_none_or(|after| a.fqdn.as_str() > after.as_str()))
            .cloned()
            .collect();
        rows.sort_by(|a, b| a.fqdn.cmp(&b.fqdn));
        rows.truncate(filter.limit as usize);
        Ok(rows)
    }

    async fn open_operations(&self, limit: u32) -> Result<Vec<Operation>, Fault> {
        let inner = self.inner()?;
        let open = inner.operations.iter().filter(|o| o.state == OperationState::Open);
        Ok(open.take(limit as usize).cloned().collect())
    }

    async fn operation(&self, id: &str) -> Result<Option<Operation>, Fault> {
        Ok(self.inner()?.operations.iter().find(|o| o.id == id).cloned())
    }

    async fn events(&self, operation: &str, after: i64) -> Result<Vec<StoredEvent>, Fault> {
        let inner = self.inner()?;
        let mine = inner.events.iter().filter(|(id, event)| id == operation && event.seq > after);
        Ok(mine.map(|(_, event)| event.clone()).collect())
    }

    async fn counts(&self) -> Result<Vec<Count>, Fault> {
        let inner = self.inner()?;
        Ok(inner.rows.values().map(|a| Count { pool: a.pool.clone(), phase: a.phase, count: 1 }).collect())
    }

    async fn queue(&self) -> Result<Queue, Fault> {
        self.inner().map(|_| Queue::default())
    }

    async fn audit_log(
        &self,
        fqdn: Option<&ZoneName>,
        _: Option<&str>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, Fault> {
        let inner = self.inner()?;
        let about = |e: &&AuditEntry| fqdn.is_none() || e.fqdn.as_ref() == fqdn;
        let rows = inner.audit.iter().rev().filter(about).filter(|e| before.is_none_or(|b| e.seq < b));
        Ok(rows.take(limit as usize).cloned().collect())
    }

    async fn audit(&self, entry: AuditEntry) -> Result<(), Fault> {
        self.inner()?.audit.push(entry);
        Ok(())
    }

    async fn remember(&self, key: &str, body_digest: &str) -> Result<Remembered, Fault> {
        let mut inner = self.inner()?;
        let Some((body, answer)) = inner.remembered.get(key).cloned() else {
            inner.remembered.insert(key.to_owned(), (body_digest.to_owned(), None));
            return Ok(Remembered::Begin);
        };
        Ok(match answer {
            _ if body != body_digest => Remembered::OtherBody,
            Some((status, response)) => Remembered::Answered { status, response },
            None => Remembered::InProgress,
        })
    }

    async fn answer(&self, key: &str, answer: Option<(u16, Value)>) -> Result<(), Fault> {
        let mut inner = self.inner()?;
        match answer {
            Some(answer) => {
                if let Some(kept) = inner.remembered.get_mut(key) {
                    kept.1 = Some(answer);
                }
            }
            None => {
                inner.remembered.remove(key);
            }
        }
        Ok(())
    }

    async fn freezes(&self) -> Result<Vec<Freeze>, Fault> {
        Ok(self.inner()?.freezes.clone())
    }

    async fn set_freeze(&self, pool: Option<&ZoneName>, on: bool, actor: &str) -> Result<(), Fault> {
        let mut inner = self.inner()?;
        inner.freezes.retain(|f| f.pool.as_ref() != pool);
        if on {
            inner.freezes.push(Freeze { pool: pool.cloned(), by: actor.to_owned(), since: NOW });
        }
        Ok(())
    }

    async fn mark(&self) -> Result<i64, Fault> {
        unused()
    }
    async fn raise_mark(&self, _: i64) -> Result<(), Fault> {
        unused()
    }
    async fn restore(&self, _: &Allocation, _: AuditEntry) -> Result<bool, Fault> {
        unused()
    }
    async fn claims(&self, name: &ZoneName) -> Result<Vec<Claim>, Fault> {
        Ok(claims_on(&*self.inner()?, name))
    }
    async fn put_credential(&self, credential: &SealedCredential) -> Result<(), Fault> {
        self.inner()?.credentials.insert(credential.allocation.clone(), credential.clone());
        Ok(())
    }
    async fn credential(&self, allocation: &str) -> Result<Option<SealedCredential>, Fault> {
        Ok(self.inner()?.credentials.get(allocation).cloned())
    }
    async fn forget_credential(&self, allocation: &str) -> Result<(), Fault> {
        self.inner()?.credentials.remove(allocation);
        Ok(())
    }
    async fn credentials(&self) -> Result<Vec<SealedCredential>, Fault> {
        Ok(self.inner()?.credentials.values().cloned().collect())
    }
    async fn carried(&self, allocation: &str) -> Result<Option<(CarriedZone, i64)>, Fault> {
        Ok(self.inner()?.carried.get(allocation).cloned())
    }
    async fn put_carried(
        &self,
        allocation: &str,
        zone: &CarriedZone,
        before: Option<i64>,
        _: Option<AuditEntry>,
    ) -> Result<bool, Fault> {
        let mut inner = self.inner()?;
        if inner.carried.get(allocation).map(|(_, version)| *version) != before {
            return Ok(false);
        }
        inner.carried.insert(allocation.to_owned(), (zone.clone(), before.unwrap_or(0) + 1));
        Ok(true)
    }
    async fn pool_keys(&self, _: &ZoneName) -> Result<Option<(PoolKeys, i64)>, Fault> {
        Ok(None)
    }
    async fn put_pool_keys(
        &self,
        _: &ZoneName,
        _: &PoolKeys,
        _: Option<i64>,
        _: Vec<AuditEntry>,
    ) -> Result<bool, Fault> {
        unused()
    }
    async fn prune(&self) -> Result<u64, Fault> {
        unused()
    }
}
