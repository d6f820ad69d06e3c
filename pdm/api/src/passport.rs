//! What can be done with a name, before anything is done.

use pdm_model::ZoneName;
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
