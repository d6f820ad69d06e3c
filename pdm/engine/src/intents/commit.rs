//! Commit: from here on the name will be in the DNS.

use std::sync::Arc;

use pdm_model::{Allocation, AuditEntry, Event, Mode, OperationKind, Phase, Refusal, Target};
use pdm_ports::store::{Facts, NewOperation, Wanted, Write};
use uuid::Uuid;

use super::{Accepted, IntentError, RegistrarRequest};
use crate::caller::{Caller, Right};
use crate::engine::Engine;

impl Engine {
    /// Give a reserved name its target. The same body again is the same answer.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn commit(
        self: &Arc<Self>,
        caller: &Caller,
        fqdn: &str,
        token: &str,
        target: Target,
        registrar: Option<RegistrarRequest>,
    ) -> Result<Accepted, IntentError> {
        caller.must(Right::Commit)?;
        self.must_trust_store()?;
        let (name, _) = super::parse_fqdn(fqdn)?;
        let claim = self.claim_of(caller, &name, Some(token)).await?;
        let before = match &claim {
            Some(claim) => claim.as_allocation(),
            None => self.visible(caller, &name).await?,
        };
        super::must_fit(self.tokens.fits(&before.id, token))?;
        let rules = self.settings.rules(&before)?;
        let target = self.admit_target(&name, rules, target).await?;
        let brought = match (claim, registrar) {
            (Some(claim), registrar) => {
                let brought = self.bring(claim, registrar).await?;
                self.settle_dispute(&brought.claim).await?;
                Some(brought)
            }
            (None, Some(_)) if before.mode == Mode::Pool => {
                let detail = "a pool is edited by PDM itself; leave the registrar out";
                return Err(Refusal::new("invalid-body", detail).field("registrar").into());
            }
            (None, _) => None,
        };
        let wanted =
            Wanted { byo: brought.as_ref().map(|b| b.claim.registered.clone()), ..Wanted::default() };
        let born = self.birth(&before, OperationKind::Commit);
        let (actor, id) = (caller.actor.clone(), before.id.clone());
        let claimed = brought.is_some();
        let decision = Arc::new(move |facts: &Facts| {
            let live = match &brought {
                Some(brought) => brought.admitted(facts)?,
                None => super::same(facts, &id)?,
            };
            let mut write = decide_commit(live, &target, &born.0, &actor, facts)?;
            if let Some(brought) = brought.as_ref().filter(|_| write.operation.is_some()) {
                write.drop_claims.push(brought.claim.id.clone());
                write.credential.clone_from(&brought.credential);
            }
            Ok(write)
        });
        let carried_out = self.carry_out(&name, wanted, decision, born.1).await;
        if claimed && matches!(carried_out, Err(IntentError::Refused(_))) {
            self.leave_no_credential(&name, &before.id).await;
        }
        let mut accepted = carried_out?;
        // A repeated commit is answered with the operation of the first, also when that is over.
        if let (None, Some(id)) = (&accepted.operation, &accepted.allocation.commit_operation) {
            accepted.operation = self.parts.store.operation(id).await?;
        }
        Ok(accepted)
    }

    /// An operation to open, leased at birth when this process has a slot free: it then starts without a look for work.
    pub(crate) fn birth(&self, allocation: &Allocation, kind: OperationKind) -> (NewOperation, Birth) {
        let free = if self.may_work() && !self.is_frozen(&allocation.pool) {
            self.slots.clone().try_acquire_owned().ok()
        } else {
            None
        };
        let token = self.lease_token();
        let operation = NewOperation {
            id: Uuid::now_v7().to_string(),
            allocation: allocation.id.clone(),
            fqdn: allocation.fqdn.clone(),
            kind,
            generation: 0,
            holder: self.holder.clone(),
            lease: free.is_some().then(|| (token.clone(), self.settings.lease)),
            quiet: self.settings.lease / 3,
        };
        let birth = Birth { id: operation.id.clone(), token, slot: free };
        (operation, birth)
    }

    /// Decide, and drive at once what was leased at birth.
    pub(crate) async fn carry_out(
        self: &Arc<Self>,
        name: &pdm_model::ZoneName,
        wanted: Wanted,
        decision: pdm_ports::store::Decision,
        birth: Birth,
    ) -> Result<Accepted, IntentError> {
        let decided = self.parts.store.decide(name, wanted, decision).await??;
        let allocation = decided.allocation.ok_or_else(|| super::lost("the intent"))?;
        if let Some(operation) = &decided.operation
            && operation.id == birth.id
            && !decided.quiet
        {
            self.start(operation.clone(), allocation.clone(), birth);
        }
        let operation = decided.operation;
        Ok(Accepted { allocation, operation })
    }
}

/// What a newly born operation has of this process.
pub(crate) struct Birth {
    pub id: String,
    pub token: String,
    pub slot: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// Pure.
fn decide_commit(
    mut live: Allocation,
    target: &Target,
    operation: &NewOperation,
    actor: &str,
    facts: &Facts,
) -> Result<Write, Refusal> {
    super::must_not_be_expired(&live, facts.now)?;
    match live.phase {
        Phase::Reserved => {}
        Phase::Provisioning | Phase::Delegating | Phase::Active => {
            if live.committed.as_ref() == Some(target) {
                return Ok(Write::default());
            }
            return Err(Refusal::new(
                "already-committed",
                format!("{} has another target; change it there", live.fqdn),
            ));
        }
        Phase::Releasing | Phase::Quarantined | Phase::Freed => {
            return Err(Refusal::new("reservation-expired", format!("{} was released", live.fqdn)));
        }
    }
    live.phase = super::moved(&live, Event::Commit)?;
    live.generation += 1;
    live.target = Some(target.clone());
    live.committed = Some(target.clone());
    live.commit_operation = Some(operation.id.clone());
    let detail = serde_json::to_string(target).unwrap_or_default();
    let audit = vec![AuditEntry::new(actor, "commit", &live.fqdn, detail)];
    let operation = NewOperation { generation: live.generation, ..operation.clone() };
    Ok(Write { allocations: vec![live], operation: Some(operation), audit, ..Write::default() })
}
