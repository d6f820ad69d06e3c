//! What a sweep does about keys: it begins rolls that are due, goes on with those that lost their operation, raises the
//! TTL of a DS that has proved itself, and keeps the figures.

use std::collections::BTreeMap;
use std::sync::Arc;

use pdm_dnssec::roll::{Held, due};
use pdm_dnssec::{Dnskey, Name};
use pdm_model::{Allocation, AuditEntry, OperationKind, Phase, Timestamp, Who};
use pdm_ports::Fault;
use pdm_ports::store::{Facts, NewOperation, Wanted, Write};
use tracing::{debug, info};

use crate::engine::Engine;
use crate::intents::IntentError;

/// Rolls begun in one sweep at most: a policy that changed for a whole pool is followed in steps.
const ROLLS: usize = 50;
/// DS TTLs raised in one sweep at most.
const RAISES: usize = 20;

/// The figures of one sweep.
#[derive(Default)]
pub(crate) struct KeyFigures {
    /// Rolls by kind and stage.
    rolls: BTreeMap<(&'static str, &'static str), u32>,
    /// Rolls that rest, and the longest time of one, by who must act.
    resting: BTreeMap<&'static str, (u32, f64)>,
    oldest_roll: f64,
    oldest_key: f64,
    first_expiry: Option<Timestamp>,
    held: u32,
    insecure: u32,
    begun: usize,
    raised: usize,
}

impl KeyFigures {
    /// Count one allocation.
    fn count(&mut self, allocation: &Allocation, now: Timestamp) {
        let state = &allocation.observed.keys;
        if let Some(roll) = &state.roll {
            *self.rolls.entry((roll.kind.as_str(), roll.stage.as_str())).or_default() += 1;
            self.oldest_roll = self.oldest_roll.max(now.since(roll.started_at).as_secs_f64());
        }
        if let Some(rests) = &state.rests {
            let (count, longest) = self.resting.entry(rests.who.as_str()).or_default();
            *count += 1;
            *longest = longest.max(now.since(rests.since).as_secs_f64());
        }
        for age in &state.known {
            self.oldest_key = self.oldest_key.max(now.since(age.since).as_secs_f64());
        }
        let until = state.signatures_until;
        self.first_expiry = [self.first_expiry, until].into_iter().flatten().min();
        self.held += u32::from(allocation.keys.hold.is_some());
        self.insecure += u32::from(state.insecure);
    }

    /// Tell them.
    pub(crate) fn tell(&self, now: Timestamp) {
        for kind in pdm_model::RollKind::ALL {
            for row in pdm_dnssec::roll::table(kind) {
                let key = (kind.as_str(), row.stage.as_str());
                let count = self.rolls.get(&key).copied().unwrap_or_default();
                metrics::gauge!("pdm_rolls", "kind" => key.0, "stage" => key.1).set(f64::from(count));
            }
        }
        for who in Who::ALL.map(Who::as_str) {
            let (count, longest) = self.resting.get(who).copied().unwrap_or_default();
            metrics::gauge!("pdm_rolls_waiting", "who" => who).set(f64::from(count));
            metrics::gauge!("pdm_rolls_waiting_seconds", "who" => who).set(longest);
        }
        metrics::gauge!("pdm_roll_oldest_seconds").set(self.oldest_roll);
        metrics::gauge!("pdm_key_oldest_seconds").set(self.oldest_key);
        metrics::gauge!("pdm_keys_held").set(f64::from(self.held));
        metrics::gauge!("pdm_zones_without_ds").set(f64::from(self.insecure));
        if let Some(first) = self.first_expiry {
            metrics::gauge!("pdm_signature_expiry_seconds").set(first.since(now).as_secs_f64());
        }
    }
}

/// Why an operation is to be opened for a zone that is still.
struct Why {
    kind: OperationKind,
    action: &'static str,
    detail: String,
}

impl Engine {
    /// Look at the keys of one allocation that nothing else is the matter with.
    pub(crate) async fn look_at_keys(
        self: &Arc<Self>,
        allocation: &Allocation,
        now: Timestamp,
        figures: &mut KeyFigures,
    ) -> Result<(), Fault> {
        figures.count(allocation, now);
        if let Some(why) = self.roll_due(allocation, now)? {
            if figures.begun < ROLLS {
                figures.begun += 1;
                self.open(allocation, why).await?;
            }
            return Ok(());
        }
        let ttls = self.pool_of(allocation)?.ttls;
        let ours = allocation.mode.parent() == pdm_model::Parent::Ours;
        let short = ours && allocation.observed.parent.ds_ttl == Some(ttls.parent_ds);
        if short
            && ttls.parent_ds < ttls.parent_ds_proved
            && !allocation.observed.parent.ds.is_empty()
            && self.ds_ttl(allocation, now)? == ttls.parent_ds_proved
            && figures.raised < RAISES
        {
            figures.raised += 1;
            let detail =
                format!("from {} to {} s", ttls.parent_ds.seconds(), ttls.parent_ds_proved.seconds());
            self.open(allocation, Why { kind: OperationKind::Repair, action: "ds-ttl", detail }).await?;
        }
        Ok(())
    }

    /// The roll that is to be begun or gone on with now.
    fn roll_due(&self, allocation: &Allocation, now: Timestamp) -> Result<Option<Why>, Fault> {
        let state = &allocation.observed.keys;
        let roll = |detail| Ok(Some(Why { kind: OperationKind::Roll, action: "roll", detail }));
        if allocation.keys.hold.is_some() {
            return Ok(None);
        }
        if let Some(under_way) = &state.roll {
            return roll(format!("{} goes on", under_way.kind.as_str()));
        }
        if let Some(asked) = state.open_request(&allocation.keys) {
            return roll(format!("{} asked for by {}", asked.kind.as_str(), asked.by));
        }
        // Every key that is known is taken for held: whether it is, the step looks at before it does anything.
        let keys = state.known.iter().filter_map(|age| Dnskey::parse(&age.dnskey));
        let held: Vec<Held> = keys.map(|dnskey| Held { dnskey, active: true, published: true }).collect();
        let (zone, policy) = (Name::from(&allocation.fqdn), self.key_policy(allocation)?);
        let found = due(&zone, &policy, state, &held, &self.key_parent(allocation), now);
        Ok(found.map(|(kind, why)| Why {
            kind: OperationKind::Roll,
            action: "roll",
            detail: format!("{}: {why}", kind.as_str()),
        }))
    }

    /// Strange keys were seen: let a roll look at them.
    pub(crate) async fn tidy(self: &Arc<Self>, allocation: &Allocation, detail: String) -> Result<(), Fault> {
        if allocation.keys.hold.is_some() {
            return Ok(());
        }
        self.open(allocation, Why { kind: OperationKind::Roll, action: "roll", detail }).await
    }

    async fn open(self: &Arc<Self>, allocation: &Allocation, why: Why) -> Result<(), Fault> {
        let (operation, birth) = self.birth(allocation, why.kind);
        let opened = operation.id.clone();
        let (id, generation) = (allocation.id.clone(), allocation.generation);
        let Why { kind, action, detail } = why;
        let text = detail.clone();
        let decision = Arc::new(move |facts: &Facts| {
            let mut write = Write::default();
            let Some(live) = &facts.live else { return Ok(write) };
            let still = facts.open.is_none() && live.id == id && live.generation == generation;
            if still && live.phase == Phase::Active {
                write.operation = Some(NewOperation { generation, ..operation.clone() });
                write.audit.push(AuditEntry::new("pdm", action, &live.fqdn, detail.clone()));
            }
            Ok(write)
        });
        match self.carry_out(&allocation.fqdn, Wanted::default(), decision, birth).await {
            Ok(accepted) if accepted.operation.as_ref().is_some_and(|open| open.id == opened) => {
                info!(zone = %allocation.fqdn, kind = kind.as_str(), why = text, "begun");
            }
            Ok(_) => {}
            Err(IntentError::Refused(refusal)) => debug!(%refusal, "not begun"),
            Err(IntentError::Fault(fault)) => return Err(fault),
        }
        Ok(())
    }
}
