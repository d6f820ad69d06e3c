//! Stands before PowerDNS until it is safe to write.
//!
//! A pool zone is looked at and, where needed, switched to settings under which delegations can be written. Until that
//! is done, and until every server has forgotten the settings before, the pool takes no change. If the process dies in
//! between, the next start looks again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use async_trait::async_trait;
use pdm_model::canonical::Change;
use pdm_model::{Delegation, DsRecord, ZoneName};
use pdm_ports::zone::{Created, Turn};
use pdm_ports::{
    Class, DelegationChange, Fault, KeyChange, LuaServer, ObservedZone, ParentSide, Signing, Stamp, Whose,
    ZoneBackend, ZoneKey, ZoneSpec, ZoneSummary,
};

use crate::clock::TOLERANCE_MS;
use crate::turns::Turns;

/// What is known about the ground that writes stand on.
#[derive(Default)]
pub struct Ground {
    prepared: RwLock<BTreeSet<ZoneName>>,
    clock_off_ms: AtomicU64,
}

impl Ground {
    /// The pool zone is as PDM needs it, at every server.
    pub fn prepared(&self, pool: &ZoneName) {
        self.prepared.write().unwrap_or_else(PoisonError::into_inner).insert(pool.clone());
    }

    /// How far the host's clock is from the store's.
    pub fn clock_off(&self, ms: u64) {
        self.clock_off_ms.store(ms, Ordering::Relaxed);
    }

    fn must_be_prepared(&self, child: &ZoneName) -> Result<(), Fault> {
        let prepared = self.prepared.read().unwrap_or_else(PoisonError::into_inner);
        match child.parent() {
            Some(pool) if !prepared.contains(&pool) => Err(Fault::transient(
                "pool-not-prepared",
                format!("the pool zone {pool} is not prepared yet"),
            )),
            Some(_) | None => Ok(()),
        }
    }
}

/// The parent's side behind the guard.
pub struct GuardedParent {
    /// What is guarded.
    pub inner: Arc<dyn ParentSide>,
    /// What is known.
    pub ground: Arc<Ground>,
}

#[async_trait]
impl ParentSide for GuardedParent {
    async fn observe(&self, child: &ZoneName) -> Result<Delegation, Fault> {
        self.ground.must_be_prepared(child)?;
        self.inner.observe(child).await
    }

    async fn observe_lately(&self, child: &ZoneName) -> Result<Delegation, Fault> {
        self.ground.must_be_prepared(child)?;
        self.inner.observe_lately(child).await
    }

    async fn apply(
        &self,
        child: &ZoneName,
        change: DelegationChange,
        deadline: Instant,
    ) -> Result<(), Fault> {
        self.ground.must_be_prepared(child)?;
        self.inner.apply(child, change, deadline).await
    }

    async fn mark(&self, pool: &ZoneName) -> Result<Option<i64>, Fault> {
        self.inner.mark(pool).await
    }

    async fn foreign_names(&self, pool: &ZoneName) -> Result<BTreeSet<ZoneName>, Fault> {
        self.inner.foreign_names(pool).await
    }

    async fn each_delegation(
        &self,
        pool: &ZoneName,
        each: &mut (dyn FnMut(ZoneName, Delegation) + Send),
    ) -> Result<(), Fault> {
        self.inner.each_delegation(pool, each).await
    }

    async fn foreign_serial(&self, pool: &ZoneName) -> Result<u32, Fault> {
        self.inner.foreign_serial(pool).await
    }

    async fn pool_ds(&self, pool: &ZoneName) -> Result<BTreeSet<DsRecord>, Fault> {
        self.inner.pool_ds(pool).await
    }
}

/// The servers behind the guard: not healthy while the host's clock is off.
pub struct GuardedZones {
    /// What is guarded.
    pub inner: Arc<dyn ZoneBackend>,
    /// What is known.
    pub ground: Arc<Ground>,
    /// Whose turn it is.
    pub turns: Arc<Turns>,
}

#[async_trait]
impl ZoneBackend for GuardedZones {
    async fn create_zone(&self, spec: &ZoneSpec) -> Result<Created, Fault> {
        self.inner.create_zone(spec).await
    }

    async fn read_zone(&self, name: &ZoneName) -> Result<Option<ObservedZone>, Fault> {
        self.inner.read_zone(name).await
    }

    async fn read_keys(&self, name: &ZoneName) -> Result<Option<Vec<ZoneKey>>, Fault> {
        self.inner.read_keys(name).await
    }

    async fn change_zone(&self, name: &ZoneName, changes: &[Change], stamp: &Stamp) -> Result<(), Fault> {
        self.inner.change_zone(name, changes, stamp).await
    }

    async fn turn(&self, name: &ZoneName) -> Result<Turn, Fault> {
        self.turns.take(name).await
    }

    async fn ensure_signed(&self, name: &ZoneName, stamp: &Stamp) -> Result<(), Fault> {
        self.inner.ensure_signed(name, stamp).await
    }

    async fn read_signing(&self, name: &ZoneName) -> Result<Option<Signing>, Fault> {
        self.inner.read_signing(name).await
    }

    async fn change_signing(&self, name: &ZoneName, whose: &Whose, change: &KeyChange) -> Result<(), Fault> {
        self.inner.change_signing(name, whose, change).await
    }

    async fn change_signals(&self, zone: &ZoneName, changes: &[Change]) -> Result<(), Fault> {
        let _turn = self.turns.take(zone).await?;
        self.inner.change_signals(zone, changes).await
    }

    async fn remove_zone(&self, name: &ZoneName, allocation: &str) -> Result<(), Fault> {
        self.inner.remove_zone(name, allocation).await
    }

    async fn list_zones(&self) -> Result<Vec<ZoneSummary>, Fault> {
        self.inner.list_zones().await
    }

    async fn flush(&self, name: &ZoneName) -> Result<(), Fault> {
        self.inner.flush(name).await
    }

    async fn lua_server(&self) -> Result<LuaServer, Fault> {
        self.inner.lua_server().await
    }

    async fn health(&self) -> Result<String, Fault> {
        let off = self.ground.clock_off_ms.load(Ordering::Relaxed);
        if off >= TOLERANCE_MS {
            let text = format!("the host's clock is {off} ms off the store's; set it by NTP");
            return Err(Fault::new(Class::Rejected, "clock-off", text));
        }
        self.inner.health().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_that_is_not_prepared_takes_no_change() {
        let ground = Ground::default();
        let name = |text: &str| ZoneName::parse(text).unwrap();
        let child = name("omantel.omani.works");
        assert_eq!(ground.must_be_prepared(&child).unwrap_err().class, Class::Transient);
        ground.prepared(&name("omani.works"));
        assert!(ground.must_be_prepared(&child).is_ok());
        assert!(ground.must_be_prepared(&name("a.other.works")).is_err());
    }
}
