//! Pools and registrars.

use std::collections::BTreeMap;

use pdm_model::ZoneName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolView {
    /// The pool's zone.
    #[schema(value_type = String)]
    pub domain: ZoneName,
    /// Nameservers of every zone lent from it.
    #[schema(value_type = Vec<String>)]
    pub nameservers: Vec<ZoneName>,
    /// Seconds a reservation holds a name.
    pub reservation_ttl: u64,
    /// Seconds a released name is kept from other owners.
    pub quarantine: u64,
    /// Live names one owner may have; 0 is no limit.
    pub quota: u32,
    /// Allocations by phase; missing for a token that acts for one owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<BTreeMap<String, u64>>,
    /// Whether changes are stopped.
    pub frozen: bool,
    /// DS of the pool itself, for its registrar; missing when the servers do not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ds: Option<Vec<String>>,
}

/// All pools that the token may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pools {
    /// In the order of names.
    pub pools: Vec<PoolView>,
}

/// One registrar and what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistrarView {
    /// Identity in requests.
    pub id: String,
    /// For people.
    pub name: String,
}

/// The registrars that are served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registrars {
    /// None in this version.
    pub registrars: Vec<RegistrarView>,
}

/// Whether changes are stopped now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeView {
    /// Whether the stop is in force.
    pub frozen: bool,
    /// One pool; missing for everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_domain: Option<String>,
}
