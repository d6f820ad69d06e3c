//! Who asked for what, when, and what came of it.

use serde::{Deserialize, Serialize};

use crate::name::ZoneName;
use crate::time::Timestamp;

/// One entry to append. The store adds place and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Place in the log; 0 until it is stored.
    #[serde(default)]
    pub seq: i64,
    /// When; zero until it is stored.
    pub at: Timestamp,
    /// The token, network or part of PDM that asked. Never a default.
    pub actor: String,
    /// The verb.
    pub action: String,
    /// About which name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<ZoneName>,
    /// `ok`, or the code of the refusal.
    pub result: String,
    /// What exactly.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl AuditEntry {
    /// An entry that is not stored yet.
    #[must_use]
    pub fn new(actor: &str, action: &str, fqdn: &ZoneName, detail: impl Into<String>) -> Self {
        Self {
            seq: 0,
            at: Timestamp::default(),
            actor: actor.to_owned(),
            action: action.to_owned(),
            fqdn: Some(fqdn.clone()),
            result: "ok".to_owned(),
            detail: detail.into(),
        }
    }
}
