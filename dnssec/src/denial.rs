//! Proof that something is not there: NSEC (RFC 4035 section 5.4) and NSEC3 (RFC 5155 section 8).
//!
//! Records are handed in already verified; here only their meaning is judged.

use crate::answer::{SignedSet, rtype};
use crate::name::Name;
use crate::nsec3::{Nsec3, Params};

/// The denial records of one reply, of one kind.
#[derive(Debug, Default)]
pub struct Denial {
    zone: Option<Name>,
    nsec: Vec<Nsec>,
    nsec3: Vec<Nsec3>,
    params: Option<Params>,
}

#[derive(Debug)]
struct Nsec {
    owner: Name,
    next: Name,
    types: Vec<u8>,
}

/// Whether `rtype` is set in type bit maps (RFC 4034 4.1.2); maps that break the format hold nothing.
#[must_use]
pub(crate) fn has_type(mut maps: &[u8], rtype: u16) -> bool {
    let [window, low] = rtype.to_be_bytes();
    while let [block, length, rest @ ..] = maps {
        let Some((bits, tail)) = rest.split_at_checked(usize::from(*length)) else { return false };
        if *block == window {
            return bits.get(usize::from(low / 8)).is_some_and(|byte| byte & (0x80 >> (low % 8)) != 0);
        }
        maps = tail;
    }
    false
}

/// A record at a zone cut, seen from above, or at a DNAME: it says nothing about names below (RFC 6840 4.1).
pub(crate) fn is_cut(types: &[u8]) -> bool {
    (has_type(types, rtype::NS) && !has_type(types, rtype::SOA)) || has_type(types, rtype::DNAME)
}

/// The types of an existing name deny `rtype`. A DS lives above the cut: the child's apex cannot deny it
/// (RFC 4035 5.2), and the parent's side of a cut can deny nothing but DS.
fn denies(types: &[u8], wanted: u16) -> bool {
    let right_side = if wanted == rtype::DS {
        !has_type(types, rtype::SOA)
    } else {
        !has_type(types, rtype::NS) || has_type(types, rtype::SOA)
    };
    right_side && !has_type(types, wanted) && !has_type(types, rtype::CNAME)
}

impl Nsec {
    fn read(set: &SignedSet) -> Option<Self> {
        let rdata = set.records.first()?;
        let (next, length) = Name::from_wire(rdata)?;
        Some(Self { owner: set.owner.clone(), next, types: rdata.get(length..)?.to_vec() })
    }

    /// `name` lies in the gap between owner and next; the last NSEC of a zone points to the apex.
    fn covers(&self, name: &Name) -> bool {
        let gap = if self.owner < self.next {
            self.owner < *name && *name < self.next
        } else {
            self.owner < *name || *name < self.next
        };
        gap && !(name.is_at_or_below(&self.owner) && is_cut(&self.types))
    }

    /// The deepest ancestor of `name` that this NSEC shows to exist.
    fn encloser(&self, name: &Name) -> Name {
        name.trimmed(self.owner.shared_depth(name).max(self.next.shared_depth(name)))
    }

    /// `name` exists without types: something lives below it.
    fn is_empty_non_terminal(&self, name: &Name) -> bool {
        self.next != *name && self.next.is_at_or_below(name)
    }
}

impl Denial {
    /// Take what is said in `sets`, which must be verified and belong to `zone`.
    ///
    /// # Errors
    /// The number of iterations when it is more than RFC 9276 lets a validator do.
    pub fn read<'a>(zone: &Name, sets: impl Iterator<Item = &'a SignedSet>) -> Result<Self, u16> {
        let mut denial = Self { zone: Some(zone.clone()), ..Self::default() };
        for set in sets {
            if set.rtype == rtype::NSEC {
                denial.nsec.extend(Nsec::read(set));
            } else if set.rtype == rtype::NSEC3
                && let Some((params, record)) = Nsec3::read(zone, set)
            {
                params.admit()?;
                // RFC 5155 8.2: records with other parameters than the rest are ignored.
                if *denial.params.get_or_insert_with(|| params.clone()) == params {
                    denial.nsec3.push(record);
                }
            }
        }
        Ok(denial)
    }

    fn in_zone(&self, name: &Name) -> bool {
        self.zone.as_ref().is_some_and(|zone| name.is_at_or_below(zone))
    }

    /// No name closer to `name` than the wildcard under `encloser` exists (RFC 4035 5.3.4, RFC 5155 8.8).
    #[must_use]
    pub fn proves_expansion(&self, name: &Name, encloser: &Name) -> bool {
        let next_closer = name.trimmed(encloser.depth() + 1);
        let by_name = self.nsec.iter().any(|nsec| {
            nsec.covers(name)
                && !nsec.is_empty_non_terminal(name)
                && nsec.encloser(name).depth() <= encloser.depth()
        });
        self.in_zone(name) && (by_name || self.nsec3_covering(&next_closer).is_some())
    }

    /// `name` does not exist, and no wildcard makes it (RFC 4035 5.4, RFC 5155 8.4).
    #[must_use]
    pub fn proves_no_name(&self, name: &Name) -> bool {
        let by_name = self.nsec.iter().any(|nsec| {
            nsec.covers(name)
                && !nsec.is_empty_non_terminal(name)
                && nsec
                    .encloser(name)
                    .wildcard()
                    .is_some_and(|star| self.nsec.iter().any(|other| other.covers(&star)))
        });
        // An opt-out span may hide a delegation, so it proves no absence (RFC 5155 9.2).
        let by_hash = || {
            self.nsec3_encloser(name).is_some_and(|(encloser, covering)| {
                !covering.opt_out
                    && encloser.wildcard().is_some_and(|star| self.nsec3_covering(&star).is_some())
            })
        };
        self.in_zone(name) && (by_name || by_hash())
    }

    /// `name` has no record of `wanted`, nor has a wildcard that would make it (RFC 4035 5.4, RFC 5155 8.5 to 8.7).
    #[must_use]
    pub fn proves_no_type(&self, name: &Name, wanted: u16) -> bool {
        let by_name = self.nsec.iter().any(|nsec| {
            (nsec.owner == *name && denies(&nsec.types, wanted))
                || (nsec.covers(name)
                    && (nsec.is_empty_non_terminal(name)
                        || nsec.encloser(name).wildcard().is_some_and(|star| {
                            self.nsec.iter().any(|n| n.owner == star && denies(&n.types, wanted))
                        })))
        });
        let by_hash = || {
            if let Some(record) = self.nsec3_matching(name) {
                return denies(&record.types, wanted);
            }
            let Some((encloser, covering)) = self.nsec3_encloser(name) else { return false };
            let star = encloser.wildcard().and_then(|star| self.nsec3_matching(&star));
            (wanted == rtype::DS && covering.opt_out) || star.is_some_and(|n| denies(&n.types, wanted))
        };
        self.in_zone(name) && (by_name || by_hash())
    }

    fn nsec3_matching(&self, name: &Name) -> Option<&Nsec3> {
        let hash = self.params.as_ref()?.hash(name);
        self.nsec3.iter().find(|record| record.owner == hash)
    }

    fn nsec3_covering(&self, name: &Name) -> Option<&Nsec3> {
        let hash = self.params.as_ref()?.hash(name);
        self.nsec3.iter().find(|record| record.covers(&hash))
    }

    /// The closest encloser of `name` and the record that covers the next closer name (RFC 5155 8.3).
    fn nsec3_encloser(&self, name: &Name) -> Option<(Name, &Nsec3)> {
        let zone = self.zone.as_ref()?;
        for depth in (zone.depth()..name.depth()).rev() {
            let candidate = name.trimmed(depth);
            if let Some(record) = self.nsec3_matching(&candidate) {
                if is_cut(&record.types) {
                    return None;
                }
                return Some((candidate, self.nsec3_covering(&name.trimmed(depth + 1))?));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    /// Bit maps for types below 256.
    fn maps(types: &[u16]) -> Vec<u8> {
        let mut bits = vec![0u8; 32];
        for rtype in types {
            bits[usize::from(rtype / 8)] |= 0x80 >> (rtype % 8);
        }
        [vec![0, 32], bits].concat()
    }

    fn nsec(owner: &str, next: &str, types: &[u16]) -> SignedSet {
        let record = [name(next).wire(), &maps(types)].concat();
        SignedSet {
            owner: name(owner),
            rtype: rtype::NSEC,
            ttl: 1,
            records: vec![record],
            signatures: vec![],
        }
    }

    fn denial(sets: &[SignedSet]) -> Denial {
        Denial::read(&name("z."), sets.iter()).unwrap()
    }

    #[test]
    fn nsec_denies_a_name_only_with_its_wildcard() {
        let gap = nsec("b.z.", "d.z.", &[rtype::A]);
        let apex = nsec("z.", "b.z.", &[rtype::SOA, rtype::NS]);
        assert!(!denial(&[nsec("b.z.", "d.z.", &[rtype::A])]).proves_no_name(&name("c.z.")));
        let both = denial(&[gap, apex]);
        assert!(both.proves_no_name(&name("c.z.")));
        assert!(both.proves_no_name(&name("x.c.z.")));
        assert!(!both.proves_no_name(&name("b.z.")), "it exists");
        assert!(!both.proves_no_name(&name("e.z.")), "outside the gap");
        assert!(!both.proves_no_name(&name("c.y.")), "outside the zone");
    }

    #[test]
    fn nsec_at_a_cut_says_nothing_below_it() {
        let cut = denial(&[nsec("b.z.", "d.z.", &[rtype::NS]), nsec("z.", "b.z.", &[rtype::SOA])]);
        assert!(!cut.proves_no_name(&name("x.b.z.")));
        assert!(cut.proves_no_type(&name("b.z."), rtype::DS));
        assert!(!cut.proves_no_type(&name("b.z."), rtype::A));
    }

    #[test]
    fn nsec_denies_types_at_names_wildcards_and_empty_names() {
        let apex = denial(&[nsec("z.", "b.z.", &[rtype::SOA, rtype::NS])]);
        assert!(apex.proves_no_type(&name("z."), rtype::A));
        assert!(!apex.proves_no_type(&name("z."), rtype::SOA));
        assert!(!apex.proves_no_type(&name("z."), rtype::DS), "the child's apex cannot deny a DS");
        let empty = denial(&[nsec("b.z.", "x.d.z.", &[rtype::A])]);
        assert!(empty.proves_no_type(&name("d.z."), rtype::A));
        assert!(!empty.proves_no_name(&name("d.z.")), "it exists without types");
        let star = denial(&[nsec("*.z.", "z.", &[rtype::TXT])]);
        assert!(star.proves_no_type(&name("q.z."), rtype::A));
        assert!(!star.proves_no_type(&name("q.z."), rtype::TXT));
    }

    #[test]
    fn nsec_proves_that_a_wildcard_was_rightly_used() {
        let last = denial(&[nsec("harbor.z.", "z.", &[rtype::A])]);
        assert!(last.proves_expansion(&name("random.z."), &name("z.")));
        assert!(!last.proves_expansion(&name("gitea.z."), &name("z.")));
        // `a.x.z` exists, so that `x.z` does, and `*.z` does not reach `b.x.z`.
        let closer = denial(&[nsec("a.x.z.", "c.x.z.", &[rtype::A])]);
        assert!(!closer.proves_expansion(&name("b.x.z."), &name("z.")));
    }

    #[test]
    fn type_maps_are_read_by_window() {
        let two = [vec![0, 1, 0x40], vec![1, 1, 0x80]].concat();
        assert!(has_type(&two, 1) && has_type(&two, 256));
        assert!(!has_type(&two, 2) && !has_type(&two, 257) && !has_type(&two, 512));
        assert!(!has_type(&[0, 9, 1], 1));
    }

    proptest! {
        #[test]
        fn garbage_proves_nothing_and_never_panics(rdata in proptest::collection::vec(any::<u8>(), 0..80), three: bool, label in "[0-9a-v]{1,40}") {
            let set = SignedSet {
                owner: name("z.").below(&label).unwrap(),
                rtype: if three { rtype::NSEC3 } else { rtype::NSEC },
                ttl: 1, records: vec![rdata], signatures: vec![],
            };
            if let Ok(denial) = Denial::read(&name("z."), std::iter::once(&set)) {
                let _ = denial.proves_no_name(&name("q.z."));
                let _ = denial.proves_no_type(&name("q.z."), rtype::A);
                let _ = denial.proves_expansion(&name("q.z."), &name("z."));
            }
        }
    }
}
