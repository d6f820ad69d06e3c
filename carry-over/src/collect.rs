//! Records as they come, from whatever source, to a zone that PowerDNS can serve. What it would refuse is left out with
//! a reason, because one bad record would stop the whole zone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pdm_dnssec::Name;
use pdm_model::{RRset, Timestamp, Ttl, ZoneName};

use crate::carried::{CarriedZone, LeftOut, Source};
use crate::codec::presented;
use crate::types::{CarriedType, carried_type};

/// Most records that are read.
pub const MAX_RECORDS: usize = 100_000;
/// Most octets that are read.
pub const MAX_OCTETS: usize = 64 * 1024 * 1024;
/// The longest time that reading may take.
pub const MAX_TIME: Duration = Duration::from_secs(60);
/// Left-out records that are told one by one.
const MAX_SHOWN: usize = 200;

const NS: u16 = 2;
/// SOA, NS at the apex and DNSSEC: ours to write, so nobody misses them.
const OURS: [(u16, &str); 11] = [
    (6, "SOA"),
    (25, "KEY"),
    (43, "DS"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (62, "CSYNC"),
];

/// More records than [`MAX_RECORDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the zone has more than {MAX_RECORDS} records")]
pub struct TooLarge;

/// TTL and RDATA of one set.
type Set = (u32, BTreeSet<Vec<u8>>);

/// Takes records one by one.
#[derive(Debug)]
pub struct Collector {
    apex: Name,
    sets: BTreeMap<(Name, u16), Set>,
    /// Names that the old zone delegates, or aliases with everything below.
    cuts: BTreeSet<Name>,
    left_out: Vec<LeftOut>,
    counts: BTreeMap<String, u32>,
    seen: usize,
}

impl Collector {
    /// For a zone.
    #[must_use]
    pub fn new(zone: &ZoneName) -> Self {
        Self {
            apex: Name::from(zone),
            sets: BTreeMap::new(),
            cuts: BTreeSet::new(),
            left_out: Vec::new(),
            counts: BTreeMap::new(),
            seen: 0,
        }
    }

    /// The apex.
    #[must_use]
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// Take a record. `word` names its type when it has no number here.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn add(&mut self, owner: &Name, number: u16, ttl: u32, rdata: &[u8]) -> Result<(), TooLarge> {
        self.count()?;
        if !owner.is_at_or_below(&self.apex) {
            self.leave_out(owner, &type_name(number), "it lies outside of the zone");
        } else if number == NS && *owner != self.apex {
            self.cuts.insert(owner.clone());
            self.leave_out(owner, "NS", "the old zone delegates this name; delegate it again yourself");
        } else if number == NS || OURS.iter().any(|(ours, _)| *ours == number) {
            *self.counts.entry(type_name(number)).or_default() += 1;
        } else if let Some(kind) = carried_type(number) {
            self.take(owner, kind, ttl, rdata);
        } else {
            if number == 39 {
                self.cuts.insert(owner.clone());
            }
            self.leave_out(owner, &type_name(number), "this type is not carried over");
        }
        Ok(())
    }

    /// Take note of a record whose type is only a word here.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn add_unknown(&mut self, owner: &Name, rtype: &str) -> Result<(), TooLarge> {
        self.count()?;
        self.leave_out(owner, rtype, "this type is not carried over");
        Ok(())
    }

    fn count(&mut self) -> Result<(), TooLarge> {
        self.seen += 1;
        if self.seen > MAX_RECORDS { Err(TooLarge) } else { Ok(()) }
    }

    fn take(&mut self, owner: &Name, kind: &CarriedType, ttl: u32, rdata: &[u8]) {
        if !servable(owner) {
            return self.leave_out(
                owner,
                kind.name,
                "the name has characters or a `*` that PowerDNS refuses",
            );
        }
        if presented(kind, rdata).is_none() {
            return self.leave_out(owner, kind.name, "its content cannot be written down for PowerDNS");
        }
        if !leads_to_a_host(kind, rdata) {
            return self.leave_out(owner, kind.name, "it leads to a name that no host can have");
        }
        let set = self.sets.entry((owner.clone(), kind.number)).or_insert_with(|| (ttl, BTreeSet::new()));
        // RFC 2181 5.2: one TTL for a set; the shortest does no harm.
        set.0 = set.0.min(ttl);
        set.1.insert(rdata.to_vec());
    }

    fn leave_out(&mut self, owner: &Name, rtype: &str, reason: &str) {
        *self.counts.entry(rtype.to_owned()).or_default() += 1;
        if self.left_out.len() < MAX_SHOWN {
            let (owner, rtype, reason) = (owner.to_string(), rtype.to_owned(), reason.to_owned());
            self.left_out.push(LeftOut { owner, rtype, reason });
        }
    }

    /// What was taken so far, of one owner and type.
    #[must_use]
    pub fn rdata(&self, owner: &Name, number: u16) -> Option<&BTreeSet<Vec<u8>>> {
        self.sets.get(&(owner.clone(), number)).map(|(_, all)| all)
    }

    /// Everything that was taken so far: owner, type number, RDATA.
    pub fn taken(&self) -> impl Iterator<Item = (&Name, u16, &Vec<u8>)> {
        self.sets.iter().flat_map(|((owner, number), (_, all))| all.iter().map(move |r| (owner, *number, r)))
    }

    /// The zone.
    #[must_use]
    pub fn finish(mut self, source: Source, now: Timestamp) -> CarriedZone {
        for (owner, number, reason) in self.impossible() {
            self.leave_out(&owner, &type_name(number), reason);
            self.sets.remove(&(owner, number));
        }
        let sets = self.sets.iter().filter_map(|((owner, number), (ttl, all))| {
            let kind = carried_type(*number)?;
            let contents = all.iter().filter_map(|rdata| presented(kind, rdata));
            Some(RRset::new(owner.to_string(), kind.record_type(), Ttl::new(*ttl), contents))
        });
        CarriedZone {
            source,
            gathered_at: now,
            sets: sets.collect(),
            left_out: self.left_out,
            left_out_counts: self.counts,
            choices: BTreeMap::new(),
            waived: BTreeMap::new(),
            retired: BTreeSet::new(),
            incomplete_accepted: None,
            asked: Vec::new(),
        }
    }

    /// Sets that cannot stand beside others: below a cut, and aliases that share their name.
    fn impossible(&self) -> Vec<(Name, u16, &'static str)> {
        const CNAME: u16 = 5;
        let mut gone = Vec::new();
        for ((owner, number), (_, all)) in &self.sets {
            let alone = self.sets.range((owner.clone(), 0)..=(owner.clone(), u16::MAX)).count() == 1;
            let why = if self.cuts.iter().any(|cut| owner.is_at_or_below(cut)) {
                Some("it lies at or below a name that the old zone delegates or aliases")
            } else if *number == CNAME && *owner == self.apex {
                Some("an alias at the apex cannot be served; give the apex addresses")
            } else if *number == CNAME && (!alone || all.len() > 1) {
                Some("an alias beside other records cannot be served")
            } else {
                None
            };
            if let Some(why) = why {
                gone.push((owner.clone(), *number, why));
            }
        }
        gone
    }
}

fn type_name(number: u16) -> String {
    let ours = OURS.iter().find(|(n, _)| *n == number).map(|(_, name)| *name);
    let name = carried_type(number).map(|t| t.name).or(ours);
    match (name, number) {
        (Some(name), _) => name.to_owned(),
        (None, NS) => "NS".to_owned(),
        (None, 39) => "DNAME".to_owned(),
        (None, other) => format!("TYPE{other}"),
    }
}

/// PowerDNS takes `*` as a whole leftmost label only.
fn servable(owner: &Name) -> bool {
    owner.labels().enumerate().all(|(n, label)| {
        let plain = label.iter().all(|b| b.is_ascii_alphanumeric() || b"-_/".contains(b));
        plain || n == 0 && label == b"*"
    })
}

/// PowerDNS refuses MX and SRV that lead to something else than a host name.
fn leads_to_a_host(kind: &CarriedType, rdata: &[u8]) -> bool {
    let at = match kind.number {
        15 => 2,
        33 => 6,
        _ => return true,
    };
    let target = rdata.get(at..).and_then(Name::from_wire);
    target.is_some_and(|(name, _)| {
        name.labels().all(|label| label.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-'))
    })
}
