//! One name lent to one Sovereign.

use serde::{Deserialize, Serialize};

use crate::byo::{Byo, ForeignParent};
use crate::delegation::{Delegation, DsRecord};
use crate::failover::Opinion;
use crate::keys::{KeyIntent, KeyState};
use crate::lifecycle::Phase;
use crate::name::ZoneName;
use crate::operation::Who;
use crate::proof::Proof;
use crate::target::Target;
use crate::time::{Timestamp, Ttl};

/// Who can edit the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Our own PowerDNS carries the parent.
    Pool,
    /// A person edits a parent that is not ours.
    ByoManual,
    /// A registrar's or DNS host's API edits a parent that is not ours.
    ByoApi,
}

/// Whose servers carry the parent. It decides which plan an operation follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// Ours, the same that carry the child.
    Ours,
    /// Somebody else's.
    Foreign,
}

impl Mode {
    /// The word in the API and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::ByoManual => "byo-manual",
            Self::ByoApi => "byo-api",
        }
    }

    /// All modes.
    pub const ALL: [Self; 3] = [Self::Pool, Self::ByoManual, Self::ByoApi];

    /// The mode named by a stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.as_str() == word)
    }

    /// Whose servers carry the parent.
    #[must_use]
    pub fn parent(self) -> Parent {
        match self {
            Self::Pool => Parent::Ours,
            Self::ByoManual | Self::ByoApi => Parent::Foreign,
        }
    }
}

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConditionKind {
    /// The zone is in PowerDNS as desired.
    ZonePublished,
    /// The parent holds our NS.
    DelegationVisible,
    /// The chain validates from the trust anchor at every nameserver.
    ChainSecure,
    /// What is there is what PDM wrote.
    InSync,
    /// No failover is in effect: every nameserver answers as with all regions up. Only of a target with a policy.
    FailoverIdle,
    /// The owner's proof of a brought domain can be repeated. Only once somebody asked for it again.
    OwnershipProved,
    /// The parent was told of the zone's CDS, and took it. Only of a zone that publishes them under a parent not ours.
    ParentTold,
    /// Somebody must act.
    AwaitingHuman,
    /// An operation is open and moves.
    Progressing,
}

impl ConditionKind {
    /// Written by decisions about a name, while a worker may be at it: what the worker writes down leaves it as it stands.
    #[must_use]
    pub fn is_decided(self) -> bool {
        match self {
            Self::OwnershipProved => true,
            Self::ZonePublished
            | Self::DelegationVisible
            | Self::ChainSecure
            | Self::InSync
            | Self::FailoverIdle
            | Self::ParentTold
            | Self::AwaitingHuman
            | Self::Progressing => false,
        }
    }
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody could look.
    Unknown,
}

/// One condition with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// About what.
    #[serde(rename = "type")]
    pub kind: ConditionKind,
    /// Whether it holds.
    pub status: Status,
    /// Stable kebab-case reason.
    pub reason: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Since when the status has been this.
    pub since: Timestamp,
    /// Who must act, where somebody must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<Who>,
}

/// Set one condition; `since` moves only when the status changes. Returns whether status or reason changed.
pub fn set_condition(
    conditions: &mut Vec<Condition>,
    kind: ConditionKind,
    status: Status,
    reason: &str,
    detail: impl Into<String>,
    now: Timestamp,
) -> bool {
    let detail = detail.into();
    if let Some(old) = conditions.iter_mut().find(|c| c.kind == kind) {
        let changed = old.status != status || old.reason != reason;
        if old.status != status {
            old.since = now;
        }
        old.status = status;
        old.reason = reason.to_owned();
        old.detail = detail;
        old.who = None;
        return changed;
    }
    conditions.push(Condition { kind, status, reason: reason.to_owned(), detail, since: now, who: None });
    conditions.sort_by_key(|c| c.kind);
    true
}

/// What a worker found, beside what was decided meanwhile: its copy of that is as old as its lease.
#[must_use]
pub fn beside_decided(found: &[Condition], standing: &[Condition]) -> Vec<Condition> {
    let decided = standing.iter().filter(|c| c.kind.is_decided());
    let mut all: Vec<_> = found.iter().filter(|c| !c.kind.is_decided()).chain(decided).cloned().collect();
    all.sort_by_key(|c| c.kind);
    all
}

/// What was last seen of an allocation, kept so that waits are measured and drift is named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Observed {
    /// SOA serial after the last write or look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<u32>,
    /// DS of the zone's entry-point keys, as PowerDNS computes them.
    pub ds: Vec<DsRecord>,
    /// TTL of the DNSKEY RRset as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dnskey_ttl: Option<Ttl>,
    /// What the parent holds.
    pub parent: Delegation,
    /// Before this time a DS could meet caches that still hold the keys of an earlier zone of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ds_not_before: Option<Timestamp>,
    /// When the DS was last seen at any server, once it was withdrawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ds_last_seen: Option<Timestamp>,
    /// Largest DS TTL that was seen while it was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ds_ttl_seen: Option<Ttl>,
    /// What each nameserver answers for the failover policy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opinions: Vec<Opinion>,
    /// How the keys stand.
    #[serde(skip_serializing_if = "is_default")]
    pub keys: KeyState,
    /// When this was written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What was seen of a parent that is not ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreign: Option<Box<ForeignParent>>,
}

fn is_default(keys: &KeyState) -> bool {
    *keys == KeyState::default()
}

/// One name lent to one Sovereign.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocation {
    /// Identity; UUID v7.
    pub id: String,
    /// The Sovereign's name.
    pub fqdn: ZoneName,
    /// The pool it is lent from; the registered domain when the owner brings the name.
    pub pool: ZoneName,
    /// Who can edit the parent.
    pub mode: Mode,
    /// To whom it is lent.
    pub owner: String,
    /// Where it stands.
    pub phase: Phase,
    /// Raised by every change of what is desired.
    pub generation: i64,
    /// What the names should answer with.
    pub target: Option<Target>,
    /// The target of the commit, to know a repeated commit.
    pub committed: Option<Target>,
    /// The operation of the commit.
    pub commit_operation: Option<String>,
    /// Why it is suspended, if it is.
    pub suspended: Option<String>,
    /// Reserved through the older paths.
    pub legacy: bool,
    /// A label from the caller; it authorises nothing.
    pub created_by: Option<String>,
    /// Digest of principal and Idempotency-Key of the reservation.
    pub request_key: Option<String>,
    /// When it was reserved.
    pub reserved_at: Timestamp,
    /// End of the reservation.
    pub expires_at: Timestamp,
    /// End of the quarantine, once there is one. Kept through a reclaim.
    pub quarantined_until: Option<Timestamp>,
    /// Conditions.
    pub conditions: Vec<Condition>,
    /// What was seen.
    pub observed: Observed,
    /// The receipt of the last proof.
    pub proof: Option<Proof>,
    /// Last change of the row.
    pub updated_at: Timestamp,
    /// The side of a domain that its owner brings.
    pub byo: Option<Byo>,
    /// What people want of its keys.
    pub keys: KeyIntent,
}

impl Allocation {
    /// The label under the pool.
    #[must_use]
    pub fn subdomain(&self) -> &str {
        self.fqdn.first_label()
    }

    /// What the names should answer with now: nothing while suspended.
    #[must_use]
    pub fn served_target(&self) -> Option<&Target> {
        if self.suspended.is_some() { None } else { self.target.as_ref() }
    }

    /// No name carries a policy any more: what nameservers made of it is of no use.
    pub fn forget_failover(&mut self) {
        self.observed.opinions.clear();
        self.conditions.retain(|condition| condition.kind != ConditionKind::FailoverIdle);
    }
}
