//! The audit log as it is shown.

use pdm_model::{AuditEntry, Timestamp, ZoneName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who asked for what, when, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditLogEntry {
    /// Place in the log.
    pub seq: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The token, network or part of PDM that asked.
    pub actor: String,
    /// The verb.
    pub action: String,
    /// About which name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub fqdn: Option<ZoneName>,
    /// `ok`, or the code of the refusal.
    pub result: String,
    /// What exactly.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl From<AuditEntry> for AuditLogEntry {
    fn from(entry: AuditEntry) -> Self {
        Self {
            seq: entry.seq,
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            fqdn: entry.fqdn,
            result: entry.result,
            detail: entry.detail,
        }
    }
}

/// A page of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditLogPage {
    /// Newest first.
    pub items: Vec<AuditLogEntry>,
    /// Ask with it for the next page; missing on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<i64>,
}
