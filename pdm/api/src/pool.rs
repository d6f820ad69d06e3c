//! Pools and registrars.

use std::collections::BTreeMap;

use pdm_model::menus::Menu;
use pdm_model::{Timestamp, ZoneName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
    /// How the DS stands at the pool's parent; missing until it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_parent: Option<crate::keys::AtParentView>,
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
    /// The fields of its credential, in order.
    pub credential_fields: Vec<CredentialFieldView>,
    /// `{registryApex, hostedParent, callsPerMinute, parallel}`: what it can do in each mode, or `{reason, wayOut}`.
    #[schema(value_type = Object)]
    pub capability: Value,
    /// How to make a credential that can do this and no more.
    pub recipe: String,
}

/// One field of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialFieldView {
    /// Its name in requests.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// Whether it must never be shown.
    pub secret: bool,
    /// Whether it may be left out.
    pub optional: bool,
    /// Where to find it.
    pub help: String,
}

/// What a credential is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialView {
    /// The domain that was found.
    #[schema(value_type = String)]
    pub domain: ZoneName,
    /// Why the registry's delegation cannot be changed; missing when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_apex: Option<String>,
    /// Why names in the hosted zone cannot be delegated; missing when they can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosted_parent: Option<String>,
    /// When the registration ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
    /// When the credential ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub credential_expires: Option<Timestamp>,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// The registrars that are served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registrars {
    /// In the order of their ids.
    pub registrars: Vec<RegistrarView>,
    /// Where a person enters NS and DS at common registrars, with an adapter or without.
    pub menus: Vec<MenuView>,
    /// Addresses that calls to registrars come from, for those that want to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<String>,
}

/// What a registrar's web pages call the places. Steps are parted by commas; menus move, so it is a hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MenuView {
    /// Stable id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Where the nameservers are.
    pub nameservers: String,
    /// Where the DS is, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ds: Option<String>,
    /// Where the lock against transfer is, if anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// Its help page.
    pub help: String,
}

impl From<&Menu> for MenuView {
    fn from(menu: &Menu) -> Self {
        Self {
            id: menu.id.to_owned(),
            name: menu.name.to_owned(),
            nameservers: menu.nameservers.to_owned(),
            ds: menu.ds.map(str::to_owned),
            lock: menu.lock.map(str::to_owned),
            help: menu.help.to_owned(),
        }
    }
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
