//! Audits as they are asked for and shown.

use pdm_model::audit::{Report, Transition};
use pdm_model::{Timestamp, ZoneName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// `POST /v1/audits`: a name or a pool.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditBody {
    /// A name: a Sovereign, or for who sees everything any name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// A pool instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_domain: Option<String>,
    /// With `fqdn`: what would be if the parent delegated now.
    #[serde(default)]
    pub undelegated: bool,
}

/// `POST /v1/audits/fix`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FixBody {
    /// The name.
    pub fqdn: String,
    /// The code of a finding in its last report.
    pub finding: String,
}

/// `POST /v1/audits/acknowledge`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcknowledgeBody {
    /// The name.
    pub fqdn: String,
    /// The code of a finding in its last report, with its subject behind a space if it has one.
    pub finding: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when, within a year; without it an acknowledgement is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// What was acknowledged.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AcknowledgedView {
    /// The name.
    pub fqdn: String,
    /// The finding.
    pub finding: String,
    /// Until when; none when it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// `GET /v1/audits`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditsQuery {
    /// About this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<i64>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `GET /v1/audits/{id}`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CompareQuery {
    /// An earlier report about the same name: what changed since is answered too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare: Option<String>,
}

/// A report, and what changed since another. Its schema is `docs/audit-report.schema.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    /// The report.
    #[schema(value_type = Object)]
    pub report: Report,
    /// What changed since the report that was named; empty without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub transitions: Vec<Transition>,
}

/// A report in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditLine {
    /// Its id.
    pub id: String,
    /// About which name.
    #[schema(value_type = String)]
    pub fqdn: ZoneName,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The worst severity that was open; missing when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<String>,
    /// Its sentence.
    pub verdict: String,
}

/// Reports, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditsPage {
    /// The reports.
    pub items: Vec<AuditLine>,
    /// Ask with it for the next page; missing on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<i64>,
}

/// `GET /v1/audit-log/export`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// The last place that was seen; 0 to begin.
    #[serde(default)]
    pub after: i64,
}

/// Everything about one name, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceView {
    /// JSON text: allocation, receipts, keys, log extract with its chain, reports, incidents.
    pub bundle: String,
    /// SHA-256 of that text, hexadecimal.
    pub digest: String,
    /// The Ed25519 public key, hexadecimal.
    pub key: String,
    /// The signature over "pdm evidence", a line feed, the digest and a line feed; hexadecimal.
    pub signature: String,
}

/// Part of the audit log as a chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportPage {
    /// Entries in the order of the chain: place, seq, at, actor, action, fqdn, result, detail, digest, hash.
    #[schema(value_type = Vec<Object>)]
    pub links: Vec<serde_json::Value>,
    /// Signatures over the chain: place, at, hash, key, signature.
    #[schema(value_type = Vec<Object>)]
    pub checkpoints: Vec<serde_json::Value>,
    /// The last place of the chain.
    pub end: i64,
    /// Entries that are not in the chain yet.
    pub unsealed: u64,
}
