//! What a pool zone holds, as one writer remembers it: the delegations, and the names that belong to somebody else.
//!
//! Pure. The writer trusts it as long as the zone's serial is the one its own last write left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pdm_model::{Delegation, DsRecord, RecordType, Ttl, ZoneName};
use pdm_ports::{Class, DelegationChange, Fault};

use crate::wire::{RrsetIn, RrsetOut};

/// The owner of the comment that keeps the pool's high-water mark. It has no records, so the DNS never shows it, and
/// nobody else's comments stand there, as they might at the apex.
const MARK_LABEL: &str = "_pdm";
/// The type under which that comment is filed.
pub(crate) const MARK_TYPE: &str = "TXT";

/// The owner name of the mark.
pub(crate) fn mark_owner(pool: &ZoneName) -> String {
    format!("{MARK_LABEL}.{pool}.")
}

/// The mark in its comments.
pub(crate) fn read_mark(rrset: &RrsetIn<'_>) -> Option<i64> {
    rrset.comments.iter().filter_map(|comment| comment.content.strip_prefix("mark ")?.parse().ok()).max()
}

/// One child's delegation. NS sets are mostly the same few, and shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) ns: Arc<BTreeSet<ZoneName>>,
    pub(crate) ns_ttl: Ttl,
    /// In order.
    pub(crate) ds: Box<[DsRecord]>,
    pub(crate) ds_ttl: Ttl,
}

impl Entry {
    fn is_empty(&self) -> bool {
        self.ns.is_empty() && self.ds.is_empty()
    }

    /// As the model has it.
    pub(crate) fn delegation(&self) -> Delegation {
        Delegation {
            ns: (*self.ns).clone(),
            ds: self.ds.iter().cloned().collect(),
            ns_ttl: (!self.ns.is_empty()).then_some(self.ns_ttl),
            ds_ttl: (!self.ds.is_empty()).then_some(self.ds_ttl),
        }
    }

    fn after(&self, change: &DelegationChange) -> Self {
        let mut next = self.clone();
        if let Some((ns, ttl)) = &change.ns {
            next.ns = Arc::new(ns.clone());
            next.ns_ttl = if ns.is_empty() { Ttl::new(0) } else { *ttl };
        }
        if let Some((ds, ttl)) = &change.ds {
            next.ds = ds.iter().cloned().collect();
            next.ds_ttl = if ds.is_empty() { Ttl::new(0) } else { *ttl };
        }
        next
    }
}

impl Default for Entry {
    fn default() -> Self {
        Self { ns: Arc::new(BTreeSet::new()), ns_ttl: Ttl::new(0), ds: Box::default(), ds_ttl: Ttl::new(0) }
    }
}

/// Whose child zone it is, by its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChildZone {
    /// PDM's.
    Ours,
    /// There, and somebody else's.
    Others,
    /// Not on these servers.
    Missing,
}

/// What a change means for the zone.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It is like that already.
    Agrees,
    /// Write this.
    Write(Entry),
    /// There is a delegation that we do not remember writing: the child zone's mark decides.
    Ask,
    /// It cannot be.
    Refuse(Fault),
}

/// A pool zone's contents.
#[derive(Debug)]
pub(crate) struct View {
    pool: ZoneName,
    /// Serial at which this is true.
    pub(crate) serial: u32,
    /// The zone counts seconds (SOA-EDIT-API EPOCH), so that two writes may share a serial.
    seconds: bool,
    /// High-water mark.
    pub(crate) mark: Option<i64>,
    children: BTreeMap<Box<str>, Entry>,
    /// First labels at or below which somebody else's records stand.
    foreign: BTreeSet<Box<str>>,
    /// Delegations known to be PDM's.
    ours: BTreeSet<Box<str>>,
    /// The NS sets that were seen last, to share them.
    shared: Vec<Arc<BTreeSet<ZoneName>>>,
}

impl View {
    /// An empty one, to be filled by [`View::add`].
    pub(crate) fn new(pool: ZoneName) -> Self {
        Self {
            pool,
            serial: 0,
            seconds: false,
            mark: None,
            children: BTreeMap::new(),
            foreign: BTreeSet::new(),
            ours: BTreeSet::new(),
            shared: Vec::new(),
        }
    }

    /// The zone was read to its end.
    pub(crate) fn settle(&mut self, serial: u32, seconds: bool) {
        self.serial = serial;
        self.seconds = seconds;
    }

    /// Take the serial that our own PATCH left. False when somebody else wrote in between, or when it is not known:
    /// DEFAULT and INCREASE count by one, and DEFAULT starts every day at 01.
    pub(crate) fn follow(&mut self, serial: Option<u32>) -> bool {
        let Some(serial) = serial else { return false };
        let old = std::mem::replace(&mut self.serial, serial);
        serial == old.wrapping_add(1) || (serial > old && serial % 100 == 1) || self.seconds
    }

    /// Carry over what an older view knew to be PDM's, where the delegation has not changed.
    pub(crate) fn keep_proofs(&mut self, old: &Self) {
        for label in &old.ours {
            if self.children.get(label).is_some_and(|entry| old.children.get(label) == Some(entry)) {
                self.ours.insert(label.clone());
            }
        }
    }

    /// What stands at a label, unless it holds something that a delegation does not explain.
    pub(crate) fn known(&self, label: &str) -> Option<Delegation> {
        let plain = !self.foreign.contains(label);
        plain.then(|| self.children.get(label).map(Entry::delegation).unwrap_or_default())
    }

    /// The label under the pool that an owner name belongs to, and whether it is that name itself.
    fn place<'a>(&self, owner: &'a str) -> Option<(&'a str, bool)> {
        let relative = owner.strip_suffix('.')?.strip_suffix(self.pool.as_str())?.strip_suffix('.')?;
        let label = relative.rsplit('.').next()?;
        Some((label, label.len() == relative.len()))
    }

    /// Take one RRset of the zone.
    pub(crate) fn add(&mut self, rrset: &RrsetIn<'_>) {
        // What is not strictly below the apex is not ours to judge.
        let Some((label, direct)) = self.place(&rrset.name) else { return };
        if direct && label == MARK_LABEL {
            self.mark = self.mark.max(read_mark(rrset));
        }
        if rrset.records.is_empty() {
            return;
        }
        let rtype = RecordType::from(rrset.rtype.to_string());
        let understood = direct
            && match rtype {
                RecordType::Ns => self.add_ns(label, rrset),
                RecordType::Ds => self.add_ds(label, rrset),
                RecordType::A
                | RecordType::Aaaa
                | RecordType::Soa
                | RecordType::Txt
                | RecordType::Lua
                | RecordType::Dnskey
                | RecordType::Other(_) => false,
            };
        if !understood && !self.foreign.contains(label) {
            self.foreign.insert(label.into());
        }
    }

    /// A disabled record, or one that PDM could not have written, is somebody else's.
    fn add_ns(&mut self, label: &str, rrset: &RrsetIn<'_>) -> bool {
        let Some(ns) = names(rrset) else { return false };
        let ns = self.share(ns);
        let entry = self.children.entry(label.into()).or_default();
        entry.ns = ns;
        entry.ns_ttl = Ttl::new(rrset.ttl);
        true
    }

    fn add_ds(&mut self, label: &str, rrset: &RrsetIn<'_>) -> bool {
        let Some(ds) = signers(rrset) else { return false };
        let entry = self.children.entry(label.into()).or_default();
        entry.ds = ds.into_iter().collect();
        entry.ds_ttl = Ttl::new(rrset.ttl);
        true
    }

    fn share(&mut self, ns: BTreeSet<ZoneName>) -> Arc<BTreeSet<ZoneName>> {
        if let Some(same) = self.shared.iter().find(|known| ***known == ns) {
            return same.clone();
        }
        let ns = Arc::new(ns);
        if self.shared.len() >= 8 {
            self.shared.remove(0);
        }
        self.shared.push(ns.clone());
        ns
    }

    /// What `change` means for the child `label`. `usual` is the pool's own nameserver set; `zone` is what is known of
    /// the child zone, none before it was asked for. `pending` is the entry that an earlier change of the same batch
    /// leaves.
    ///
    /// A delegation is PDM's when PDM remembers writing it, when the child zone carries PDM's mark, or when there is
    /// no child zone on these servers and the NS set is the pool's own or the wanted one (a leftover of ours).
    pub(crate) fn judge(
        &self,
        label: &str,
        change: &DelegationChange,
        usual: &BTreeSet<ZoneName>,
        zone: Option<ChildZone>,
        pending: Option<&Entry>,
    ) -> Verdict {
        let empty = Entry::default();
        let stored = self.children.get(label).unwrap_or(&empty);
        let now = pending.unwrap_or(stored);
        let next = now.after(change);
        if self.foreign.contains(label) && !next.is_empty() && adds(now, &next) {
            return Verdict::Refuse(self.not_ours(label));
        }
        if next == *now {
            return Verdict::Agrees;
        }
        if next.ns.is_empty() && !next.ds.is_empty() {
            let text =
                "a DS without an NS at the same name: the DS goes first, and comes with or after the NS";
            return Verdict::Refuse(Fault::new(Class::Bug, "ds-without-ns", text));
        }
        if !stored.is_empty() && !self.ours.contains(label) {
            let wanted = change.ns.as_ref().is_some_and(|(ns, _)| *ns == *stored.ns);
            let leftover = !stored.ns.is_empty() && (*stored.ns == *usual || wanted);
            match zone {
                None => return Verdict::Ask,
                Some(ChildZone::Ours) => {}
                Some(ChildZone::Missing) if leftover => {}
                Some(ChildZone::Others | ChildZone::Missing) => return Verdict::Refuse(self.not_ours(label)),
            }
        }
        Verdict::Write(next)
    }

    fn not_ours(&self, label: &str) -> Fault {
        let text = format!("{label}.{} holds records that PDM did not write; nothing was changed", self.pool);
        Fault::new(Class::NotOurs, "name-not-ours", text)
    }

    /// The RRsets to write so that `label` becomes `next`.
    pub(crate) fn rrsets(&self, label: &str, next: &Entry, out: &mut Vec<RrsetOut<'static>>) {
        let empty = Entry::default();
        let now = self.children.get(label).unwrap_or(&empty);
        let owner = || format!("{label}.{}.", self.pool);
        if now.ns != next.ns || now.ns_ttl != next.ns_ttl {
            out.push(if next.ns.is_empty() {
                RrsetOut::delete(owner(), "NS")
            } else {
                RrsetOut::replace(owner(), "NS", next.ns_ttl, next.ns.iter().map(ZoneName::dotted))
            });
        }
        if now.ds != next.ds || now.ds_ttl != next.ds_ttl {
            out.push(if next.ds.is_empty() {
                RrsetOut::delete(owner(), "DS")
            } else {
                RrsetOut::replace(owner(), "DS", next.ds_ttl, next.ds.iter().map(ToString::to_string))
            });
        }
    }

    /// Remember what was written.
    pub(crate) fn wrote(&mut self, label: &str, mut next: Entry) {
        if next.is_empty() {
            self.children.remove(label);
            self.ours.remove(label);
        } else {
            next.ns = self.share((*next.ns).clone());
            self.children.insert(label.into(), next);
            self.ours.insert(label.into());
        }
    }

    /// Remember that the delegation of `label` is PDM's.
    pub(crate) fn owned(&mut self, label: &str) {
        if self.children.contains_key(label) && !self.ours.contains(label) {
            self.ours.insert(label.into());
        }
    }

    /// Labels of delegations that nobody has vouched for yet.
    pub(crate) fn unproved(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.children.iter().filter(|(label, _)| !self.ours.contains(*label)).map(|(label, e)| (&**label, e))
    }

    fn name(&self, label: &str) -> Option<ZoneName> {
        // `_dmarc`, `*` and the like are nobody's child zone.
        ZoneName::parse(&format!("{label}.{}", self.pool)).ok()
    }

    /// Every delegation.
    pub(crate) fn delegations(&self) -> impl Iterator<Item = (ZoneName, Delegation)> {
        self.children.iter().filter_map(|(label, e)| Some((self.name(label)?, e.delegation())))
    }

    /// How many delegations there are.
    pub(crate) fn len(&self) -> usize {
        self.children.len()
    }

    /// How many names have records of others.
    pub(crate) fn foreign_count(&self) -> usize {
        self.foreign.len()
    }

    /// Names at or below which others' records stand. `zones` tells whose the child zones of the unproved ones are.
    pub(crate) fn foreign_names(
        &mut self,
        usual: &BTreeSet<ZoneName>,
        zones: &BTreeMap<String, ChildZone>,
    ) -> BTreeSet<ZoneName> {
        let mut others: Vec<Box<str>> = Vec::new();
        let mut proved: Vec<Box<str>> = Vec::new();
        for (label, entry) in self.unproved() {
            match zones.get(label) {
                Some(ChildZone::Ours) => proved.push(label.into()),
                None | Some(ChildZone::Missing) if *entry.ns == *usual => {}
                None | Some(ChildZone::Missing | ChildZone::Others) => others.push(label.into()),
            }
        }
        self.ours.extend(proved);
        self.foreign.iter().chain(&others).filter_map(|label| self.name(label)).collect()
    }
}

/// Whether anything is there afterwards that was not before: taking our own away is allowed beside others' records.
fn adds(now: &Entry, next: &Entry) -> bool {
    next.ns.iter().any(|name| !now.ns.contains(name))
        || next.ds.iter().any(|ds| !now.ds.contains(ds))
        || (!next.ns.is_empty() && next.ns_ttl != now.ns_ttl)
        || (!next.ds.is_empty() && next.ds_ttl != now.ds_ttl)
}

fn names(rrset: &RrsetIn<'_>) -> Option<BTreeSet<ZoneName>> {
    rrset.records.iter().map(|r| if r.disabled { None } else { ZoneName::parse(&r.content).ok() }).collect()
}

fn signers(rrset: &RrsetIn<'_>) -> Option<BTreeSet<DsRecord>> {
    rrset.records.iter().map(|r| if r.disabled { None } else { r.content.parse().ok() }).collect()
}

/// Add one RRset to what a child's name holds. Records that cannot be read are left out.
pub(crate) fn delegation(owner: &str, rrset: &RrsetIn<'_>, found: &mut Delegation) {
    if rrset.name != owner {
        return;
    }
    let contents = rrset.records.iter().filter(|record| !record.disabled).map(|record| &record.content);
    match RecordType::from(rrset.rtype.to_string()) {
        RecordType::Ns => {
            found.ns = contents.filter_map(|content| ZoneName::parse(content).ok()).collect();
            found.ns_ttl = (!found.ns.is_empty()).then(|| Ttl::new(rrset.ttl));
        }
        RecordType::Ds => {
            found.ds = contents.filter_map(|content| content.parse().ok()).collect();
            found.ds_ttl = (!found.ds.is_empty()).then(|| Ttl::new(rrset.ttl));
        }
        RecordType::A
        | RecordType::Aaaa
        | RecordType::Soa
        | RecordType::Txt
        | RecordType::Lua
        | RecordType::Dnskey
        | RecordType::Other(_) => {}
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
