//! Whose turn it is to read and change a Sovereign's zone: one in this process, and by a lease in the store one in all.
//!
//! The one writer of a pool zone has its own lease, on the pool's name; this is the same for the zones below it. If the
//! process dies in its turn the lease runs out, and who takes it over waits until no call of the one before can land.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pdm_model::ZoneName;
use pdm_ports::Fault;
use pdm_ports::parent::{LeaseAnswer, ZoneLease};
use pdm_ports::zone::Turn;
use uuid::Uuid;

/// Between two questions for a lease that another process holds.
const PAUSE: Duration = Duration::from_millis(50);

/// The turns of one process.
pub struct Turns {
    lease: Arc<dyn ZoneLease>,
    holder: String,
    /// The longest one call may take.
    call: Duration,
    here: Mutex<HashMap<ZoneName, Arc<tokio::sync::Mutex<()>>>>,
}

/// Gives the lease back.
struct Held {
    turns: Arc<Turns>,
    zone: ZoneName,
    here: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Turns {
    /// Turns by this lease; a call takes at most `call`.
    pub fn new(lease: Arc<dyn ZoneLease>, call: Duration) -> Arc<Self> {
        let holder = format!("turn-{}", Uuid::new_v4().simple());
        Arc::new(Self { lease, holder, call, here: Mutex::default() })
    }

    /// Wait for the zone, but not for ever.
    pub async fn take(self: &Arc<Self>, zone: &ZoneName) -> Result<Turn, Fault> {
        // A read, a write, a flush of caches, and as much again for a third to be longer than one call.
        let length = self.call * 4;
        let busy = || Fault::transient("zone-busy", format!("somebody else is changing {zone}"));
        let wait = async {
            let here = self.lock(zone).lock_owned().await;
            loop {
                match self.lease.acquire(zone, &self.holder, length).await? {
                    LeaseAnswer::Granted { taken_over, changed_hands: _ } => {
                        let held = Held { turns: self.clone(), zone: zone.clone(), here: Some(here) };
                        return Ok((held, taken_over));
                    }
                    LeaseAnswer::Held => tokio::time::sleep(PAUSE).await,
                }
            }
        };
        let (held, taken_over) = tokio::time::timeout(length, wait).await.unwrap_or_else(|_| Err(busy()))?;
        if taken_over {
            tokio::time::sleep(self.call).await;
        }
        Ok(Turn::new(held))
    }

    fn lock(&self, zone: &ZoneName) -> Arc<tokio::sync::Mutex<()>> {
        let mut map = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() > 1024 {
            map.retain(|_, lock| Arc::strong_count(lock) > 1);
        }
        map.entry(zone.clone()).or_default().clone()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let (turns, zone, here) = (self.turns.clone(), self.zone.clone(), self.here.take());
        tokio::spawn(async move {
            if let Err(fault) = turns.lease.give_back(&zone, &turns.holder).await {
                // It runs out by itself; the next one then waits a little longer.
                tracing::warn!(%zone, code = fault.code, "a zone's lease was not given back");
            }
            drop(here);
        });
    }
}
