//! Tells what happened: one process at a time, one after the other, so that the order of each Sovereign is kept.
//!
//! A change is told, then crossed out. If the process dies in between it is told again, and the sink knows it by its
//! place. While the sink does not take anything, everything waits in the store.

use std::sync::Arc;
use std::time::Duration;

use pdm_model::ZoneName;
use pdm_ports::Fault;
use pdm_ports::outbox::{EventSink, Outbox};
use pdm_ports::parent::{LeaseAnswer, ZoneLease};
use tokio::sync::watch;

/// Changes read at once.
const PAGE: u32 = 100;
/// Between two looks when nothing waits.
const IDLE: Duration = Duration::from_millis(500);
/// How long the right to tell is held.
const HELD: Duration = Duration::from_secs(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Who tells, from where, to whom.
pub struct Teller {
    /// The queue: one for each sink.
    pub sink_name: &'static str,
    /// Where it waits.
    pub outbox: Arc<dyn Outbox>,
    /// Whom it is told.
    pub sink: Arc<dyn EventSink>,
    /// One teller across replicas.
    pub lease: Arc<dyn ZoneLease>,
    /// Names this process.
    pub holder: String,
}

impl Teller {
    /// Tell until `stop`.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        // A name that no zone can have: the lease is the teller's.
        let Ok(place) = ZoneName::parse(&format!("{}.outbox.invalid", self.sink_name)) else { return };
        let mut pause = IDLE;
        while !*stop.borrow() {
            let wait = match self.round(&place).await {
                Ok(told) if told > 0 => {
                    pause = IDLE;
                    Duration::ZERO
                }
                Ok(_) => {
                    pause = IDLE;
                    IDLE
                }
                Err(fault) => {
                    tracing::warn!(%fault, sink = self.sink_name, "events wait in the store");
                    metrics::counter!("pdm_event_faults_total", "sink" => self.sink_name, "code" => fault.code)
                        .increment(1);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stop.changed() => {}
            }
        }
        // It runs out by itself if this fails.
        let _ = self.lease.give_back(&place, &self.holder).await;
    }

    async fn round(&self, place: &ZoneName) -> Result<usize, Fault> {
        self.measure().await?;
        if self.lease.acquire(place, &self.holder, HELD).await? == LeaseAnswer::Held {
            return Ok(0);
        }
        let begun = tokio::time::Instant::now();
        let mut done = 0;
        for happened in self.outbox.waiting(self.sink_name, PAGE).await? {
            // Another may tell by now: ask for the lease again first.
            if begun.elapsed() > HELD / 2 {
                break;
            }
            self.sink.tell(&happened).await?;
            self.outbox.told(&[happened.seq]).await?;
            metrics::counter!("pdm_events_told_total", "sink" => self.sink_name).increment(1);
            done += 1;
        }
        Ok(done)
    }

    async fn measure(&self) -> Result<(), Fault> {
        let backlog = self.outbox.backlog(self.sink_name).await?;
        metrics::gauge!("pdm_events_waiting", "sink" => self.sink_name)
            .set(f64::from(u32::try_from(backlog.count).unwrap_or(u32::MAX)));
        let oldest = backlog.oldest.map_or(0.0, |at| at.0 as f64 / 1000.0);
        metrics::gauge!("pdm_events_oldest_timestamp_seconds", "sink" => self.sink_name).set(oldest);
        Ok(())
    }
}
