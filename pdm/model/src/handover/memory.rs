//! What was seen at the parent, when, and until when a cache may hold it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Look, Operator, Side};
use crate::delegation::DsRecord;
use crate::name::ZoneName;
use crate::time::{Timestamp, Ttl};

/// How long a write of ours may be under way. Registries publish at least once a day; later than this, a write that no
/// server shows is lost.
pub const UNDER_WAY: Duration = Duration::from_secs(24 * 3600);

/// Sets and records remembered at most; the oldest that are long gone make room.
const KEPT: usize = 64;

/// An NS set that was seen at a parent server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NsSeen {
    /// The set; empty for one that was replaced before the first look.
    pub set: BTreeSet<ZoneName>,
    /// Largest TTL in the parent.
    pub parent_ttl: Ttl,
    /// Largest TTL of NS at the apex of its servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apex_ttl: Option<Ttl>,
    /// Largest TTL of any record at its servers, DNSKEY included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_ttl: Option<Ttl>,
    /// The end of the first look in which every parent server answered without it, since it was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Timestamp>,
    /// When we wrote it, while not every parent server shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Timestamp>,
}

impl NsSeen {
    /// Until when a cache may ask its servers, counted from the moment it is gone.
    #[must_use]
    pub fn asked_for(&self) -> Duration {
        // Servers that never answered have nothing to give; what is measured stands in for what is not.
        self.parent_ttl.wait() + self.apex_ttl.unwrap_or(self.parent_ttl).wait()
    }

    fn learn_from(&mut self, side: &Side) {
        let apex = side.servers.iter().filter_map(|s| s.ns.as_ref().map(|(_, ttl)| *ttl)).max();
        let keys = side.servers.iter().filter_map(|s| s.keys.as_ref().map(|(_, ttl)| *ttl)).max();
        self.apex_ttl = self.apex_ttl.max(apex);
        self.record_ttl = self.record_ttl.max(side.record_ttl.max(keys));
    }

    /// Until when a cache may hold anything from its servers, counted from the moment it is gone.
    #[must_use]
    pub fn held_for(&self) -> Duration {
        self.asked_for() + self.record_ttl.unwrap_or(self.parent_ttl).wait()
    }
}

/// A DS record that was seen at a parent server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DsSeen {
    /// The record; none for one that was most likely withdrawn just before the first look.
    pub ds: Option<DsRecord>,
    /// Largest TTL.
    pub ttl: Ttl,
    /// The end of the first look in which every parent server answered without it, since it was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Timestamp>,
    /// When we wrote it, while not every parent server shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Timestamp>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// NS sets.
    pub ns: Vec<NsSeen>,
    /// DS records.
    pub ds: Vec<DsSeen>,
    /// The end of the first look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// The NS set that we wrote last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrote_ns: Option<BTreeSet<ZoneName>>,
    /// The DS set that we wrote last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrote_ds: Option<BTreeSet<DsRecord>>,
}

impl Memory {
    /// Learn what a look saw.
    pub fn learn(&mut self, look: &Look, to: &Operator) {
        let complete = look.silent_parent().is_none();
        if complete && self.first.is_none() {
            self.assume_what_came_before(look, to);
            self.first = Some(look.ended);
        }
        for (set, ttl) in look.ns_sets().filter(|(set, _)| !set.is_empty()) {
            let known = self.ns_entry(set, *ttl);
            known.learn_from(if *set == to.ns { &look.to } else { &look.from });
        }
        for (ds, ttl) in look.ds_records() {
            self.ds_entry(ds, ttl);
        }
        if complete {
            let all = look.parents.len();
            for known in &mut self.ns {
                let showing = look.ns_sets().filter(|(set, _)| *set == known.set).count();
                settle(&mut known.gone, &mut known.written, showing, all, look.ended);
            }
            for known in &mut self.ds {
                let shows = |p: &&super::ParentSight| {
                    known.ds.as_ref().is_some_and(|ds| p.ds.as_ref().is_some_and(|(set, _)| set.contains(ds)))
                };
                let showing = look.parents.iter().filter(shows).count();
                settle(&mut known.gone, &mut known.written, showing, all, look.ended);
            }
        }
        forget_oldest(&mut self.ns, |n| n.gone);
        forget_oldest(&mut self.ds, |d| d.gone);
    }

    /// We ask for this NS set at the parent. It counts as seen from now on.
    pub fn write_ns(&mut self, set: &BTreeSet<ZoneName>, ttl: Ttl, now: Timestamp) {
        self.wrote_ns = Some(set.clone());
        if !set.is_empty() {
            self.ns_entry(set, ttl).written = Some(now);
        }
    }

    /// We ask for this DS set at the parent. Its records count as seen from now on.
    pub fn write_ds(&mut self, set: &BTreeSet<DsRecord>, ttl: Ttl, now: Timestamp) {
        self.wrote_ds = Some(set.clone());
        for ds in set {
            self.ds_entry(ds, ttl).written = Some(now);
        }
    }

    fn ns_entry(&mut self, set: &BTreeSet<ZoneName>, ttl: Ttl) -> &mut NsSeen {
        let at = self.ns.iter().position(|n| n.set == *set).unwrap_or_else(|| {
            self.ns.push(NsSeen {
                set: set.clone(),
                parent_ttl: ttl,
                apex_ttl: None,
                record_ttl: None,
                gone: None,
                written: None,
            });
            self.ns.len() - 1
        });
        let known = &mut self.ns[at];
        known.parent_ttl = known.parent_ttl.max(ttl);
        known.gone = None;
        known
    }

    fn ds_entry(&mut self, ds: &DsRecord, ttl: Ttl) -> &mut DsSeen {
        let at = self.ds.iter().position(|d| d.ds.as_ref() == Some(ds)).unwrap_or_else(|| {
            self.ds.push(DsSeen { ds: Some(ds.clone()), ttl, gone: None, written: None });
            self.ds.len() - 1
        });
        let known = &mut self.ds[at];
        known.ttl = known.ttl.max(ttl);
        known.gone = None;
        known
    }

    /// People act before we look. A zone that is signed and has no DS may have had one until just now; a delegation that
    /// leads to the destination already led elsewhere before. Of both, only the TTL of the delegation can be measured.
    fn assume_what_came_before(&mut self, look: &Look, to: &Operator) {
        let Some(ttl) = look.ns_sets().map(|(_, ttl)| *ttl).max() else { return };
        let signed =
            look.from.servers.iter().any(|s| s.keys.as_ref().is_some_and(|(keys, _)| !keys.is_empty()));
        if signed && look.ds_records().next().is_none() {
            self.ds.push(DsSeen { ds: None, ttl, gone: Some(look.ended), written: None });
        }
        if !to.ns.is_empty() && look.ns_sets().any(|(set, _)| *set == to.ns) {
            let (set, none) = (BTreeSet::new(), Some(Ttl::new(0)));
            self.ns.push(NsSeen {
                set,
                parent_ttl: ttl,
                apex_ttl: none,
                record_ttl: none,
                gone: Some(look.ended),
                written: None,
            });
        }
    }

    /// The NS set that stood at the parent last, other than this one.
    #[must_use]
    pub fn before(&self, to: &BTreeSet<ZoneName>) -> Option<&NsSeen> {
        self.ns
            .iter()
            .filter(|n| n.set != *to && !n.set.is_empty())
            .max_by_key(|n| n.gone.map_or(i64::MAX, |t| t.0))
    }
}

/// How an entry stands after a look in which every parent server answered.
fn settle(
    gone: &mut Option<Timestamp>,
    written: &mut Option<Timestamp>,
    showing: usize,
    all: usize,
    ended: Timestamp,
) {
    let lost = written.is_some_and(|at| at + UNDER_WAY <= ended);
    if showing == all || lost {
        *written = None;
    }
    // What is under way may still come.
    if showing == 0 && written.is_none() && gone.is_none() {
        *gone = Some(ended);
    }
}

fn forget_oldest<T>(list: &mut Vec<T>, gone: impl Fn(&T) -> Option<Timestamp>) {
    while list.len() > KEPT {
        let oldest = list.iter().enumerate().filter_map(|(i, e)| gone(e).map(|t| (t, i))).min();
        let Some((_, at)) = oldest else { return };
        list.remove(at);
    }
}
