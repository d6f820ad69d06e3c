//! What can be done with a name, before anything is done.

use pdm_model::handover::Plan;
use pdm_model::{DsRecord, ZoneName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::pool::PoolView;
use crate::reservation::CheckView;

/// A name as it was understood, and which modes can work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Passport {
    /// The name in A-labels, when it could be parsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub name: Option<ZoneName>,
    /// Its first label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// Whether it can be had now.
    pub check: CheckView,
    /// The pool it would be lent from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolView>,
    /// Each mode, whether it can work and why not.
    pub modes: Vec<ModeView>,
    /// What was seen of a domain that its owner could bring; missing for a name in a pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainView>,
}

/// A domain as it is in the public tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DomainView {
    /// The registered domain.
    #[schema(value_type = String)]
    pub registered_domain: ZoneName,
    /// The zone that delegates it, or would; missing when it could not be found in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub parent_zone: Option<ZoneName>,
    /// NS in the parent.
    #[schema(value_type = Vec<String>)]
    pub ns: Vec<ZoneName>,
    /// DS in the parent.
    #[schema(value_type = Vec<String>)]
    pub ds: Vec<DsRecord>,
    /// The registrar or DNS host whose nameservers these are, when they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosted_at: Option<String>,
    /// `secure`, `insecure`, `bogus` or `unknown`.
    pub dnssec: String,
    /// Mail exchangers: moving the domain moves them too.
    pub mail: Vec<String>,
    /// The way to our nameservers: `{stages, doneAt, undo}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub plan: Option<Plan>,
    /// Why there is no way now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedView>,
}

/// Why there is no way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedView {
    /// A problem code.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// One mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModeView {
    /// `pool`, `byo-manual` or `byo-api`.
    pub mode: String,
    /// Whether it can work for this name.
    pub works: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
