//! Two owners proved one name. The older proof holds as long as it can be repeated: its owner is told and has
//! [`NOTICE`] to publish the TXT again; only when it is not there then does the newer proof win.
//!
//! Once the parent delegates to us, that is the proof, and nothing is disputed any more. What yields was never
//! delegated, so nobody's cache and no certificate knows it, and it passes through no quarantine.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pdm_model::byo::Ownership;
use pdm_model::lifecycle::Event;
use pdm_model::{
    Allocation, AuditEntry, Claim, ConditionKind, OperationKind, Parent, Phase, Refusal, Status, Timestamp,
    Who, ZoneName, set_condition,
};
use pdm_ports::Fault;
use pdm_ports::store::{Facts, NewOperation, Wanted, Write};
use tracing::debug;

use super::IntentError;
use crate::engine::Engine;

/// How long the older owner has.
pub const NOTICE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often a proof is looked for again before the parent delegates here.
pub const AGAIN: Duration = Duration::from_secs(24 * 3600);

impl Engine {
    /// A claim was proved just now. If another owner's undelegated name is in the way, the dispute goes one step on.
    pub(crate) async fn settle_dispute(self: &Arc<Self>, claim: &Claim) -> Result<(), IntentError> {
        let Some((held, _)) = self.parts.store.allocation(&claim.fqdn).await? else { return Ok(()) };
        let ours = self.our_names();
        if held.owner == claim.owner || !undelegated(&held, &ours) {
            return Ok(());
        }
        let repeated = self.is_proved(&held).await?;
        let (operation, birth) = self.birth(&held, OperationKind::Release);
        let wanted = Wanted { byo: Some(claim.registered.clone()), ..Wanted::default() };
        let id = claim.id.clone();
        let decision = Arc::new(move |facts: &Facts| {
            Ok(decide(&id, repeated, &ours, &operation, facts).unwrap_or_default())
        });
        self.carry_out(&claim.fqdn, wanted, decision, birth).await?;
        Ok(())
    }

    /// Whether the proof of a name that the parent does not delegate here yet is to be looked for again.
    pub(crate) fn proof_is_due(&self, held: &Allocation, now: Timestamp) -> bool {
        let due = |o: &Ownership| now.since(o.asked.unwrap_or(o.at).max(o.at)) > AGAIN;
        held.byo.as_ref().is_some_and(|byo| due(&byo.ownership)) && undelegated(held, &self.our_names())
    }

    /// Look for it. Its owner is told when it is gone; servers that are silent say nothing, and are asked the next time.
    pub(crate) async fn repeat_proof(&self, held: Allocation) -> Result<(), Fault> {
        let proved = self.is_proved(&held).await;
        if let Err(fault) = &proved {
            debug!(zone = %held.fqdn, %fault, "its proof could not be looked for");
        }
        let proved = proved.ok();
        let (id, ours) = (held.id.clone(), self.our_names());
        let decision = Arc::new(move |facts: &Facts| {
            // The parent may have delegated here meanwhile.
            let same = |live: &Allocation| live.id == id && undelegated(live, &ours);
            let Some(mut live) = facts.live.clone().filter(same) else {
                return Ok(Write::default());
            };
            match proved {
                Some(true) => proved_again(&mut live, facts.now),
                Some(false) => {
                    let detail = "what proved it is not there any more; publish the TXT again at every nameserver of the domain";
                    unproved(&mut live, "ownership-unproved", detail, facts.now);
                }
                None => asked(&mut live, facts.now),
            }
            Ok(Write { allocations: vec![live], ..Write::default() })
        });
        // A refusal is not among its answers.
        let _ = self.parts.store.decide(&held.fqdn, Wanted::default(), decision).await?;
        Ok(())
    }

    fn our_names(&self) -> BTreeSet<ZoneName> {
        self.settings.nameservers.iter().cloned().collect()
    }
}

/// Why a claim cannot take this name of another owner yet; none when it is no matter of proofs.
pub(crate) fn refusal(claim: &Claim, held: &Allocation, facts: &Facts) -> Option<Refusal> {
    let disputed = facts.claims.iter().find(|c| c.id == claim.id)?.disputed_at?;
    if held.byo.as_ref().is_some_and(|byo| byo.yielded) {
        let detail =
            format!("{} is being given back by its former owner; commit again in a moment", held.fqdn);
        return Some(Refusal::new("ownership-disputed", detail).retry_after(5));
    }
    let until = disputed + NOTICE;
    let detail = format!(
        "another owner proved {} before and has until {until} to prove it again; commit again after that",
        held.fqdn
    );
    let wait = u32::try_from(until.since(facts.now).as_secs()).unwrap_or(u32::MAX).clamp(60, 24 * 3600);
    Some(Refusal::new("ownership-disputed", detail).retry_after(wait))
}

/// Brought, at work, and never led here.
fn undelegated(held: &Allocation, ours: &BTreeSet<ZoneName>) -> bool {
    let here = |set: &BTreeSet<ZoneName>| !set.is_disjoint(ours);
    let memory = held.observed.foreign.as_ref().map(|f| &f.memory);
    held.mode.parent() == Parent::Foreign
        && matches!(held.phase, Phase::Provisioning | Phase::Delegating)
        && !here(&held.observed.parent.ns)
        && !memory.is_some_and(|memory| memory.ns.iter().any(|n| here(&n.set)))
}

/// The next step of a dispute; none when there is nothing to do. Pure.
fn decide(
    claim: &str,
    repeated: bool,
    ours: &BTreeSet<ZoneName>,
    operation: &NewOperation,
    facts: &Facts,
) -> Option<Write> {
    let claim = facts.claims.iter().find(|c| c.id == claim)?;
    let mut held = facts.live.clone().filter(|held| held.owner != claim.owner && undelegated(held, ours))?;
    let note = |action: &str, detail: String| vec![AuditEntry::new("pdm", action, &claim.fqdn, detail)];
    if repeated {
        proved_again(&mut held, facts.now);
        let audit =
            note("dispute-lost", format!("{} proved it again; {} does not get it", held.owner, claim.owner));
        let claims = vec![Claim { disputed_at: None, ..claim.clone() }];
        return Some(Write { allocations: vec![held], claims, audit, ..Write::default() });
    }
    let Some(since) = claim.disputed_at else {
        let until = facts.now + NOTICE;
        let detail = format!(
            "another owner proved this domain, and the TXT that proved it yours is not there any more; publish it again \
             before {until}, or it goes to them"
        );
        unproved(&mut held, "ownership-disputed", &detail, facts.now);
        let audit = note("dispute", format!("{} has until {until} to prove it again", held.owner));
        let claims = vec![Claim { disputed_at: Some(facts.now), ..claim.clone() }];
        return Some(Write { allocations: vec![held], claims, audit, ..Write::default() });
    };
    if facts.now.since(since) < NOTICE {
        return None;
    }
    held.phase = super::moved(&held, Event::Release).ok()?;
    held.generation += 1;
    held.byo.as_mut()?.yielded = true;
    let audit = note("dispute-won", format!("{} did not prove it again; {} did", held.owner, claim.owner));
    let operation = Some(NewOperation { generation: held.generation, ..operation.clone() });
    Some(Write {
        allocations: vec![held],
        supersede: facts.open.is_some(),
        operation,
        audit,
        ..Write::default()
    })
}

fn proved_again(held: &mut Allocation, now: Timestamp) {
    asked(held, now);
    if let Some(byo) = &mut held.byo {
        byo.ownership.at = now;
    }
    set_condition(&mut held.conditions, ConditionKind::OwnershipProved, Status::True, "proved", "", now);
}

fn asked(held: &mut Allocation, now: Timestamp) {
    if let Some(byo) = &mut held.byo {
        byo.ownership.asked = Some(now);
    }
}

fn unproved(held: &mut Allocation, reason: &str, detail: &str, now: Timestamp) {
    asked(held, now);
    set_condition(&mut held.conditions, ConditionKind::OwnershipProved, Status::False, reason, detail, now);
    if let Some(condition) = held.conditions.iter_mut().find(|c| c.kind == ConditionKind::OwnershipProved) {
        condition.who = Some(Who::Caller);
    }
}
