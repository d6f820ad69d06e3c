//! The parent's side of a delegation: one port, whoever can edit it.

use std::collections::BTreeSet;
use std::time::Instant;

use async_trait::async_trait;
use pdm_model::{Delegation, DsRecord, Ttl, ZoneName};

use crate::fault::Fault;

/// A change of one child's delegation. `None` leaves that RRset as it is; an empty set removes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DelegationChange {
    /// The NS set to write.
    pub ns: Option<(BTreeSet<ZoneName>, Ttl)>,
    /// The DS set to write.
    pub ds: Option<(BTreeSet<DsRecord>, Ttl)>,
    /// The operation's place in the store's order; the parent keeps the highest it saw.
    pub mark: i64,
}

/// Who can edit the parent of a child.
#[async_trait]
pub trait ParentSide: Send + Sync {
    /// What the parent holds for `child` now, read where it is edited.
    async fn observe(&self, child: &ZoneName) -> Result<Delegation, Fault>;
    /// The same, or as it was a fraction of a second ago, when the whole parent was looked at: as good for a decision
    /// whose write follows later anyway, and a call less.
    async fn observe_lately(&self, child: &ZoneName) -> Result<Delegation, Fault> {
        self.observe(child).await
    }
    /// Bring the parent to the change. Nothing is written when it already agrees. A name that holds records of
    /// somebody else is `NotOurs`. Nothing is sent after `deadline`, which is the end of the caller's lease.
    async fn apply(&self, child: &ZoneName, change: DelegationChange, deadline: Instant)
    -> Result<(), Fault>;
    /// The highest mark the parent remembers; none when it is new.
    async fn mark(&self, pool: &ZoneName) -> Result<Option<i64>, Fault>;
    /// Names under `pool` that hold records which PDM did not write.
    async fn foreign_names(&self, pool: &ZoneName) -> Result<BTreeSet<ZoneName>, Fault>;
    /// Every delegation in `pool`, one child after the other: there may be very many.
    async fn each_delegation(
        &self,
        pool: &ZoneName,
        each: &mut (dyn FnMut(ZoneName, Delegation) + Send),
    ) -> Result<(), Fault>;
    /// A number that changes whenever somebody else changed the pool zone since PDM last read it.
    async fn foreign_serial(&self, pool: &ZoneName) -> Result<u32, Fault>;
    /// The DS of the pool itself, to hand to its registrar, and where proofs start.
    async fn pool_ds(&self, pool: &ZoneName) -> Result<BTreeSet<DsRecord>, Fault>;
}

/// One writer per parent zone across replicas: a lease in the store.
#[async_trait]
pub trait ZoneLease: Send + Sync {
    /// Become the writer of `zone` until `ttl` from now. `Granted { taken_over }` says that the one before did not
    /// give it back, so one of its calls may still land.
    async fn acquire(
        &self,
        zone: &ZoneName,
        holder: &str,
        ttl: std::time::Duration,
    ) -> Result<LeaseAnswer, Fault>;
    /// Give it back.
    async fn give_back(&self, zone: &ZoneName, holder: &str) -> Result<(), Fault>;
}

/// What came of asking for a zone's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseAnswer {
    /// Ours now. `changed_hands` when another holder had it since we last did: what we remember may be stale.
    Granted {
        /// The one before did not give it back.
        taken_over: bool,
        /// Another holder had it in between.
        changed_hands: bool,
    },
    /// Another writer has it.
    Held,
}

/// The lease where there is one process only: it has every turn.
#[derive(Debug, Clone, Copy, Default)]
pub struct OneProcess;

#[async_trait]
impl ZoneLease for OneProcess {
    async fn acquire(&self, _: &ZoneName, _: &str, _: std::time::Duration) -> Result<LeaseAnswer, Fault> {
        Ok(LeaseAnswer::Granted { taken_over: false, changed_hands: false })
    }

    async fn give_back(&self, _: &ZoneName, _: &str) -> Result<(), Fault> {
        Ok(())
    }
}
