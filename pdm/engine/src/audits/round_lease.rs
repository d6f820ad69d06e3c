//! Which replica goes round. What is looked at over and over is looked at once, whatever the number of replicas: one of
//! them keeps a lease in the store through its rounds and the pauses between them. If it dies, the lease runs out and
//! another goes on.

use std::time::Duration;

use pdm_model::ZoneName;
use pdm_ports::Fault;
use pdm_ports::parent::LeaseAnswer;
use tokio::time::Instant;

use crate::engine::Engine;

/// How long the lease outlives its last renewal, besides the pause between rounds: ten pauses, within these bounds.
const GRACE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// The lease of one kind of round.
pub(super) struct RoundLease<'a> {
    engine: &'a Engine,
    /// A name that no zone can have: the lease is the round's.
    place: Option<ZoneName>,
    pause: Duration,
    grace: Duration,
    renewed: Option<Instant>,
}

impl<'a> RoundLease<'a> {
    /// Of rounds with this name and this pause between them; not taken yet.
    pub(super) fn new(engine: &'a Engine, what: &str, pause: Duration) -> Self {
        let place = ZoneName::parse(&format!("{what}.invalid")).ok();
        Self { engine, place, pause, grace: (pause * 10).clamp(GRACE.0, GRACE.1), renewed: None }
    }

    /// Whether it is ours, from now on until well after the next round.
    pub(super) async fn take(&mut self) -> Result<bool, Fault> {
        let Some(place) = &self.place else { return Ok(false) };
        let length = self.pause + self.grace;
        let answer = self.engine.parts.lease.acquire(place, &self.engine.holder, length).await?;
        self.renewed = (answer != LeaseAnswer::Held).then(Instant::now);
        Ok(self.renewed.is_some())
    }

    /// In a round: still ours, asked of the store only now and then.
    pub(super) async fn keep(&mut self) -> Result<bool, Fault> {
        if self.renewed.is_some_and(|at| at.elapsed() < self.grace / 3) {
            return Ok(true);
        }
        self.take().await
    }

    /// At a graceful stop, so that another replica need not wait. It runs out by itself if this fails.
    pub(super) async fn give_back(self) {
        if let Some(place) = self.place.filter(|_| self.renewed.is_some()) {
            let _ = self.engine.parts.lease.give_back(&place, &self.engine.holder).await;
        }
    }
}
