//! Drives one operation under its lease: the first step not done, then the next, until it waits or is done.
//!
//! If the process dies on any line here, the lease runs out, somebody leases the operation again and begins at the
//! first step that was not written down as done. Every step observes before it writes, so doing it again is boring.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use pdm_model::{
    Allocation, AuditEntry, ConditionKind, Event, Operation, Phase, Proof, Status, StepKind, StepState,
    Timestamp, Wait, Who, set_condition,
};
use pdm_ports::store::{Checkpoint, Then};
use pdm_ports::trace::{self, TARGET};
use pdm_ports::{Class, Fault, ZoneKey};
use serde_json::Value;
use tracing::field::Empty;
use tracing::{Instrument as _, debug, error, info};

use super::backoff;
use crate::engine::Engine;
use crate::steps;

/// One operation being driven.
pub(crate) struct Work {
    pub engine: Arc<Engine>,
    pub operation: Operation,
    pub allocation: Allocation,
    pub token: String,
    /// When our lease ends, by our own clock. No write to the outside begins that could outlive it.
    pub lease_end: Instant,
    /// The store's time, as of the last answer from it.
    pub now: Timestamp,
    pub now_at: Instant,
    /// The keys that PowerDNS holds, and when it was asked for them.
    pub read_keys: Option<(Instant, Vec<ZoneKey>)>,
    /// A receipt that was not written down yet.
    pub proof: Option<Proof>,
    /// Entries of the audit log that were not written down yet.
    pub audit: Vec<AuditEntry>,
}

/// How a step went.
pub(crate) enum Outcome {
    /// Seen to hold.
    Done {
        /// What was seen.
        evidence: Value,
        /// The phase moves by this.
        event: Option<Event>,
        /// This later step was done by the same write.
        also: Option<StepKind>,
    },
    /// Seen to hold without a look outside; nothing worth a transaction.
    Nothing,
    /// Not yet.
    Wait {
        /// Stable reason.
        reason: String,
        /// For people.
        detail: String,
        /// Who must act.
        who: Who,
        /// When to look again.
        again: Duration,
        /// Look at every step again, not only at this one: something that was done may have come undone.
        from_start: bool,
    },
}

impl Work {
    /// The store's time, carried forward by our own monotonic clock.
    pub fn now(&self) -> Timestamp {
        self.now + self.now_at.elapsed()
    }

    pub fn set(&mut self, kind: ConditionKind, status: Status, reason: &str, detail: impl Into<String>) {
        let now = self.now();
        set_condition(&mut self.allocation.conditions, kind, status, reason, detail, now);
    }

    /// The keys that the step before has read, when that was a moment ago; every server is still asked for them.
    pub fn keys_lately(&mut self) -> Option<Vec<ZoneKey>> {
        let (at, keys) = self.read_keys.take()?;
        (at.elapsed() < Duration::from_millis(500)).then_some(keys)
    }

    /// Write down what was learnt, before a write to the outside, and hold on.
    pub async fn hold(&mut self) -> Result<(), Fault> {
        let lease = self.engine.settings.lease;
        self.write(None, Then::Hold(lease), vec![]).await
    }

    /// Write down how things stand; learns the store's time and holds the lease for another period.
    async fn write(&mut self, event: Option<Event>, then: Then, audit: Vec<AuditEntry>) -> Result<(), Fault> {
        let holds = matches!(then, Then::Hold(_));
        let asked = Instant::now();
        let quarantine = match event {
            Some(Event::Removed) => Some(self.quarantine()?),
            Some(_) | None => None,
        };
        let mut observed = self.allocation.observed.clone();
        observed.at = Some(self.now());
        let checkpoint = Checkpoint {
            steps: self.operation.steps.clone(),
            event,
            observed: Some(observed),
            conditions: Some(self.allocation.conditions.clone()),
            proof: self.proof.take(),
            quarantine,
            then,
            audit: self.audit.drain(..).chain(audit).collect(),
        };
        let engine = self.engine.clone();
        self.now = engine.parts.store.checkpoint(&self.operation.id, &self.token, checkpoint).await?;
        self.now_at = Instant::now();
        if holds {
            self.lease_end = asked + engine.settings.lease;
        }
        engine.waiters.changed(&self.operation.id);
        Ok(())
    }

    /// Never shorter than the NS TTL that caches may still hold.
    fn quarantine(&self) -> Result<Duration, Fault> {
        // Never delegated here, and wanted by somebody who proved it.
        if self.allocation.byo.as_ref().is_some_and(|byo| byo.yielded) {
            return Ok(Duration::ZERO);
        }
        let pool = self.engine.pool_of(&self.allocation)?;
        let ns = self.allocation.observed.parent.ns_ttl.map_or(pool.ttls.parent_ns.wait(), |ttl| ttl.wait());
        Ok(pool.quarantine.max(ns))
    }
}

/// Drive an operation until it is done, waits, or is not ours any more.
pub(crate) async fn drive(engine: &Arc<Engine>, operation: Operation, allocation: Allocation, token: String) {
    let fqdn = allocation.fqdn.clone();
    let mut work = Work {
        engine: engine.clone(),
        now: allocation.updated_at.max(operation.created_at),
        operation,
        allocation,
        token,
        lease_end: Instant::now() + engine.settings.lease,
        now_at: Instant::now(),
        read_keys: None,
        proof: None,
        audit: Vec::new(),
    };
    if let Err(fault) = steps_in_order(&mut work).await {
        match fault.class {
            // Superseded, or taken over after our lease ran out: whoever has it now goes on.
            Class::Fenced => debug!(zone = %fqdn, operation = work.operation.id, "left to another"),
            _ => {
                error!(zone = %fqdn, operation = work.operation.id, %fault, "progress could not be written down")
            }
        }
    }
    engine.waiters.at_rest(&work.operation.id);
}

async fn steps_in_order(work: &mut Work) -> Result<(), Fault> {
    while let Some(index) = work.operation.current() {
        if work.engine.stopping.load(Ordering::Relaxed) {
            return work.write(None, Then::LookAgain(Duration::ZERO), vec![]).await;
        }
        let step = work.operation.steps[index].kind;
        if work.engine.is_frozen(&work.allocation.pool) {
            let detail = "changes are frozen until an admin thaws them".to_owned();
            return wait(work, index, "frozen", detail, Who::Operator, Duration::from_secs(2), false).await;
        }
        if work.lease_end.saturating_duration_since(Instant::now()) < work.engine.settings.lease / 2 {
            work.write(None, Then::Hold(work.engine.settings.lease), vec![]).await?;
        }
        let begun = Instant::now();
        let span = tracing::trace_span!(target: TARGET, "step", step = step.as_str(), error = Empty);
        let outcome = steps::run(step, work).instrument(span.clone()).await;
        if let Err(fault) = &outcome {
            span.record("error", fault.code);
        }
        let took = begun.elapsed().as_secs_f64();
        span.in_scope(|| trace::measured("pdm_step_seconds", &[("step", step.as_str())], took));
        drop(span);
        metrics::histogram!("pdm_step_seconds", "step" => step.as_str()).record(took);
        let now = work.now();
        let entry = &mut work.operation.steps[index];
        entry.attempts += 1;
        match outcome {
            Ok(Outcome::Nothing) => {
                entry.state = StepState::Done;
                entry.since = now;
                entry.wait_reason = None;
            }
            Ok(Outcome::Done { evidence, event, also }) => {
                entry.state = StepState::Done;
                entry.since = now;
                entry.wait_reason = None;
                entry.evidence = Some(evidence.clone());
                if let Some(other) = work.operation.steps.iter_mut().find(|s| Some(s.kind) == also) {
                    other.state = StepState::Done;
                    other.since = now;
                    other.attempts += 1;
                    other.wait_reason = None;
                    other.evidence = Some(evidence);
                }
                done(work, event).await?;
            }
            Ok(Outcome::Wait { reason, detail, who, again, from_start }) => {
                return wait(work, index, &reason, detail, who, again, from_start).await;
            }
            Err(fault) if fault.class == Class::Fenced => return Err(fault),
            Err(fault) => {
                let (again, who) = backoff::after(&fault, entry.attempts - 1);
                metrics::counter!("pdm_step_faults_total", "step" => step.as_str(), "class" => fault.class.as_str())
                    .increment(1);
                return wait(work, index, fault.code, fault.detail, who, again, false).await;
            }
        }
    }
    Ok(())
}

/// Write down what was done, and close the operation with its last step.
async fn done(work: &mut Work, event: Option<Event>) -> Result<(), Fault> {
    if work.operation.current().is_some() {
        let hold = Then::Hold(work.engine.settings.lease);
        return work.write(event, hold, vec![]).await;
    }
    work.set(ConditionKind::Progressing, Status::False, "done", "");
    work.set(ConditionKind::AwaitingHuman, Status::False, "none", "");
    let kind = work.operation.kind.as_str();
    let entry = AuditEntry::new("pdm", &format!("{kind}-done"), &work.allocation.fqdn, "");
    work.write(event, Then::Finish, vec![entry]).await?;
    let took = work.now().since(work.operation.created_at);
    metrics::histogram!("pdm_operation_seconds", "kind" => kind).record(took.as_secs_f64());
    let phase = event_phase(work.allocation.phase, event);
    info!(zone = %work.allocation.fqdn, operation = work.operation.id, kind, phase = phase.as_str(), "operation done");
    Ok(())
}

fn event_phase(phase: Phase, event: Option<Event>) -> Phase {
    event.and_then(|e| pdm_model::lifecycle::next_phase(phase, e).ok()).unwrap_or(phase)
}

async fn wait(
    work: &mut Work,
    index: usize,
    reason: &str,
    detail: String,
    who: Who,
    again: Duration,
    from_start: bool,
) -> Result<(), Fault> {
    let now = work.now();
    let entry = &mut work.operation.steps[index];
    debug!(zone = %work.allocation.fqdn, step = entry.kind.as_str(), reason, detail, attempt = entry.attempts, "waits");
    let waited_already = entry.state == StepState::Waiting;
    entry.state = StepState::Waiting;
    if !waited_already {
        entry.since = now;
    }
    entry.wait_reason =
        Some(Wait { reason: reason.to_owned(), detail: detail.clone(), who, until: now + again });
    if from_start {
        for step in &mut work.operation.steps[..index] {
            step.state = StepState::Pending;
        }
    }
    work.set(ConditionKind::Progressing, Status::False, reason, detail.clone());
    match who {
        Who::Nobody => work.set(ConditionKind::AwaitingHuman, Status::False, "none", ""),
        Who::Caller | Who::Operator => work.set(ConditionKind::AwaitingHuman, Status::True, reason, detail),
    }
    let conditions = &mut work.allocation.conditions;
    if let Some(awaiting) = conditions.iter_mut().find(|c| c.kind == ConditionKind::AwaitingHuman) {
        awaiting.who = (who != Who::Nobody).then_some(who);
    }
    work.write(None, Then::LookAgain(again), vec![]).await?;
    // Look on time, not with the next poll. Should this process end before, a poll finds it.
    let engine = work.engine.clone();
    tokio::spawn(async move {
        tokio::time::sleep(again).await;
        engine.bell.notify_one();
    });
    Ok(())
}
