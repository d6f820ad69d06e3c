//! Release: supersedes whatever is open, and goes down in the safe order.

use std::sync::Arc;

use pdm_model::{Allocation, AuditEntry, Event, OperationKind, Phase, Refusal, ZoneName};
use pdm_ports::store::{Facts, NewOperation, Wanted, Write};

use super::{Accepted, IntentError};
use crate::caller::{Caller, Right, Role};
use crate::engine::Engine;

impl Engine {
    /// Give a name back. Repeating it is harmless.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn release(
        self: &Arc<Self>,
        caller: &Caller,
        fqdn: &str,
        token: Option<&str>,
    ) -> Result<Accepted, IntentError> {
        caller.must(Right::Release)?;
        self.must_trust_store()?;
        let (name, _) = super::parse_fqdn(fqdn)?;
        // A name that is in use is meant before a claim on it, of which its token tells.
        let used = |a: &Allocation| a.phase.has_zone() || a.phase == Phase::Releasing;
        let here =
            self.parts.store.allocation(&name).await?.is_some_and(|(a, _)| used(&a) && caller.sees(&a));
        if (!here || token.is_some())
            && let Some(withdrawn) = self.withdraw_claim(caller, &name, token).await?
        {
            return Ok(withdrawn);
        }
        let before = self.visible(caller, &name).await?;
        if before.phase == Phase::Freed {
            return Err(super::not_found().into());
        }
        may_release(caller, &before, token.map(|t| self.tokens.fits(&before.id, t)))?;
        let limit = match caller.role {
            Role::Admin => u32::MAX,
            Role::Provisioner | Role::Wizard | Role::Auditor | Role::Legacy | Role::DnsDoor => {
                self.settings.rules(&before)?.withdrawals_per_hour
            }
        };
        let counted = (limit < u32::MAX).then(|| before.pool.clone());
        let wanted = Wanted { releases_of: counted, ..Wanted::default() };
        let (operation, birth) = self.birth(&before, OperationKind::Release);
        let (actor, id) = (caller.actor.clone(), before.id.clone());
        let decision = Arc::new(move |facts: &Facts| decide_release(&id, &operation, limit, &actor, facts));
        self.carry_out(&name, wanted, decision, birth).await
    }
}

impl Engine {
    /// A claim that was never proved is given back by forgetting it.
    async fn withdraw_claim(
        self: &Arc<Self>,
        caller: &Caller,
        name: &ZoneName,
        token: Option<&str>,
    ) -> Result<Option<Accepted>, IntentError> {
        let Some(claim) = self.claim_of(caller, name, token).await? else { return Ok(None) };
        let allocation = Allocation { phase: Phase::Freed, ..claim.as_allocation() };
        may_release(caller, &allocation, token.map(|t| self.tokens.fits(&claim.id, t)))?;
        let (actor, id) = (caller.actor.clone(), claim.id);
        let decision = Arc::new(move |_: &Facts| {
            let audit = vec![AuditEntry::new(&actor, "release", &claim.fqdn, "the claim")];
            Ok(Write { drop_claims: vec![id.clone()], audit, ..Write::default() })
        });
        self.parts.store.decide(name, Wanted::default(), decision).await??;
        Ok(Some(Accepted { allocation, operation: None }))
    }
}

/// An owner's token or an admin needs no reservation token; a token that is given must fit.
fn may_release(caller: &Caller, allocation: &Allocation, fits: Option<bool>) -> Result<(), Refusal> {
    if let Some(fits) = fits {
        return super::must_fit(fits);
    }
    let may = match caller.role {
        Role::Admin => true,
        Role::Legacy => allocation.legacy,
        Role::DnsDoor => false,
        Role::Provisioner | Role::Wizard | Role::Auditor => caller.owner.as_ref() == Some(&allocation.owner),
    };
    if may { Ok(()) } else { Err(Refusal::new("token-mismatch", "give the reservation token of this name")) }
}

/// Pure.
fn decide_release(
    id: &str,
    operation: &NewOperation,
    limit: u32,
    actor: &str,
    facts: &Facts,
) -> Result<Write, Refusal> {
    let mut live = super::same(facts, id)?;
    let was = live.phase;
    live.phase = super::moved(&live, Event::Release)?;
    match was {
        // On its way, or gone: nothing to do again.
        Phase::Releasing | Phase::Quarantined => return Ok(Write::default()),
        Phase::Reserved => {
            // A reclaimed name goes back into its quarantine, not to whoever comes next.
            if live.quarantined_until.is_some_and(|until| until > facts.now) {
                live.phase = Phase::Quarantined;
            }
            let audit = vec![AuditEntry::new(actor, "release", &live.fqdn, "the reservation")];
            return Ok(Write { allocations: vec![live], audit, ..Write::default() });
        }
        Phase::Provisioning | Phase::Delegating | Phase::Active | Phase::Freed => {}
    }
    if facts.releases_last_hour >= limit {
        let detail = format!("{} releases in this pool within the last hour", facts.releases_last_hour);
        return Err(Refusal::new("too-many-withdrawals", detail).retry_after(600));
    }
    live.generation += 1;
    let audit = vec![AuditEntry::new(actor, "release", &live.fqdn, format!("while {}", was.as_str()))];
    let operation = Some(NewOperation { generation: live.generation, ..operation.clone() });
    Ok(Write {
        allocations: vec![live],
        supersede: facts.open.is_some(),
        operation,
        audit,
        ..Write::default()
    })
}
