//! What was seen, and what a row of a table expects to be seen.

use std::collections::BTreeSet;

use pdm_model::keys::{Digest, Roll};
use pdm_model::{DsRecord, Timestamp, Ttl, Who};

use super::table::{DsAs, KeyAs, Row, table};
use crate::ds::{Dnskey, DsDigest};
use crate::name::Name;

/// A key as the signer holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its public half.
    pub dnskey: Dnskey,
    /// Signs.
    pub active: bool,
    /// Stands in the DNSKEY RRset.
    pub published: bool,
}

/// What one server of the zone answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildSeen {
    /// Who.
    pub server: String,
    /// The DNSKEY RRset with its TTL; none without an answer.
    pub keys: Option<(BTreeSet<Dnskey>, Ttl)>,
    /// Algorithm and key tag of the signatures over the SOA RRset; none without an answer.
    pub signers: Option<BTreeSet<(u8, u16)>>,
}

/// What one server of the parent answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParentSeen {
    /// Who.
    pub server: String,
    /// The DS RRset with its TTL; empty when it says that there is none; none without an answer.
    pub ds: Option<(BTreeSet<DsRecord>, Ttl)>,
}

/// What a scanning parent is told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cds {
    /// Nothing.
    #[default]
    Off,
    /// The zone's entry points.
    Publish,
    /// To withdraw the DS.
    Delete,
    /// Something that no row asks for.
    Other,
}

/// One look at everything that a roll depends on.
#[derive(Debug, Clone)]
pub struct View {
    /// The keys that the signer holds.
    pub held: Vec<Held>,
    /// The DS set where the parent is edited.
    pub edited: BTreeSet<DsRecord>,
    /// What scanning parents are told.
    pub cds: Cds,
    /// Every server of the zone.
    pub child: Vec<ChildSeen>,
    /// Every server of the parent.
    pub parent: Vec<ParentSeen>,
    /// The largest TTL of any RRset in the zone.
    pub zone_ttl: Ttl,
    /// When the last answer came: what a server stopped answering, it answered before this at the latest.
    pub at: Timestamp,
}

/// What holds for the zone besides its roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Digest of DS records.
    pub digest: Digest,
    /// Tell scanning parents.
    pub cds: bool,
    /// False when the parent is to hold no DS.
    pub secure: bool,
    /// Who must act for the DS to change.
    pub ds_by: Who,
}

/// The keys that sign zone data: of each algorithm the active zone keys where an active entry point stands beside them,
/// else every active key. PowerDNS decides by the same rule; its conformance suite holds it to it.
#[must_use]
pub fn signers<'a>(keys: impl Iterator<Item = &'a Held> + Clone) -> BTreeSet<(u8, u16)> {
    let active = keys.filter(|key| key.active);
    let has = |algorithm, entry: bool| {
        active.clone().any(|k| k.dnskey.algorithm() == algorithm && k.dnskey.is_entry_point() == entry)
    };
    active
        .clone()
        .filter(|k| {
            let algorithm = k.dnskey.algorithm();
            !(k.dnskey.is_entry_point() && has(algorithm, true) && has(algorithm, false))
        })
        .map(|k| (k.dnskey.algorithm(), k.dnskey.key_tag()))
        .collect()
}

/// The DS set that the parent is to hold while a roll is under way. Every writer of a DS asks this, so that a change or
/// a repair in the middle of a roll does not undo its stage.
#[must_use]
pub fn ds_in_roll(zone: &Name, roll: &Roll, setting: &Setting, held: &[Held]) -> BTreeSet<DsRecord> {
    let row = table(roll.kind).iter().find(|row| row.stage == roll.stage);
    row.map(|row| Sides::of(roll).expected(zone, row, setting, held).ds.exactly).unwrap_or_default()
}

/// The digest of a policy.
#[must_use]
pub fn digest_of(digest: Digest) -> DsDigest {
    match digest {
        Digest::Sha256 => DsDigest::Sha256,
        Digest::Sha384 => DsDigest::Sha384,
    }
}

/// Whose a key is in a roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Kept,
    Old,
    New,
    Foreign,
}

/// What a row expects to be seen, given the keys that are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub keys: BTreeSet<Dnskey>,
    pub signers: BTreeSet<(u8, u16)>,
    pub ds: WantedDs,
    /// The keys behind the DS that is wanted.
    pub vouched: Vec<Dnskey>,
}

/// A DS set that is wanted, and those that will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedDs {
    pub exactly: BTreeSet<DsRecord>,
    /// These beside it do no harm.
    pub tolerated: BTreeSet<DsRecord>,
}

impl WantedDs {
    pub fn met_by(&self, there: &BTreeSet<DsRecord>) -> bool {
        there.is_superset(&self.exactly)
            && there.iter().all(|ds| self.exactly.contains(ds) || self.tolerated.contains(ds))
    }
}

/// Reads the texts of a roll as keys.
pub(super) struct Sides {
    kept: Vec<Dnskey>,
    old: Vec<Dnskey>,
    new: Vec<Dnskey>,
}

impl Sides {
    pub fn of(roll: &Roll) -> Self {
        let read = |texts: &[String]| texts.iter().filter_map(|text| Dnskey::parse(text)).collect();
        Self { kept: read(&roll.kept), old: read(&roll.old), new: read(&roll.new) }
    }

    pub fn side(&self, key: &Dnskey) -> Side {
        if self.new.contains(key) {
            Side::New
        } else if self.old.contains(key) {
            Side::Old
        } else if self.kept.contains(key) {
            Side::Kept
        } else {
            Side::Foreign
        }
    }

    /// How the row wants a key of this roll to stand; none for one that the roll leaves alone.
    pub fn wanted(&self, row: &Row, key: &Dnskey) -> Option<KeyAs> {
        let pick = |pair: (KeyAs, KeyAs)| if key.is_entry_point() { pair.0 } else { pair.1 };
        match self.side(key) {
            Side::New => Some(pick(row.new)),
            Side::Old => Some(pick(row.old)),
            Side::Kept | Side::Foreign => None,
        }
    }

    /// Keys of this roll that the signer should hold in this row and does not.
    pub fn lost(&self, row: &Row, held: &[Held]) -> Option<Side> {
        let gone = |key: &&Dnskey| !held.iter().any(|h| h.dnskey == **key);
        let due = |key: &&Dnskey| self.wanted(row, key) != Some(KeyAs::Absent);
        if self.kept.iter().any(|key| gone(&key)) {
            return Some(Side::Kept);
        }
        if self.old.iter().filter(due).any(|key| gone(&key)) {
            return Some(Side::Old);
        }
        self.new.iter().any(|key| gone(&key)).then_some(Side::New)
    }

    fn ds(&self, zone: &Name, sides: &[&[Dnskey]], digest: Digest) -> BTreeSet<DsRecord> {
        let digest = digest_of(digest);
        sides
            .iter()
            .flat_map(|s| s.iter())
            .filter(|k| k.is_entry_point())
            .map(|k| k.ds(zone, digest))
            .collect()
    }

    pub fn expected(&self, zone: &Name, row: &Row, setting: &Setting, held: &[Held]) -> Expected {
        let after: Vec<Held> = held
            .iter()
            .filter_map(|h| match self.wanted(row, &h.dnskey) {
                None => Some(h.clone()),
                Some(wanted) => wanted.flags((h.active, h.published)).map(|(active, published)| Held {
                    dnskey: h.dnskey.clone(),
                    active,
                    published,
                }),
            })
            .collect();
        let before = self.ds(zone, &[&self.kept, &self.old], setting.digest);
        let then = self.ds(zone, &[&self.kept, &self.new], setting.digest);
        let both: BTreeSet<DsRecord> = before.union(&then).cloned().collect();
        let wanted = |exactly, tolerated| WantedDs { exactly, tolerated };
        let ds_wanted = match row.ds {
            _ if !setting.secure => wanted(BTreeSet::new(), BTreeSet::new()),
            DsAs::None => wanted(BTreeSet::new(), BTreeSet::new()),
            DsAs::Old => wanted(before, both),
            DsAs::Both => wanted(both, BTreeSet::new()),
            DsAs::New => wanted(then, both),
            DsAs::OnlyNew => wanted(then, BTreeSet::new()),
        };
        let vouched = |key: &&Dnskey| {
            let ds = key.ds(zone, digest_of(setting.digest));
            ds_wanted.exactly.contains(&ds)
        };
        Expected {
            vouched: [&self.kept, &self.old, &self.new]
                .into_iter()
                .flatten()
                .filter(|key| key.is_entry_point())
                .filter(vouched)
                .cloned()
                .collect(),
            keys: after.iter().filter(|k| k.published).map(|k| k.dnskey.clone()).collect(),
            signers: signers(after.iter()),
            ds: ds_wanted,
        }
    }
}
