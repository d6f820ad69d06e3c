//! What happened, for others: kept in the store with the change itself, told afterwards, at least once.

use async_trait::async_trait;
use pdm_model::{Phase, Timestamp};
use serde_json::Value;

use crate::fault::Fault;

/// One change of an allocation, or a turn of a finding about a name, that was not told yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Happened {
    /// Place in the store's order.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// The allocation.
    pub allocation: String,
    /// Its name.
    pub fqdn: String,
    /// Its pool.
    pub pool: String,
    /// How its parent is changed.
    pub mode: String,
    /// Whose it is.
    pub owner: String,
    /// Its phase after the change.
    pub phase: Phase,
    /// Its phase before; none when it is new, or when it is told for the first time.
    pub was: Option<Phase>,
    /// Its generation.
    pub generation: i64,
    /// Where its names point.
    pub target: Option<Value>,
    /// Why its names do not answer.
    pub suspended: Option<String>,
    /// What was found about it.
    pub conditions: Value,
    /// A finding of an audit that is new, worse, better or gone: `turn`, `finding`, `report`. The rest is then how the
    /// name stands; of a pool it is nothing but the name.
    pub finding: Option<Value>,
    /// The W3C `traceparent` of what changed it, when that was traced.
    pub trace: Option<String>,
    /// What had been found before; none when it is new, or when it is told for the first time.
    pub conditions_before: Option<Value>,
}

/// How much waits to be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Changes.
    pub count: u64,
    /// The time of the oldest.
    pub oldest: Option<Timestamp>,
}

/// The store's half. Everybody who is told has a queue of their own, so that nobody waits for another.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Keep what happens from now on for `sink`, beginning with how everything stands; or stop keeping and forget.
    async fn keep(&self, sink: &str, on: bool) -> Result<(), Fault>;
    /// What waits for `sink`, in order for each allocation.
    async fn waiting(&self, sink: &str, limit: u32) -> Result<Vec<Happened>, Fault>;
    /// These were told.
    async fn told(&self, seqs: &[i64]) -> Result<(), Fault>;
    /// How much waits for `sink`.
    async fn backlog(&self, sink: &str) -> Result<Backlog, Fault>;
}

/// Whom it is told.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Tell one; it is kept by the other side when this returns. Telling it twice is telling it once.
    async fn tell(&self, happened: &Happened) -> Result<(), Fault>;
}
