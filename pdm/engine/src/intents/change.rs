//! Another target, a suspension, a resumption, another owner.

use std::sync::Arc;

use pdm_model::{Allocation, AuditEntry, Event, OperationKind, Refusal, Target};
use pdm_ports::store::{Facts, NewOperation, Wanted, Write};

use super::{Accepted, IntentError};
use crate::caller::{Caller, Right, valid_owner};
use crate::engine::Engine;

/// What changes about the desired state; false when it is so already.
pub(crate) type Edit = Box<dyn Fn(&mut Allocation, &Facts) -> Result<bool, Refusal> + Send + Sync>;

impl Engine {
    /// Point the six names elsewhere.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn retarget(
        self: &Arc<Self>,
        caller: &Caller,
        fqdn: &str,
        target: Target,
    ) -> Result<Accepted, IntentError> {
        caller.must(Right::Commit)?;
        let (name, _) = super::parse_fqdn(fqdn)?;
        let before = self.visible(caller, &name).await?;
        let rules = self.settings.rules(&before)?;
        let target = self.admit_target(&name, rules, target).await?;
        let detail = serde_json::to_string(&target).unwrap_or_default();
        let edit: Edit = Box::new(move |a, _| {
            let target = super::drain::carried_over(a.target.as_ref(), target.clone());
            let differs = a.target.as_ref() != Some(&target);
            a.target = Some(target);
            Ok(differs)
        });
        self.change(caller, &before, "target", detail, edit).await
    }

    /// Stop answering for the six names; the name, the zone and the chain stay.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn suspend(
        self: &Arc<Self>,
        caller: &Caller,
        fqdn: &str,
        reason: &str,
    ) -> Result<Accepted, IntentError> {
        caller.must(Right::Administer)?;
        let (name, _) = super::parse_fqdn(fqdn)?;
        let reason: String = reason.chars().filter(|c| !c.is_control()).take(500).collect();
        if reason.trim().is_empty() {
            return Err(Refusal::new("invalid-parameter", "say why").field("reason").into());
        }
        let before = self.visible(caller, &name).await?;
        let kept = reason.clone();
        let edit: Edit = Box::new(move |a, _| Ok(a.suspended.replace(kept.clone()).is_none()));
        self.change(caller, &before, "suspend", reason, edit).await
    }

    /// Answer again.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn resume(self: &Arc<Self>, caller: &Caller, fqdn: &str) -> Result<Accepted, IntentError> {
        caller.must(Right::Administer)?;
        let (name, _) = super::parse_fqdn(fqdn)?;
        let before = self.visible(caller, &name).await?;
        let edit: Edit = Box::new(|a, _| Ok(a.suspended.take().is_some()));
        self.change(caller, &before, "resume", String::new(), edit).await
    }

    pub(crate) async fn change(
        self: &Arc<Self>,
        caller: &Caller,
        before: &Allocation,
        verb: &'static str,
        detail: String,
        edit: Edit,
    ) -> Result<Accepted, IntentError> {
        self.must_trust_store()?;
        let (operation, birth) = self.birth(before, OperationKind::Change);
        let (actor, id) = (caller.actor.clone(), before.id.clone());
        let decision = Arc::new(move |facts: &Facts| {
            let mut live = super::same(facts, &id)?;
            live.phase = super::moved(&live, Event::Change)?;
            if !edit(&mut live, facts)? {
                return Ok(Write::default());
            }
            live.generation += 1;
            let audit = vec![AuditEntry::new(&actor, verb, &live.fqdn, detail.clone())];
            let operation = Some(NewOperation { generation: live.generation, ..operation.clone() });
            Ok(Write {
                allocations: vec![live],
                supersede: facts.open.is_some(),
                operation,
                audit,
                ..Write::default()
            })
        });
        self.carry_out(&before.fqdn, Wanted::default(), decision, birth).await
    }

    /// Give a name to another owner. The zone's stamp follows with the next write.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn transfer(
        self: &Arc<Self>,
        caller: &Caller,
        fqdn: &str,
        owner: &str,
    ) -> Result<Allocation, IntentError> {
        caller.must(Right::Administer)?;
        self.must_trust_store()?;
        if !valid_owner(owner) {
            return Err(Refusal::new("invalid-parameter", "1 to 100 letters, digits and any of . _ : @ / -")
                .field("owner")
                .into());
        }
        let (name, _) = super::parse_fqdn(fqdn)?;
        let before = self.visible(caller, &name).await?;
        let (operation, birth) = self.birth(&before, OperationKind::Change);
        let (actor, id, owner) = (caller.actor.clone(), before.id, owner.to_owned());
        let decision = Arc::new(move |facts: &Facts| {
            let mut live = super::same(facts, &id)?;
            if live.owner == owner {
                return Ok(Write::default());
            }
            live.phase = super::moved(&live, Event::Transfer)?;
            let detail = format!("from {} to {owner}", live.owner);
            let audit = vec![AuditEntry::new(&actor, "transfer", &live.fqdn, detail)];
            live.owner.clone_from(&owner);
            live.generation += 1;
            // The stamp in the zone names the owner, so a zone that exists is written once more.
            let operation = live
                .phase
                .has_zone()
                .then(|| NewOperation { generation: live.generation, ..operation.clone() });
            let supersede = operation.is_some() && facts.open.is_some();
            Ok(Write { allocations: vec![live], supersede, operation, audit, ..Write::default() })
        });
        Ok(self.carry_out(&name, Wanted::default(), decision, birth).await?.allocation)
    }
}
