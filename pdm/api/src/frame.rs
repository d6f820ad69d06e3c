//! The wizard inside a page of the platform's console.

use pdm_model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /v1/frames`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FrameBody {
    /// The page that will show it: scheme, host and port, one of `pages.frame_ancestors`.
    pub origin: String,
    /// For whom it acts; the token's own owner when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Show this name, which is held already, instead of asking for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
}

/// A ticket for one frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FrameView {
    /// Opens one frame, once. It belongs into the fragment of `address` and nowhere else.
    pub ticket: String,
    /// The frame's `src`, with the ticket in its fragment, relative to this server.
    pub address: String,
    /// When the ticket is over.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}
