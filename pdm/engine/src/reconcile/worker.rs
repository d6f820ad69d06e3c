//! Looks for work: operations that nobody holds, and those whose holder died.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pdm_model::{Allocation, Operation};
use pdm_ports::store::Lease;
use pdm_ports::trace::TARGET;
use tokio::sync::watch;
use tracing::{Instrument as _, debug, warn};

use super::drive;
use crate::engine::Engine;
use crate::intents::commit::Birth;

impl Engine {
    /// Work and sweep until `stop` turns true; then finish the steps that are under way and return.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let beside = [
            tokio::spawn(self.clone().sweep_for_ever(stop.clone())),
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
        let free = u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX).min(32);
        if free == 0 {
            return Ok(0);
        }
        let token = self.lease_token();
        let leases = self.parts.store.lease(&token, self.settings.lease, free).await?;
        let found = leases.len();
        for Lease { operation, allocation, token } in leases {
            let slot = self.slots.clone().try_acquire_owned().ok();
            if slot.is_none() {
                // An intent took the last slot meanwhile. The lease runs out and somebody takes it up.
                warn!(operation = operation.id, "leased without a free slot");
            }
            let id = operation.id.clone();
            self.start(operation, allocation, Birth { id, token, slot });
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
            drop((alone, slot));
        };
        tokio::spawn(drive.instrument(span));
    }
}
