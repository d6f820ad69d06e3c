//! Rolls asked for, held, and a policy of its own: intents like any other, done by a worker after the commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use pdm_dnssec::roll::policy_error;
use pdm_dnssec::{Dnskey, Name};
use pdm_model::keys::{Asked, Digest, Hold, KeyIntent, KeyPolicy, KeyState, RollKind};
use pdm_model::pool_keys::PoolDs;
use pdm_model::{Allocation, AuditEntry, DsRecord, OperationKind, Phase, Refusal, StepKind, Wait, ZoneName};
use pdm_ports::store::{Facts, NewOperation, Wanted, Write};

use super::{Accepted, IntentError};
use crate::caller::{Caller, Right};
use crate::engine::Engine;
use crate::sweep::awaits_owner;

/// Characters of a reason that are kept.
const MAX_REASON: usize = 500;

/// How the keys of a name, or of a pool's own zone, stand; for people.
#[derive(Debug, Clone)]
pub struct KeysReport {
    /// Whose.
    pub fqdn: ZoneName,
    /// What is remembered of its keys.
    pub state: KeyState,
    /// What people want of them.
    pub intent: KeyIntent,
    /// The policy that counts.
    pub policy: KeyPolicy,
    /// DS that the parent is to hold.
    pub ds: BTreeSet<DsRecord>,
    /// DS that it was last seen to hold.
    pub parent_ds: BTreeSet<DsRecord>,
    /// What a roll waits for.
    pub waits: Option<Wait>,
    /// How the DS stands at the parent; of a pool only.
    pub at_parent: Option<PoolDs>,
}

/// A roll that was asked for.
#[derive(Debug, Clone)]
pub enum Rolling {
    /// Of a name: its operation carries it out.
    Name(Box<Accepted>),
    /// Of a pool's own zone: whoever drives its keys does.
    Pool(Box<KeysReport>),
}

/// One known key, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLine {
    /// Key tag.
    pub tag: u16,
    /// Algorithm number.
    pub algorithm: u8,
    /// A KSK or CSK.
    pub entry_point: bool,
    /// DS (SHA-256), for entry points.
    pub ds: Option<String>,
}

/// What a DNSKEY says; none for one that cannot be read.
#[must_use]
pub fn key_line(zone: &ZoneName, dnskey: &str) -> Option<KeyLine> {
    let key = Dnskey::parse(dnskey)?;
    let entry_point = key.is_entry_point();
    let ds = entry_point.then(|| key.ds(&Name::from(zone), pdm_dnssec::DsDigest::Sha256).to_string());
    Some(KeyLine { tag: key.key_tag(), algorithm: key.algorithm(), entry_point, ds })
}

fn tidy(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect()
}

/// Whether a roll may be asked for now: none is held, and nothing is under way; an emergency waits for what is.
pub(crate) fn may_ask(intent: &KeyIntent, state: &KeyState, kind: RollKind) -> Result<(), Refusal> {
    if let Some(hold) = &intent.hold {
        let detail = format!("rolls are held by {} since {}: {}", hold.by, hold.since, hold.reason);
        return Err(Refusal::new("not-acceptable-state", detail));
    }
    let busy = state.roll.as_ref().map(|roll| roll.kind);
    let asked = state.open_request(intent).map(|asked| asked.kind);
    if let Some(other) = busy.or(asked).filter(|_| kind != RollKind::Emergency) {
        let detail = format!("a roll of kind {} is under way", other.as_str());
        return Err(Refusal::new("roll-under-way", detail));
    }
    Ok(())
}

impl Engine {
    /// Keys, policy and roll of a name, as the store knows them.
    ///
    /// # Errors
    /// `not-found`, also for what the caller may not know; or a fault of the store.
    pub async fn keys(&self, caller: &Caller, fqdn: &str) -> Result<KeysReport, IntentError> {
        if let Some(pool) = self.pool_called(fqdn) {
            return self.keys_of_pool(caller, pool).await;
        }
        let Accepted { allocation, operation } = self.get(caller, fqdn).await?;
        let policy = self.key_policy(&allocation)?;
        let step = operation.iter().flat_map(|o| &o.steps).find(|step| step.kind == StepKind::RollKeys);
        Ok(KeysReport {
            waits: step.and_then(|step| step.wait_reason.clone()),
            policy,
            ds: allocation.observed.ds.into_iter().collect(),
            parent_ds: allocation.observed.parent.ds,
            state: allocation.observed.keys,
            intent: allocation.keys,
            fqdn: allocation.fqdn,
            at_parent: None,
        })
    }

    /// Replace keys. An emergency waits for a roll that is under way; any other kind is refused then.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn roll(
        self: &Arc<Self>,
        caller: &Caller,
        fqdn: &str,
        kind: RollKind,
        reason: &str,
    ) -> Result<Rolling, IntentError> {
        caller.must(Right::Administer)?;
        self.must_trust_store()?;
        if let Some(pool) = self.pool_called(fqdn) {
            return self
                .roll_pool(caller, pool, kind, tidy(reason))
                .await
                .map(|r| Rolling::Pool(Box::new(r)));
        }
        let (name, _) = super::parse_fqdn(fqdn)?;
        let before = self.visible(caller, &name).await?;
        let (operation, birth) = self.birth(&before, OperationKind::Roll);
        let (actor, id, reason) = (caller.actor.clone(), before.id.clone(), tidy(reason));
        let decision = Arc::new(move |facts: &Facts| {
            let mut live = super::same(facts, &id)?;
            if live.phase != Phase::Active {
                let detail = format!("keys roll while a name is active, and it is {}", live.phase.as_str());
                return Err(Refusal::new("not-acceptable-state", detail));
            }
            may_ask(&live.keys, &live.observed.keys, kind)?;
            live.keys.asked = Some(Asked { kind, by: actor.clone(), reason: reason.clone(), at: facts.now });
            let detail = format!("{}: {reason}", kind.as_str());
            let audit = vec![AuditEntry::new(&actor, "roll", &live.fqdn, detail)];
            // What is open goes on first: whoever drives a roll looks at what was asked for, and the sweep does. But not
            // a repair that waits for an owner to put a DS back: who wants none any more asks for a roll.
            let supersede = facts.open.as_ref().is_some_and(awaits_owner);
            let operation = (supersede || facts.open.is_none())
                .then(|| NewOperation { generation: live.generation, ..operation.clone() });
            Ok(Write { allocations: vec![live], operation, supersede, audit, ..Write::default() })
        });
        let accepted = self.carry_out(&name, Wanted::default(), decision, birth).await?;
        Ok(Rolling::Name(Box::new(accepted)))
    }

    /// Stop rolls of a name where they are, or let them go on. Every stage is safe to rest in.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn hold_keys(
        self: &Arc<Self>,
        caller: &Caller,
        fqdn: &str,
        hold: bool,
        reason: &str,
    ) -> Result<KeysReport, IntentError> {
        caller.must(Right::Administer)?;
        let (actor, reason) = (caller.actor.clone(), tidy(reason));
        if let Some(pool) = self.pool_called(fqdn) {
            self.must_trust_store()?;
            return self.hold_pool(caller, pool, hold, reason).await;
        }
        let verb = if hold { "roll-hold" } else { "roll-resume" };
        let detail = reason.clone();
        self.set_keys(caller, fqdn, verb, detail, move |live, now| {
            let new = hold.then(|| Hold { by: actor.clone(), reason: reason.clone(), since: now });
            let differs = live.keys.hold.is_some() != hold;
            if differs {
                live.keys.hold = new;
            }
            differs
        })
        .await
    }

    /// Give a name a policy of its own, or its pool's again. Its keys roll to it.
    ///
    /// # Errors
    /// `invalid-parameter` for a policy that cannot be; another refusal with its code, or a fault of the store.
    pub async fn set_key_policy(
        self: &Arc<Self>,
        caller: &Caller,
        fqdn: &str,
        policy: Option<KeyPolicy>,
    ) -> Result<KeysReport, IntentError> {
        caller.must(Right::Administer)?;
        if let Some(wrong) = policy.as_ref().and_then(policy_error) {
            return Err(Refusal::new("invalid-parameter", wrong).field("policy").into());
        }
        if let Some(pool) = self.pool_called(fqdn) {
            self.must_trust_store()?;
            return self.set_pool_policy(caller, pool, policy).await;
        }
        let (name, _) = super::parse_fqdn(fqdn)?;
        let before = self.visible(caller, &name).await?;
        let other = policy.as_ref().is_some_and(|policy| policy.digest != Digest::Sha256);
        if other && before.mode.parent() == pdm_model::Parent::Foreign {
            let detail = "a parent that is not ours gets SHA-256";
            return Err(Refusal::new("invalid-parameter", detail).field("policy").into());
        }
        let detail = serde_json::to_string(&policy).unwrap_or_default();
        self.must_trust_store()?;
        // Denial and digest follow at once; keys roll to the policy when the sweep next looks.
        let (operation, birth) = self.birth(&before, OperationKind::Change);
        let (actor, id) = (caller.actor.clone(), before.id.clone());
        let decision = Arc::new(move |facts: &Facts| {
            let mut live = super::same(facts, &id)?;
            if live.keys.policy == policy {
                return Ok(Write::default());
            }
            live.keys.policy.clone_from(&policy);
            let audit = vec![AuditEntry::new(&actor, "key-policy", &live.fqdn, detail.clone())];
            let due = live.phase == Phase::Active && facts.open.is_none();
            let operation = due.then(|| NewOperation { generation: live.generation, ..operation.clone() });
            Ok(Write { allocations: vec![live], operation, audit, ..Write::default() })
        });
        self.carry_out(&name, Wanted::default(), decision, birth).await?;
        self.keys(caller, name.as_str()).await
    }

    async fn set_keys(
        self: &Arc<Self>,
        caller: &Caller,
        fqdn: &str,
        verb: &'static str,
        detail: String,
        edit: impl Fn(&mut Allocation, pdm_model::Timestamp) -> bool + Send + Sync + 'static,
    ) -> Result<KeysReport, IntentError> {
        self.must_trust_store()?;
        let (name, _) = super::parse_fqdn(fqdn)?;
        let before = self.visible(caller, &name).await?;
        let (actor, id) = (caller.actor.clone(), before.id.clone());
        let decision = Arc::new(move |facts: &Facts| {
            let mut live = super::same(facts, &id)?;
            if !edit(&mut live, facts.now) {
                return Ok(Write::default());
            }
            let audit = vec![AuditEntry::new(&actor, verb, &live.fqdn, detail.clone())];
            Ok(Write { allocations: vec![live], audit, ..Write::default() })
        });
        let decided = self.parts.store.decide(&name, Wanted::default(), decision).await??;
        // An open roll looks at once instead of when it would have looked again.
        if let Some(open) = decided.operation.filter(|o| o.kind == OperationKind::Roll) {
            self.parts.store.hurry(&open.id).await?;
            self.bell.notify_one();
        }
        self.keys(caller, name.as_str()).await
    }
}
