//! DNSSEC keys, rolls and policies as they are asked for and shown. No private key exists on this side of PowerDNS.

use pdm_model::keys::{Announced, Asked, Hold, KeyPolicy, Rolled};
use pdm_model::pool_keys::PoolDs;
use pdm_model::{Timestamp, ZoneName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// `POST /v1/allocations/{fqdn}/keys/roll`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollBody {
    /// `zsk`, `ksk`, `ksk-double-ds`, `csk`, `algorithm`, `split`, `join`, `emergency`, `tidy`, `insecure` or `secure`.
    pub kind: String,
    /// Why, for the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /v1/allocations/{fqdn}/keys/hold`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldBody {
    /// True to stop rolls where they are, false to let them go on.
    pub hold: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `PUT /v1/allocations/{fqdn}/keys/policy`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyBody {
    /// The policy; null for the pool's again. What is left out has its default.
    #[schema(value_type = Option<Object>)]
    pub policy: Option<KeyPolicy>,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    /// Key tag.
    pub tag: u16,
    /// Algorithm number.
    pub algorithm: u8,
    /// `ksk` (also for a CSK) or `zsk`.
    pub role: String,
    /// Since when PDM has known it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Signs; only in the inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// In the DNSKEY RRset; only in the inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<bool>,
    /// DS (SHA-256), for a KSK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ds: Option<String>,
    /// DNSKEY RDATA.
    pub dnskey: String,
}

/// A roll under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollView {
    /// Which.
    pub kind: String,
    /// Where it is.
    pub stage: String,
    /// Since when it is there.
    #[schema(value_type = String, format = DateTime)]
    pub stage_since: Timestamp,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Tags of the keys that go.
    pub old: Vec<u16>,
    /// Tags of the keys that come.
    pub new: Vec<u16>,
}

/// How the DS of a pool stands at its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AtParentView {
    /// `right`, `missing`, `wrong`, `stale` or `unknown`.
    pub standing: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Since when it stands so.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When it was looked at.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Every DS that some server of the parent answered.
    pub ds: Vec<String>,
}

impl From<&PoolDs> for AtParentView {
    fn from(seen: &PoolDs) -> Self {
        Self {
            standing: seen.standing.as_str().to_owned(),
            detail: seen.detail.clone(),
            since: seen.since,
            at: seen.at,
            ds: seen.seen.iter().map(ToString::to_string).collect(),
        }
    }
}

/// How a name's keys stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeysView {
    /// The name.
    #[schema(value_type = String)]
    pub fqdn: ZoneName,
    /// The policy that counts.
    #[schema(value_type = Object)]
    pub policy: KeyPolicy,
    /// Whether it is the name's own.
    pub own_policy: bool,
    /// True when the parent is to hold no DS.
    pub insecure: bool,
    /// The keys.
    pub keys: Vec<KeyView>,
    /// DS that the parent is to hold.
    pub ds: Vec<String>,
    /// DS that it was last seen to hold.
    pub parent_ds: Vec<String>,
    /// How that stands to the keys; of a pool only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_parent: Option<AtParentView>,
    /// When the first signature expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub signatures_until: Option<Timestamp>,
    /// The roll under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll: Option<RollView>,
    /// What its operation waits for: reason, detail, who must act, until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub waits: Option<pdm_model::Wait>,
    /// A stop by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub hold: Option<Hold>,
    /// What was asked for and is not begun yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub asked: Option<Asked>,
    /// The roll before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub last: Option<Rolled>,
    /// What the parent was told of CDS (RFC 9859), and what came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub announced: Option<Announced>,
}

/// `GET /v1/dnssec/inventory`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InventoryQuery {
    /// Only this pool and its names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_domain: Option<String>,
}

/// Something wrong with a zone's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyFinding {
    /// Stable kebab-case code.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// One zone of the inventory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InventoryZone {
    /// Its apex.
    #[schema(value_type = String)]
    pub zone: ZoneName,
    /// `pool` or `sovereign`.
    pub what: String,
    /// Kind and stage of the roll under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll: Option<String>,
    /// Its keys as PowerDNS holds them.
    pub keys: Vec<KeyView>,
    /// DS that the parent is to hold.
    pub ds: Vec<String>,
    /// DS where the parent is edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_ds: Option<Vec<String>>,
    /// What is wrong.
    pub findings: Vec<KeyFinding>,
}

/// Every zone's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Inventory {
    /// The zones.
    pub zones: Vec<InventoryZone>,
}
