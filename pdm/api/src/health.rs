//! Liveness and readiness.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The process is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// The pools, as clients of the older paths read them here.
    pub managed_domains: Vec<String>,
}

/// Whether everything that is needed answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// Whether all parts are.
    pub ready: bool,
    /// Each part by name.
    pub parts: Vec<PartView>,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartView {
    /// Its name.
    pub name: String,
    /// Whether it answers.
    pub ready: bool,
    /// What it said, or what is wrong.
    pub detail: String,
}
