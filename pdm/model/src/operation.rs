//! A durable change and its steps; the plan of each kind is data.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::allocation::Parent;
use crate::name::ZoneName;
use crate::time::Timestamp;

/// Why an operation exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationKind {
    /// First target: build the zone and its delegation.
    Commit,
    /// New target, suspension or resumption.
    Change,
    /// Bring back what somebody else changed.
    Repair,
    /// Replace keys.
    Roll,
    /// Take everything down in the safe order.
    Release,
}

impl OperationKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Commit, Self::Change, Self::Repair, Self::Roll, Self::Release];

    /// The word in the API and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Change => "change",
            Self::Repair => "repair",
            Self::Roll => "roll",
            Self::Release => "release",
        }
    }

    /// The kind named by a stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == word)
    }
}

/// One idempotent part of an operation. `ensure` and `withdraw` write, `await` only looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// A DS in the parent that matches no key of the zone goes out before anything else.
    WithdrawStaleDs,
    /// Zone, keys and records as desired.
    EnsureZone,
    /// NS in the parent; DS in the same change when every server already answers the child's DNSKEY.
    EnsureParentNs,
    /// DS in the parent, for keys that every server answers now.
    EnsureParentDs,
    /// Every nameserver computes the failover policy, and has begun its health checks.
    EnsureFailover,
    /// Every nameserver's answers proved from the trust anchor.
    AwaitChain,
    /// Keys replaced, stage by stage.
    RollKeys,
    /// DS out of the parent.
    WithdrawParentDs,
    /// The DS TTL that was seen, counted from when the DS was last seen.
    AwaitDsGone,
    /// NS out of the parent and the zone out, back to back.
    RemoveDelegationAndZone,
    /// What a foreign parent holds is read and kept for the way back; what cannot work is said here.
    LookAtParent,
    /// Every nameserver answers for the zone before anything points to it.
    AwaitAuthoritative,
    /// What the servers before answer is answered here too, or may differ by name.
    AwaitCarryOver,
    /// A DS of the servers before goes out of a foreign parent.
    WithdrawForeignDs,
    /// No cache holds the DS of the servers before.
    AwaitForeignDsGone,
    /// NS in a foreign parent, by its API or by a person.
    EnsureDelegation,
    /// Every parent server delegates here.
    AwaitDelegation,
    /// No cache holds anything of the servers before.
    AwaitOldCaches,
    /// DS in a foreign parent.
    EnsureDelegationDs,
    /// Every parent server answers the DS.
    AwaitDelegationDs,
    /// DS out of a foreign parent.
    WithdrawDelegationDs,
    /// No cache holds the DS that was withdrawn.
    AwaitDelegationDsGone,
    /// NS back to what it was, or out.
    ReturnDelegation,
    /// No parent server delegates here, and no cache asks here.
    AwaitDelegationGone,
    /// The zone out.
    RemoveZone,
    /// The DS that stood there before goes back, if its servers still sign with its key.
    RestoreDelegationDs,
    /// Every parent server answers it.
    AwaitRestoredDs,
    /// The registrar's credential is forgotten.
    ForgetCredential,
}

impl StepKind {
    /// All steps.
    pub const ALL: [Self; 28] = [
        Self::WithdrawStaleDs,
        Self::EnsureZone,
        Self::EnsureParentNs,
        Self::EnsureParentDs,
        Self::EnsureFailover,
        Self::AwaitChain,
        Self::RollKeys,
        Self::WithdrawParentDs,
        Self::AwaitDsGone,
        Self::RemoveDelegationAndZone,
        Self::LookAtParent,
        Self::AwaitAuthoritative,
        Self::AwaitCarryOver,
        Self::WithdrawForeignDs,
        Self::AwaitForeignDsGone,
        Self::EnsureDelegation,
        Self::AwaitDelegation,
        Self::AwaitOldCaches,
        Self::EnsureDelegationDs,
        Self::AwaitDelegationDs,
        Self::WithdrawDelegationDs,
        Self::AwaitDelegationDsGone,
        Self::ReturnDelegation,
        Self::AwaitDelegationGone,
        Self::RemoveZone,
        Self::RestoreDelegationDs,
        Self::AwaitRestoredDs,
        Self::ForgetCredential,
    ];

    /// The word in the API, the logs and the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WithdrawStaleDs => "withdraw-stale-ds",
            Self::EnsureZone => "ensure-zone",
            Self::EnsureParentNs => "ensure-parent-ns",
            Self::EnsureParentDs => "ensure-parent-ds",
            Self::EnsureFailover => "ensure-failover",
            Self::AwaitChain => "await-chain",
            Self::RollKeys => "roll-keys",
            Self::WithdrawParentDs => "withdraw-parent-ds",
            Self::AwaitDsGone => "await-ds-gone",
            Self::RemoveDelegationAndZone => "remove-delegation-and-zone",
            Self::LookAtParent => "look-at-parent",
            Self::AwaitAuthoritative => "await-authoritative",
            Self::AwaitCarryOver => "await-carry-over",
            Self::WithdrawForeignDs => "withdraw-foreign-ds",
            Self::AwaitForeignDsGone => "await-foreign-ds-gone",
            Self::EnsureDelegation => "ensure-delegation",
            Self::AwaitDelegation => "await-delegation",
            Self::AwaitOldCaches => "await-old-caches",
            Self::EnsureDelegationDs => "ensure-delegation-ds",
            Self::AwaitDelegationDs => "await-delegation-ds",
            Self::WithdrawDelegationDs => "withdraw-delegation-ds",
            Self::AwaitDelegationDsGone => "await-delegation-ds-gone",
            Self::ReturnDelegation => "return-delegation",
            Self::AwaitDelegationGone => "await-delegation-gone",
            Self::RemoveZone => "remove-zone",
            Self::RestoreDelegationDs => "restore-delegation-ds",
            Self::AwaitRestoredDs => "await-restored-ds",
            Self::ForgetCredential => "forget-credential",
        }
    }

    /// What the step does, for people.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        match self {
            Self::WithdrawStaleDs => "take a DS that matches no key of the zone out of the parent",
            Self::EnsureZone => "write the zone, its keys and the six records",
            Self::EnsureParentNs => "write NS into the parent, with DS when the keys are already served",
            Self::EnsureParentDs => "write DS into the parent for the keys that every server answers",
            Self::EnsureFailover => {
                "ask every nameserver for what its policy computes, so that health checks begin"
            }
            Self::AwaitChain => "ask every nameserver and prove the answers from the trust anchor",
            Self::RollKeys => "bring new keys in and old ones out, stage by stage",
            Self::WithdrawParentDs => "take the DS out of the parent",
            Self::AwaitDsGone => "wait until no cache can hold the DS",
            Self::RemoveDelegationAndZone => "take NS and zone out, back to back",
            Self::LookAtParent => {
                "read what a foreign parent holds, keep it for the way back, refuse what cannot work"
            }
            Self::AwaitAuthoritative => "ask every nameserver for the zone before anything points to it",
            Self::AwaitCarryOver => {
                "carry the records of the servers before over, and wait until mail and web agree or may differ"
            }
            Self::WithdrawForeignDs => "take the DS of the servers before out of a foreign parent",
            Self::AwaitForeignDsGone => "wait until no cache can hold the DS of the servers before",
            Self::EnsureDelegation => "write NS into a foreign parent, by its API or by a person",
            Self::AwaitDelegation => "wait until every parent server delegates here",
            Self::AwaitOldCaches => "wait until no cache can hold anything of the servers before",
            Self::EnsureDelegationDs => "write DS into a foreign parent, by its API or by a person",
            Self::AwaitDelegationDs => "wait until every parent server answers the DS",
            Self::WithdrawDelegationDs => "take the DS out of a foreign parent",
            Self::AwaitDelegationDsGone => "wait until no cache can hold the DS that was withdrawn",
            Self::ReturnDelegation => "write the NS set that was there before, or take NS out",
            Self::AwaitDelegationGone => "wait until no parent server delegates here and no cache asks here",
            Self::RemoveZone => "take the zone out",
            Self::RestoreDelegationDs => {
                "put the DS that stood there before back, if its servers still sign with its key"
            }
            Self::AwaitRestoredDs => "wait until every parent server answers the DS from before",
            Self::ForgetCredential => "delete the registrar's credential",
        }
    }
}

/// The steps of each kind. Going forward there is one plan for each kind of parent: what a step finds in order it
/// leaves alone, so that first run, change and repair are the same.
#[must_use]
pub fn plan(parent: Parent, kind: OperationKind) -> &'static [StepKind] {
    match parent {
        Parent::Ours => plan_in_pool(kind),
        Parent::Foreign => plan_under_foreign_parent(kind),
    }
}

/// Where the same servers carry parent and child.
fn plan_in_pool(kind: OperationKind) -> &'static [StepKind] {
    match kind {
        OperationKind::Commit | OperationKind::Change | OperationKind::Repair => &[
            StepKind::WithdrawStaleDs,
            StepKind::EnsureZone,
            StepKind::EnsureParentNs,
            StepKind::EnsureParentDs,
            StepKind::EnsureFailover,
            StepKind::AwaitChain,
        ],
        OperationKind::Roll => &[StepKind::RollKeys, StepKind::AwaitChain],
        OperationKind::Release => {
            &[StepKind::WithdrawParentDs, StepKind::AwaitDsGone, StepKind::RemoveDelegationAndZone]
        }
    }
}

/// Where somebody else's servers carry the parent: each write there has its wait before the next.
fn plan_under_foreign_parent(kind: OperationKind) -> &'static [StepKind] {
    match kind {
        OperationKind::Commit | OperationKind::Change | OperationKind::Repair => &[
            StepKind::LookAtParent,
            StepKind::EnsureZone,
            StepKind::AwaitAuthoritative,
            StepKind::EnsureFailover,
            StepKind::AwaitCarryOver,
            StepKind::WithdrawForeignDs,
            StepKind::AwaitForeignDsGone,
            StepKind::EnsureDelegation,
            StepKind::AwaitDelegation,
            StepKind::AwaitOldCaches,
            StepKind::EnsureDelegationDs,
            StepKind::AwaitDelegationDs,
            StepKind::AwaitChain,
        ],
        OperationKind::Roll => &[StepKind::RollKeys, StepKind::AwaitChain],
        OperationKind::Release => &[
            StepKind::WithdrawDelegationDs,
            StepKind::AwaitDelegationDsGone,
            StepKind::ReturnDelegation,
            StepKind::AwaitDelegationGone,
            StepKind::RemoveZone,
            StepKind::RestoreDelegationDs,
            StepKind::AwaitRestoredDs,
            StepKind::ForgetCredential,
        ],
    }
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Begun; not waiting for anything outside.
    Running,
    /// Waiting for what `wait` names.
    Waiting,
    /// Seen to hold.
    Done,
}

/// Who has to act for a wait to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Nobody: it ends by itself.
    Nobody,
    /// The caller, or the Sovereign's owner.
    Caller,
    /// Who runs PDM and PowerDNS.
    Operator,
}

impl Who {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nobody, Self::Caller, Self::Operator];

    /// The word in the API and in figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Caller => "caller",
            Self::Operator => "operator",
        }
    }

    /// Who is named by a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|who| who.as_str() == word)
    }
}

/// Why an operation does not go on right now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// Stable kebab-case reason.
    pub reason: String,
    /// For people.
    pub detail: String,
    /// Who must act.
    pub who: Who,
    /// When PDM looks again.
    pub until: Timestamp,
}

/// One step with its progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Which.
    pub kind: StepKind,
    /// How it stands.
    pub state: StepState,
    /// Since when.
    pub since: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// What it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_reason: Option<Wait>,
    /// What was seen when it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Value>,
}

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// Being worked on.
    Open,
    /// Every step done.
    Done,
    /// Another operation took its place.
    Superseded,
}

impl OperationState {
    /// The word in the API and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Superseded => "superseded",
        }
    }

    /// The state named by a stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Open, Self::Done, Self::Superseded].into_iter().find(|s| s.as_str() == word)
    }
}

/// A durable change of one allocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// Identity.
    pub id: String,
    /// Place in the store's order; grows for ever.
    pub seq: i64,
    /// Whose.
    pub allocation: String,
    /// The Sovereign's name.
    pub fqdn: ZoneName,
    /// Why.
    pub kind: OperationKind,
    /// The allocation's generation that it works towards.
    pub generation: i64,
    /// How it stands.
    pub state: OperationState,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Begun.
    pub created_at: Timestamp,
    /// Ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}

impl Operation {
    /// Fresh steps of a kind.
    #[must_use]
    pub fn fresh_steps(parent: Parent, kind: OperationKind, now: Timestamp) -> Vec<Step> {
        let fresh = |kind: &StepKind| Step {
            kind: *kind,
            state: StepState::Pending,
            since: now,
            attempts: 0,
            wait_reason: None,
            evidence: None,
        };
        plan(parent, kind).iter().map(fresh).collect()
    }

    /// Index of the first step that is not done.
    #[must_use]
    pub fn current(&self) -> Option<usize> {
        self.steps.iter().position(|s| s.state != StepState::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ds_goes_in_last_and_out_first() {
        let position = |kind, step| plan(Parent::Ours, kind).iter().position(|s| *s == step).unwrap();
        for kind in [OperationKind::Commit, OperationKind::Change, OperationKind::Repair] {
            assert!(position(kind, StepKind::EnsureZone) < position(kind, StepKind::EnsureParentNs));
            assert!(position(kind, StepKind::EnsureParentNs) < position(kind, StepKind::EnsureParentDs));
        }
        let release = OperationKind::Release;
        assert!(position(release, StepKind::WithdrawParentDs) < position(release, StepKind::AwaitDsGone));
        assert!(
            position(release, StepKind::AwaitDsGone) < position(release, StepKind::RemoveDelegationAndZone)
        );
    }

    #[test]
    fn under_a_foreign_parent_every_write_has_its_wait_behind_it() {
        use StepKind as S;
        let before = |kind, steps: &[S]| {
            let plan = plan(Parent::Foreign, kind);
            let at: Vec<_> = steps.iter().map(|s| plan.iter().position(|p| p == s).unwrap()).collect();
            assert!(at.is_sorted(), "{steps:?}");
        };
        for kind in [OperationKind::Commit, OperationKind::Change, OperationKind::Repair] {
            before(kind, &[S::LookAtParent, S::EnsureZone, S::AwaitAuthoritative, S::AwaitCarryOver]);
            before(kind, &[S::AwaitCarryOver, S::WithdrawForeignDs, S::EnsureDelegation]);
            before(
                kind,
                &[S::WithdrawForeignDs, S::AwaitForeignDsGone, S::EnsureDelegation, S::AwaitDelegation],
            );
            before(
                kind,
                &[S::AwaitDelegation, S::AwaitOldCaches, S::EnsureDelegationDs, S::AwaitDelegationDs],
            );
        }
        let release = OperationKind::Release;
        before(release, &[S::WithdrawDelegationDs, S::AwaitDelegationDsGone, S::ReturnDelegation]);
        before(
            release,
            &[S::ReturnDelegation, S::AwaitDelegationGone, S::RemoveZone, S::RestoreDelegationDs],
        );
        before(release, &[S::RestoreDelegationDs, S::AwaitRestoredDs, S::ForgetCredential]);
    }

    #[test]
    fn words_agree_with_serde() {
        for step in StepKind::ALL {
            assert_eq!(serde_json::to_value(step).unwrap(), step.as_str());
        }
    }
}
