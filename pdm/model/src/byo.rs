//! The side of a domain that its owner brings: who edits its parent, and what was seen there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::delegation::DsRecord;
use crate::handover::{Look, Memory, NsSet, Plan};
use crate::name::ZoneName;
use crate::time::{Timestamp, Ttl};

/// What the owner decided, and how the name was proved to be the owner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Byo {
    /// The registered domain.
    pub registered: ZoneName,
    /// Whose API edits the parent; none for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrar: Option<RegistrarChoice>,
    /// How the name was proved last.
    pub ownership: Ownership,
    /// Given up to another owner, whose proof is newer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub yielded: bool,
}

/// Whose API edits the parent, and what was accepted about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrarChoice {
    /// The registrar's id.
    pub id: String,
    /// `registry-apex` or `hosted-parent`.
    pub mode: String,
    /// Codes of risks that the owner accepted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub accepted: BTreeSet<String>,
}

/// How a name was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProvedBy {
    /// By the TXT of its challenge, at every authoritative server.
    Txt,
    /// The parent delegates to nameserver names that were issued for the claim alone.
    IssuedNames,
    /// The parent delegates to our nameservers.
    Delegation,
}

/// The last proof of ownership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ownership {
    /// How.
    pub by: ProvedBy,
    /// When.
    pub at: Timestamp,
    /// Identity of the claim.
    pub claim: String,
    /// When it was looked for last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
}

/// What the parent held before our first write, for the way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Previous {
    /// The NS set with its TTL; empty when the name was not delegated.
    pub ns: NsSet,
    /// Addresses that stood beside it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub glue: BTreeMap<ZoneName, BTreeSet<IpAddr>>,
    /// The DS set.
    pub ds: BTreeSet<DsRecord>,
    /// What the registrar's API said of it, as the adapter understands it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Value>,
    /// When it was read.
    pub at: Timestamp,
}

/// What is done at the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// NS leads here.
    SetNs,
    /// NS leads here no more.
    RemoveNs,
    /// A DS where there is none.
    AddDs,
    /// Another DS in place of what is there.
    ReplaceDs,
    /// No DS.
    RemoveDs,
}

impl Act {
    /// Its name in the API, which is also the reason of the wait for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SetNs => "set-ns",
            Self::RemoveNs => "remove-ns",
            Self::AddDs => "add-ds",
            Self::ReplaceDs => "replace-ds",
            Self::RemoveDs => "remove-ds",
        }
    }

    /// Whether it is about DS, which registrars have on another page than NS.
    #[must_use]
    pub fn is_about_ds(self) -> bool {
        matches!(self, Self::AddDs | Self::ReplaceDs | Self::RemoveDs)
    }
}

/// What a person has to enter at the parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instruction {
    /// What is to be done.
    pub action: Act,
    /// In one sentence.
    pub text: String,
    /// Nameserver names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ns: Vec<ZoneName>,
    /// Addresses to enter beside nameservers inside the name, as `name address`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub glue: Vec<String>,
    /// DS records to enter or to remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ds: Vec<DsRecord>,
    /// DS records that go, once those to enter are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outdated: Vec<DsRecord>,
    /// The same as DNSKEY RDATA, for registrars that ask for keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dnskey: Vec<String>,
    /// All of it as lines of a zone file.
    pub lines: Vec<String>,
}

/// What was seen of a parent that is not ours, and what goes on there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ForeignParent {
    /// The zone that delegates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneName>,
    /// Facts that waits are counted from.
    pub memory: Memory,
    /// What was there before our first write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
    /// The last look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    /// The way as it was planned last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// What a person has to do now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<Instruction>,
    /// Signalling records stand under our nameservers' names.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub signalled: bool,
    /// A change that goes on at the registrar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Largest TTL of the NS set in the parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ns_ttl: Option<Ttl>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_has_one_name_and_is_about_ds_or_about_ns() {
        for (act, about_ds) in [
            (Act::SetNs, false),
            (Act::RemoveNs, false),
            (Act::AddDs, true),
            (Act::ReplaceDs, true),
            (Act::RemoveDs, true),
        ] {
            assert_eq!(serde_json::to_value(act).unwrap(), act.as_str());
            assert_eq!(act.is_about_ds(), about_ds, "{}", act.as_str());
        }
    }
}
