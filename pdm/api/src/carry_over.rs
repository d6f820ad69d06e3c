//! The records that move with a domain.

use std::collections::BTreeMap;

use pdm_model::{RRset, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /v1/allocations/{fqdn}/carry-over`: with a zone file it is an upload, without it the old servers are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CarryOverBody {
    /// The zone as a file (RFC 1035), at most 64 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_file: Option<String>,
}

/// `POST /v1/allocations/{fqdn}/carry-over/waive`: what may differ, and who gets the names that both want.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaiveBody {
    /// Names that may differ from the old servers' answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Names that go to the load balancers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub take: Vec<String>,
    /// Names that keep their old answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    /// The old zone may have more records than were found.
    #[serde(default)]
    pub accept_incomplete: bool,
}

/// One record set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordSetView {
    /// Owner, dotted.
    pub owner: String,
    /// Type.
    pub r#type: String,
    /// Seconds.
    pub ttl: u32,
    /// Contents.
    pub records: Vec<String>,
}

impl From<&RRset> for RecordSetView {
    fn from(set: &RRset) -> Self {
        Self {
            owner: set.owner.clone(),
            r#type: set.rtype.to_string(),
            ttl: set.ttl.seconds(),
            records: set.records.iter().cloned().collect(),
        }
    }
}

/// A name that both want.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConflictView {
    /// Owner, dotted.
    pub owner: String,
    /// `keep` (the old answer) or `take` (the load balancers).
    pub choice: String,
    /// Nobody decided.
    pub by_default: bool,
    /// What the old zone says.
    pub old: Vec<RecordSetView>,
    /// What PDM would write.
    pub ours: Vec<RecordSetView>,
}

/// One record set as it was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComparedView {
    /// Owner, dotted.
    pub owner: String,
    /// Type.
    pub r#type: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `same`, `given`, `differs`, `old-silent` or `ours-silent`.
    pub verdict: String,
    /// What each old server says, where they differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub old: Vec<String>,
    /// What each of ours says, where they differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ours: Vec<String>,
}

/// What keeps NS from moving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LockedView {
    /// Owner, dotted.
    pub owner: String,
    /// Type.
    pub r#type: String,
    /// Why.
    pub why: String,
}

/// A record that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutView {
    /// Owner, dotted.
    pub owner: String,
    /// Type.
    pub r#type: String,
    /// Why.
    pub reason: String,
}

/// What was carried over, and what still stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CarryOverView {
    /// The name.
    pub fqdn: String,
    /// `transfer`, `upload` or `survey`.
    pub source: String,
    /// False when names of a list were asked for: what is not on it is missing.
    pub complete: bool,
    /// Somebody accepted that it is not complete.
    pub incomplete_accepted: bool,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub gathered_at: Timestamp,
    /// How many record sets there are.
    pub record_sets: usize,
    /// The first 1,000 of them.
    pub sets: Vec<RecordSetView>,
    /// Some of what was left out.
    pub left_out: Vec<LeftOutView>,
    /// How many records were left out, by type.
    pub left_out_counts: BTreeMap<String, u32>,
    /// Names that both want.
    pub conflicts: Vec<ConflictView>,
    /// What was compared, at most 1,000.
    pub compared: Vec<ComparedView>,
    /// What keeps NS from moving, at most 1,000.
    pub locked: Vec<LockedView>,
    /// Names that may differ.
    pub waived: Vec<String>,
}
