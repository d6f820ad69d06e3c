//! Answers of check, reserve and extend.

use std::collections::BTreeSet;

use pdm_model::{Allocation, Timestamp, ZoneName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a name can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckView {
    /// Whether a reservation would succeed now.
    pub available: bool,
    /// Why not: a problem code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why not, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The full name, when it could be formed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub fqdn: Option<ZoneName>,
    /// When it may become free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Free labels that are close.
    pub suggestions: Vec<String>,
}

/// A reservation with its token: the one answer that carries it.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationView {
    /// The name.
    #[schema(value_type = String, example = "omantel.omani.works")]
    pub fqdn: ZoneName,
    /// `pool`, `byo-manual` or `byo-api`.
    pub mode: String,
    /// `reserved`.
    #[schema(schema_with = crate::words::phases)]
    pub phase: String,
    /// To whom it is lent.
    pub owner: String,
    /// Needed for extend, commit and release. Keep it; it is never listed.
    pub reservation_token: String,
    /// Since when it is held.
    #[schema(value_type = String, format = DateTime)]
    pub reserved_at: Timestamp,
    /// Until when it is held unless it is committed.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The nameservers that will answer.
    #[schema(value_type = Vec<String>)]
    pub nameservers: Vec<ZoneName>,
    /// What proves that a brought domain is its owner's; commit looks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ownership: Option<OwnershipView>,
}

/// What proves a brought domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnershipView {
    /// `TXT`.
    #[serde(rename = "type")]
    pub rtype: String,
    /// Owner name, with the trailing dot.
    pub name: String,
    /// Its text.
    pub value: String,
    /// The other proof, for a domain that nobody uses yet: a delegation to these names, issued for this claim alone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub nameservers: BTreeSet<ZoneName>,
    /// Until when it may be published.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl OwnershipView {
    /// A TXT of this name and text, or a delegation to these names.
    #[must_use]
    pub fn new(name: String, value: String, nameservers: BTreeSet<ZoneName>, expires_at: Timestamp) -> Self {
        Self { rtype: "TXT".to_owned(), name, value, nameservers, expires_at }
    }
}

impl ReservationView {
    /// The answer of reserve.
    #[must_use]
    pub fn new(allocation: &Allocation, token: String, nameservers: &[ZoneName]) -> Self {
        Self {
            fqdn: allocation.fqdn.clone(),
            mode: allocation.mode.as_str().to_owned(),
            phase: allocation.phase.as_str().to_owned(),
            owner: allocation.owner.clone(),
            reservation_token: token,
            reserved_at: allocation.reserved_at,
            expires_at: allocation.expires_at,
            nameservers: nameservers.to_vec(),
            ownership: None,
        }
    }
}

/// A reservation with its new deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtendedView {
    /// The name.
    #[schema(value_type = String)]
    pub fqdn: ZoneName,
    /// `reserved`.
    #[schema(schema_with = crate::words::phases)]
    pub phase: String,
    /// Until when it is held unless it is committed.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

impl From<&Allocation> for ExtendedView {
    fn from(allocation: &Allocation) -> Self {
        Self {
            fqdn: allocation.fqdn.clone(),
            phase: allocation.phase.as_str().to_owned(),
            expires_at: allocation.expires_at,
        }
    }
}
