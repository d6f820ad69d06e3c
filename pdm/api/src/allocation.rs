//! Allocations as they are shown. A reservation token is never among the fields.

use pdm_model::byo::{Byo, Instruction, Previous};
use pdm_model::handover::{ParentSight, Plan};
use pdm_model::{
    Allocation, Condition, Delegation, DsRecord, Observed, Operation, Phase, RRset, Timestamp, ZoneName,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::failover::{DrainView, FailoverBody};
use crate::operation::{OperationView, word};
use crate::receipt::ReceiptView;
use crate::reservation::OwnershipView;
use crate::target::{LoadBalancerBody, TargetBody};

/// One name lent to one Sovereign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllocationView {
    /// Identity.
    pub id: String,
    /// The name.
    #[schema(value_type = String)]
    pub fqdn: ZoneName,
    /// The pool it is lent from.
    #[schema(value_type = String)]
    pub pool_domain: ZoneName,
    /// Who can edit the parent.
    pub mode: String,
    /// To whom it is lent.
    pub owner: String,
    /// Where it stands.
    #[schema(schema_with = crate::words::phases)]
    pub phase: String,
    /// Raised by every change of what is desired.
    pub generation: i64,
    /// Where the six names are to point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancers: Option<Vec<LoadBalancerBody>>,
    /// What to do when some of them are down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<FailoverBody>,
    /// Regions that are forced up or down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drains: Vec<DrainView>,
    /// Why it is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<String>,
    /// A label from the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// When it was reserved.
    #[schema(value_type = String, format = DateTime)]
    pub reserved_at: Timestamp,
    /// End of the reservation, while it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// End of the quarantine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub quarantined_until: Option<Timestamp>,
    /// Everything finer than the phase.
    pub conditions: Vec<ConditionView>,
    /// Last change.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// One condition with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConditionView {
    /// About what.
    #[serde(rename = "type")]
    #[schema(example = "ChainSecure")]
    pub kind: String,
    /// Whether it holds.
    #[schema(schema_with = crate::words::statuses)]
    pub status: String,
    /// Stable kebab-case reason.
    pub reason: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Since when the status has been this.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// All records of one name and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RRsetView {
    /// Owner name, with the trailing dot.
    pub owner: String,
    /// Type.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Seconds.
    pub ttl: u32,
    /// Contents.
    pub records: Vec<String>,
}

/// What a parent holds, or is to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DelegationView {
    /// Nameserver names.
    #[schema(value_type = Vec<String>)]
    pub ns: Vec<ZoneName>,
    /// DS records in presentation form.
    #[schema(value_type = Vec<String>)]
    pub ds: Vec<DsRecord>,
}

/// What was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedView {
    /// SOA serial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u32>,
    /// DS of the zone's keys.
    #[schema(value_type = Vec<String>)]
    pub ds: Vec<DsRecord>,
    /// What the parent holds.
    pub parent: DelegationView,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
}

/// Everything about one allocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllocationDetail {
    /// The allocation.
    #[serde(flatten)]
    pub allocation: AllocationView,
    /// What should be in the zone besides SOA and keys.
    pub desired: Vec<RRsetView>,
    /// What was last seen.
    pub observed: ObservedView,
    /// What the parent is to hold.
    pub delegation: DelegationView,
    /// Receipts of proofs, newest first.
    pub receipts: Vec<ReceiptView>,
    /// What is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationView>,
    /// The parent's side of a domain that its owner brings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought: Option<BroughtView>,
    /// What proves the domain, while it is only claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<OwnershipView>,
}

/// The parent's side of a domain that its owner brings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BroughtView {
    /// The registered domain, whose API edits the parent, and how the name was proved.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub byo: Byo,
    /// The zone that delegates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub parent_zone: Option<ZoneName>,
    /// What each parent server answered last: `{server, ns, ds}`.
    #[schema(value_type = Vec<Object>)]
    pub parents: Vec<ParentSight>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub looked_at: Option<Timestamp>,
    /// What a person has to enter at the parent now: `{action, text, ns, glue, ds, dnskey, lines}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub instruction: Option<Instruction>,
    /// The way as it was planned: `{stages, doneAt, undo}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub plan: Option<Plan>,
    /// What stood there before: `{ns, glue, ds, at}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub previous: Option<Previous>,
}

impl BroughtView {
    /// Of an allocation; none for a name lent from a pool.
    #[must_use]
    pub fn of(allocation: &Allocation) -> Option<Self> {
        let byo = allocation.byo.clone()?;
        let foreign = allocation.observed.foreign.as_deref().cloned().unwrap_or_default();
        Some(Self {
            byo,
            parent_zone: foreign.zone,
            looked_at: foreign.look.as_ref().map(|l| l.ended),
            parents: foreign.look.map(|l| l.parents).unwrap_or_default(),
            instruction: foreign.instruction,
            plan: foreign.plan,
            // What the vendor said is the adapter's own.
            previous: foreign.previous.map(|p| Previous { vendor: None, ..p }),
        })
    }
}

/// A page of allocations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllocationPage {
    /// In the order of names.
    pub items: Vec<AllocationView>,
    /// Ask with it for the next page; missing on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The answer of every call that changes an allocation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedView {
    /// The name.
    #[schema(value_type = String)]
    pub fqdn: ZoneName,
    /// Where it stands.
    #[schema(schema_with = crate::words::phases)]
    pub phase: String,
    /// To whom it is lent.
    pub owner: String,
    /// The operation to watch; missing when there is nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationView>,
    /// What to know of a policy: clients whom it helps nothing, health checks that go on after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl AcceptedView {
    /// The answer of an intent.
    #[must_use]
    pub fn new(allocation: &Allocation, operation: Option<&Operation>) -> Self {
        Self {
            fqdn: allocation.fqdn.clone(),
            phase: allocation.phase.as_str().to_owned(),
            owner: allocation.owner.clone(),
            operation: operation.map(OperationView::from),
            warnings: Vec::new(),
        }
    }
}

impl From<&Condition> for ConditionView {
    fn from(condition: &Condition) -> Self {
        Self {
            kind: word(condition.kind),
            status: word(condition.status),
            reason: condition.reason.clone(),
            detail: condition.detail.clone(),
            since: condition.since,
        }
    }
}

impl From<&RRset> for RRsetView {
    fn from(set: &RRset) -> Self {
        Self {
            owner: set.owner.clone(),
            rtype: set.rtype.as_str().to_owned(),
            ttl: set.ttl.seconds(),
            records: set.records.iter().cloned().collect(),
        }
    }
}

impl From<&Delegation> for DelegationView {
    fn from(delegation: &Delegation) -> Self {
        Self { ns: delegation.ns.iter().cloned().collect(), ds: delegation.ds.iter().cloned().collect() }
    }
}

impl From<&Observed> for ObservedView {
    fn from(observed: &Observed) -> Self {
        Self {
            serial: observed.serial,
            ds: observed.ds.clone(),
            parent: DelegationView::from(&observed.parent),
            at: observed.at,
        }
    }
}

impl From<&Allocation> for AllocationView {
    fn from(a: &Allocation) -> Self {
        Self {
            id: a.id.clone(),
            fqdn: a.fqdn.clone(),
            pool_domain: a.pool.clone(),
            mode: a.mode.as_str().to_owned(),
            owner: a.owner.clone(),
            phase: a.phase.as_str().to_owned(),
            generation: a.generation,
            load_balancers: a.target.as_ref().map(|t| TargetBody::from(t).load_balancers),
            failover: a.target.as_ref().and_then(|t| TargetBody::from(t).failover),
            drains: a.target.iter().flat_map(|t| &t.drains).map(DrainView::from).collect(),
            suspended: a.suspended.clone(),
            created_by: a.created_by.clone(),
            reserved_at: a.reserved_at,
            expires_at: (a.phase == Phase::Reserved).then_some(a.expires_at),
            quarantined_until: a.quarantined_until,
            conditions: a.conditions.iter().map(ConditionView::from).collect(),
            updated_at: a.updated_at,
        }
    }
}

impl AllocationDetail {
    /// Everything about an allocation.
    #[must_use]
    pub fn new(
        a: &Allocation,
        desired: &[RRset],
        nameservers: &[ZoneName],
        operation: Option<&Operation>,
    ) -> Self {
        Self {
            allocation: AllocationView::from(a),
            desired: desired.iter().map(RRsetView::from).collect(),
            observed: ObservedView::from(&a.observed),
            delegation: DelegationView { ns: nameservers.to_vec(), ds: a.observed.ds.clone() },
            receipts: a.proof.iter().map(ReceiptView::from).collect(),
            operation: operation.map(OperationView::from),
            brought: BroughtView::of(a),
            ownership: None,
        }
    }
}
