//! What is written back about a declared document, in the shape that Kubernetes' tools know.

use pdm_model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How a document stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeclaredStatus {
    /// The generation of the document that this is about.
    pub observed_generation: i64,
    /// Where the name stands; none for other kinds.
    pub phase: Option<String>,
    /// The operation that is under way.
    pub operation: Option<String>,
    /// `Ready`, and for names `InSync`.
    pub conditions: Vec<DeclaredCondition>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredCondition {
    /// About what.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word that stays the same.
    pub reason: String,
    /// For people.
    pub message: String,
    /// Since when the status has been this.
    #[schema(value_type = String, format = DateTime)]
    pub last_transition_time: Timestamp,
}

impl DeclaredStatus {
    /// The condition of this type.
    #[must_use]
    pub fn condition(&self, kind: &str) -> Option<&DeclaredCondition> {
        self.conditions.iter().find(|c| c.kind == kind)
    }
}
