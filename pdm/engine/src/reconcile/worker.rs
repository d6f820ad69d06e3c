//! Looks for work: operations that nobody holds, and those whose holder died.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pdm_model::{Allocation, Operation};
use pdm_ports::store::Lease;
use pdm_ports::trace::TARGET;
use tokio::sync::watch;
use tracing::{Instrument as _, debug};

use super::drive;
use crate::engine::Engine;
use crate::intents::commit::Birth;

/// Operations leased at once, at most: intents find the other slots free.
const AT_ONCE: usize = 8;

impl Engine {
    /// Work and sweep until `stop` turns true; then finish the steps that are under way and return.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let beside = [
            tokio::spawn(self.clone().sweep_for_ever(stop.clone())),
            tokio::spawn(self.clone().pool_keys_for_ever(stop.clone())),
            tokio::spawn(self.clone().watch_failover_for_ever(stop.clone())),
            tokio::spawn(self.clone().glance_for_ever(stop.clone())),
            tokio::spawn(self.clone().audit_for_ever(stop.clone())),
            tokio::spawn(self.clone().seal_for_ever(stop.clone())),
        ];
        let all = u32::try_from(self.settings.parallel).unwrap_or(u32::MAX);
        while !*stop.borrow() {
            let pause = match self.look_for_work().await {
                Ok(found) if found > 0 => Duration::from_millis(20),
                Ok(_) => self.settings.poll,
                Err(fault) => {
                    debug!(%fault, "no look for work");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = self.bell.notified() => {}
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
        self.stopping.store(true, Ordering::Relaxed);
        // Every drive gives its slot back at its next step; a call in flight is awaited, not cut.
        let _ = tokio::time::timeout(self.settings.lease, self.slots.acquire_many(all)).await;
        beside.iter().for_each(tokio::task::JoinHandle::abort);
    }

    /// Whether this process may drive operations: the store was compared with the DNS, and no stop was asked for.
    pub(crate) fn may_work(&self) -> bool {
        self.trusted.load(Ordering::Relaxed) && !self.read_only() && !self.stopping.load(Ordering::Relaxed)
    }

    async fn look_for_work(self: &Arc<Self>) -> Result<usize, pdm_ports::Fault> {
        if !self.trusted.load(Ordering::Relaxed) {
            self.compare_store_with_dns().await?;
        }
        self.refresh_freezes().await?;
        if !self.may_work() {
            return Ok(0);
        }
        // Slots first: what is leased without one would lie until its lease runs out.
        let mut slots: Vec<_> =
            std::iter::from_fn(|| self.slots.clone().try_acquire_owned().ok()).take(AT_ONCE).collect();
        if slots.is_empty() {
            return Ok(0);
        }
        let (token, most) = (self.lease_token(), u32::try_from(slots.len()).unwrap_or(u32::MAX));
        let leases = self.parts.store.lease(&token, self.settings.lease, most).await?;
        let found = leases.len();
        for Lease { operation, allocation, token } in leases {
            let id = operation.id.clone();
            self.start(operation, allocation, Birth { id, token, slot: slots.pop() });
        }
        Ok(found)
    }

    /// Drive one leased operation in the background. Nothing of it is tied to the caller.
    pub(crate) fn start(self: &Arc<Self>, operation: Operation, allocation: Allocation, birth: Birth) {
        let Birth { token, slot, .. } = birth;
        let Some(slot) = slot else {
            self.bell.notify_one();
            return;
        };
        let engine = self.clone();
        // Below the request that asked for it, when this process took it; else a trace of its own.
        let span = tracing::trace_span!(
            target: TARGET, "operation", operation = operation.id, kind = operation.kind.as_str(), zone = %allocation.fqdn
        );
        let drive = async move {
            let alone = engine.busy.lock(&allocation.id).await;
            drive::drive(&engine, operation, allocation, token).await;
            let was_last = engine.slots.available_permits() == 0;
            drop((alone, slot));
            if was_last {
                // Somebody may have found no slot.
                engine.bell.notify_one();
            }
        };
        tokio::spawn(drive.instrument(span));
    }
}
