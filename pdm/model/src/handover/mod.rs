//! Moving a delegation from one operator's servers to another's without breaking anybody (RFC 6781 section 4.3.5).
//!
//! Forward, back and undo are the same rules with another destination: [`Case::to`]. What was seen is kept as facts in a
//! [`Memory`]; whether a [`Write`] may happen now is decided by [`admit`] and nowhere else; [`plan`] strings the writes
//! together with the times at which they become possible.
//!
//! Three waits, each from TTLs that were measured:
//!
//! 1. A DS that the destination's keys do not match must be out of every cache before NS changes: its TTL after it was
//!    last served by any parent server.
//! 2. A DS of the destination must meet no cache that can still ask the servers before: with the parent's NS set in
//!    cache at the last moment (`p`), such a cache may learn the child's own NS set in the last moment of that (`c`), and
//!    fetch a record with it in the last moment of that (`r`). The bound is `p + c + r`. The longest of the three alone
//!    does not hold: `tests/handover.rs` shows a cache that it makes bogus.
//! 3. The servers before are needed until no cache can ask them: `p + c`.

mod memory;
mod plan;
mod rules;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::delegation::DsRecord;
use crate::name::ZoneName;
use crate::time::{Timestamp, Ttl};

pub use memory::{DsSeen, Memory, NsSeen};
pub use plan::{Ability, Plan, Planned, Stage, Undo, plan};
pub use rules::{Unsafe, Write, admit, matches_key};

/// An NS set with its TTL.
pub type NsSet = (BTreeSet<ZoneName>, Ttl);
/// A DS set with its TTL.
pub type DsSet = (BTreeSet<DsRecord>, Ttl);

/// What one server of the parent answers about the child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentSight {
    /// Who, for people.
    pub server: String,
    /// The NS set of the referral, empty when it delegates nothing; none without an answer.
    pub ns: Option<NsSet>,
    /// The DS set, empty when it says that there is none; none without an answer.
    pub ds: Option<DsSet>,
}

/// What one server answers about the zone that it serves, or should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildSight {
    /// Who, for people.
    pub server: String,
    /// Answers with authority.
    pub authoritative: bool,
    /// NS at the apex.
    pub ns: Option<NsSet>,
    /// DS (SHA-256) of every entry-point key in the DNSKEY RRset, and that RRset's TTL; empty when it is not signed.
    pub keys: Option<DsSet>,
}

/// All servers of one operator.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// Every address that was asked.
    pub servers: Vec<ChildSight>,
    /// Nameserver names without an address: a delegation to them is lame.
    pub unreachable: BTreeSet<ZoneName>,
    /// The largest TTL of any record that was seen there.
    pub record_ttl: Option<Ttl>,
}

/// One look at parent and children.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// When the last answer had come: until then, any server may have served what it had before.
    pub ended: Timestamp,
    /// Every server of the parent.
    pub parents: Vec<ParentSight>,
    /// The servers that are delegated to and are not the destination's.
    pub from: Side,
    /// The destination's servers.
    pub to: Side,
}

impl Look {
    /// The NS sets that parent servers answer.
    pub fn ns_sets(&self) -> impl Iterator<Item = &NsSet> {
        self.parents.iter().filter_map(|p| p.ns.as_ref())
    }

    /// Every DS that a parent server answers, with its TTL.
    pub fn ds_records(&self) -> impl Iterator<Item = (&DsRecord, Ttl)> {
        self.parents
            .iter()
            .filter_map(|p| p.ds.as_ref())
            .flat_map(|(set, ttl)| set.iter().map(|ds| (ds, *ttl)))
    }

    /// The first parent server that did not answer about NS or DS; also when there is none at all to ask.
    #[must_use]
    pub fn silent_parent(&self) -> Option<&str> {
        if self.parents.is_empty() {
            return Some("no server of the parent is known");
        }
        self.parents.iter().find(|p| p.ns.is_none() || p.ds.is_none()).map(|p| p.server.as_str())
    }

    /// How many parent servers answer with this NS set, and how many there are.
    #[must_use]
    pub fn with_ns(&self, wanted: &BTreeSet<ZoneName>) -> (usize, usize) {
        (self.ns_sets().filter(|(set, _)| set == wanted).count(), self.parents.len())
    }

    /// How many parent servers answer with this DS set, and how many there are.
    #[must_use]
    pub fn with_ds(&self, wanted: &BTreeSet<DsRecord>) -> (usize, usize) {
        let there = self.parents.iter().filter_map(|p| p.ds.as_ref());
        (there.filter(|(set, _)| set == wanted).count(), self.parents.len())
    }
}

/// Where a delegation is to lead. Without nameservers it is to be gone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operator {
    /// Its nameservers.
    pub ns: BTreeSet<ZoneName>,
    /// DS (SHA-256) of its entry-point keys; empty when the zone there is not signed, or is to stay without a DS.
    pub ds: BTreeSet<DsRecord>,
    /// Not ours: its apex NS set may differ from the parent's, as long as they share a name.
    #[serde(default)]
    pub lenient: bool,
}

/// Everything that a decision looks at.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What was seen just now.
    pub look: &'a Look,
    /// What was seen before; it has learnt of this look.
    pub memory: &'a Memory,
    /// The destination.
    pub to: &'a Operator,
}
