//! Names that a wildcard stops answering for, and the copies that keep them alive (RFC 4592).
//!
//! `*.zone` answers for a name that does not exist. Writing `_acme-challenge.axon.zone` makes `axon.zone` exist, as an
//! empty non-terminal: `axon.zone` and everything below it, which the wildcard answered a moment ago, answers nothing.
//! So who writes below such a name also writes, in the same change, the wildcard's own A, AAAA and LUA at `axon` and at
//! `*.axon`. That pair, equal to the wildcard and with nothing else at its two names, is a *shadow*: it is recognised by
//! that and by nothing else, so no list of it can be lost. It follows every change of the wildcard in the change that
//! makes it, and leaves with the last name below it. If somebody edits a shadow by hand it is theirs from then on.

use std::collections::{BTreeMap, BTreeSet};

use crate::canonical::{CANONICAL_LABELS, Change};
use crate::name::ZoneName;
use crate::rrset::{RRset, RecordType};

/// The label under which certificate authorities look for proofs (RFC 8555 8.4).
pub const ACME_LABEL: &str = "_acme-challenge";

type Sets = BTreeMap<(String, RecordType), RRset>;

/// What must be changed besides `changes` so that names stay alive as they are now, given everything in the zone. Names
/// that `changes` touches, names of proofs, and shadows that are there make copies necessary; what others wrote under
/// the wildcard without us does not.
#[must_use]
pub fn follow(zone: &ZoneName, observed: &[RRset], changes: &[Change]) -> Vec<Change> {
    let all: Sets = observed.iter().map(|r| (key(r), r.clone())).collect();
    let present = shadowed(zone, &all);
    let (mut base, mut touched) = (all.clone(), BTreeSet::new());
    for name in &present {
        base.retain(|(owner, _), _| owner != name && *owner != format!("*.{name}"));
    }
    for change in changes {
        match change {
            Change::Replace(rrset) => {
                touched.insert(rrset.owner.clone());
                base.insert(key(rrset), rrset.clone());
            }
            Change::Delete(owner, rtype) => {
                base.remove(&(owner.clone(), rtype.clone()));
            }
        }
    }
    let mut wanted = Sets::new();
    for name in needed(zone, &base, &present, &touched) {
        for copy in wildcard(zone, &base) {
            for owner in [name.clone(), format!("*.{name}")] {
                let copy = RRset { owner, ..copy.clone() };
                wanted.insert(key(&copy), copy);
            }
        }
    }
    let ours =
        |owner: &str| present.iter().any(|name| owner == name || owner.strip_prefix("*.") == Some(name));
    let gone = all.keys().filter(|(owner, rtype)| {
        let key = (owner.clone(), rtype.clone());
        ours(owner) && !wanted.contains_key(&key) && !base.contains_key(&key)
    });
    let mut more: Vec<Change> =
        gone.map(|(owner, rtype)| Change::Delete(owner.clone(), rtype.clone())).collect();
    more.extend(
        wanted
            .into_iter()
            .filter(|(key, set)| all.get(key) != Some(set))
            .map(|(_, set)| Change::Replace(set)),
    );
    more
}

/// Whether an RRset is part of a shadow.
#[must_use]
pub fn shadows(zone: &ZoneName, observed: &[RRset]) -> BTreeSet<String> {
    let all: Sets = observed.iter().map(|r| (key(r), r.clone())).collect();
    shadowed(zone, &all).into_iter().flat_map(|name| [format!("*.{name}"), name]).collect()
}

fn key(rrset: &RRset) -> (String, RecordType) {
    (rrset.owner.clone(), rrset.rtype.clone())
}

fn answers(rtype: &RecordType) -> bool {
    matches!(rtype, RecordType::A | RecordType::Aaaa | RecordType::Lua)
}

fn wildcard(zone: &ZoneName, sets: &Sets) -> Vec<RRset> {
    at(sets, &format!("*.{zone}.")).filter(|r| answers(&r.rtype)).cloned().collect()
}

fn at<'a>(sets: &'a Sets, owner: &str) -> impl Iterator<Item = &'a RRset> {
    let owner = owner.to_owned();
    sets.values().filter(move |r| r.owner == owner)
}

/// Names whose pair of copies is there: exactly the wildcard's RRsets at both, and nothing else.
fn shadowed(zone: &ZoneName, sets: &Sets) -> BTreeSet<String> {
    let model: Vec<RRset> = wildcard(zone, sets);
    if model.is_empty() {
        return BTreeSet::new();
    }
    let same = |owner: &str| {
        let here: Vec<RRset> =
            at(sets, owner).map(|r| RRset { owner: model[0].owner.clone(), ..r.clone() }).collect();
        here == model
    };
    let owners: BTreeSet<&String> = sets.keys().map(|(owner, _)| owner).collect();
    let stars = owners.iter().filter_map(|owner| owner.strip_prefix("*."));
    let apex = zone.dotted();
    stars
        .filter(|name| *name != apex && same(name) && same(&format!("*.{name}")))
        .map(str::to_owned)
        .collect()
}

/// Names that need a pair: empty non-terminals that the wildcard would answer if nothing lay below them.
fn needed(
    zone: &ZoneName,
    base: &Sets,
    present: &BTreeSet<String>,
    touched: &BTreeSet<String>,
) -> BTreeSet<String> {
    let suffix = format!(".{zone}.");
    let owners: BTreeSet<&str> = base.keys().map(|(owner, _)| owner.as_str()).collect();
    let mut names = BTreeSet::new();
    for owner in &owners {
        let Some(labels) = owner.strip_suffix(&suffix) else { continue };
        let labels: Vec<&str> = labels.split('.').collect();
        let cause = touched.contains(*owner) || labels[0] == ACME_LABEL;
        // From the top down: the first name that exists by itself, or has its own wildcard, ends this one's reach.
        for depth in (1..labels.len()).rev() {
            let name = format!("{}{suffix}", labels[depth..].join("."));
            let canonical = depth + 1 == labels.len() && CANONICAL_LABELS.contains(&labels[depth]);
            let star = format!("*.{name}");
            if canonical || owners.contains(name.as_str()) || owners.contains(star.as_str()) {
                break;
            }
            if labels[depth].starts_with('_') {
                continue;
            }
            if cause || present.contains(&name) {
                names.insert(name);
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::{desired_rrsets, diff};
    use crate::pool::Ttls;
    use crate::target::Target;
    use crate::time::Ttl;
    use proptest::prelude::*;

    fn zone() -> ZoneName {
        ZoneName::parse("omantel.omani.works").unwrap()
    }

    fn canonical(address: [u8; 4]) -> Vec<RRset> {
        let ns = [ZoneName::parse("ns1.omani.works").unwrap()];
        desired_rrsets(&zone(), &ns, Some(&Target::single(address.into())), &Ttls::default())
    }

    fn txt(owner: &str) -> RRset {
        RRset::new(format!("{owner}.omantel.omani.works."), RecordType::Txt, Ttl::new(60), ["\"x\""])
    }

    fn apply(zone: &mut Vec<RRset>, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Replace(r) => {
                    zone.retain(|s| s.key() != r.key());
                    zone.push(r.clone());
                }
                Change::Delete(owner, rtype) => zone.retain(|s| s.key() != (owner.as_str(), rtype)),
            }
        }
    }

    fn write(zone_now: &mut Vec<RRset>, mut changes: Vec<Change>) -> usize {
        let more = follow(&zone(), zone_now, &changes);
        let count = more.len();
        changes.extend(more);
        apply(zone_now, &changes);
        count
    }

    /// What an authoritative server answers for an address (RFC 4592 3.3).
    fn answer(sets: &[RRset], name: &str) -> Vec<String> {
        let exists = |n: &str| sets.iter().any(|r| r.owner == n || r.owner.ends_with(&format!(".{n}")));
        let addresses = |n: &str| -> Vec<String> {
            sets.iter()
                .filter(|r| r.owner == n && r.rtype == RecordType::A)
                .flat_map(|r| r.records.clone())
                .collect()
        };
        if exists(name) {
            return addresses(name);
        }
        let mut encloser = name;
        while let Some((_, parent)) = encloser.split_once('.') {
            encloser = parent;
            if exists(encloser) {
                break;
            }
        }
        addresses(&format!("*.{encloser}"))
    }

    const LB: [u8; 4] = [192, 0, 2, 1];

    #[test]
    fn a_proof_below_a_wildcard_name_shadows_nothing_and_leaves_nothing() {
        let mut sets = canonical(LB);
        let before = sets.clone();
        assert_eq!(write(&mut sets, vec![Change::Replace(txt("_acme-challenge.axon"))]), 2);
        for name in ["axon", "deep.axon", "a.b.axon", "other", "console"] {
            assert_eq!(answer(&sets, &format!("{name}.omantel.omani.works.")), ["192.0.2.1"], "{name}");
        }
        // Twice is boring.
        assert_eq!(write(&mut sets, vec![Change::Replace(txt("_acme-challenge.axon"))]), 0);
        let gone = Change::Delete("_acme-challenge.axon.omantel.omani.works.".into(), RecordType::Txt);
        assert_eq!(write(&mut sets, vec![gone]), 2);
        assert_eq!(sets, before);
    }

    #[test]
    fn copies_follow_the_target_and_leave_while_it_is_suspended() {
        let mut sets = canonical(LB);
        write(&mut sets, vec![Change::Replace(txt("_acme-challenge.axon"))]);
        let moved = diff(&zone(), &canonical([192, 0, 2, 9]), &sets);
        assert_eq!(write(&mut sets, moved), 2);
        assert_eq!(answer(&sets, "x.axon.omantel.omani.works."), ["192.0.2.9"]);
        let ns = [ZoneName::parse("ns1.omani.works").unwrap()];
        let suspended = diff(&zone(), &desired_rrsets(&zone(), &ns, None, &Ttls::default()), &sets);
        write(&mut sets, suspended);
        assert!(answer(&sets, "axon.omantel.omani.works.").is_empty());
        let resumed = diff(&zone(), &canonical(LB), &sets);
        write(&mut sets, resumed);
        assert_eq!(answer(&sets, "axon.omantel.omani.works."), ["192.0.2.1"]);
    }

    #[test]
    fn what_exists_by_itself_is_left_alone() {
        for (name, copies) in [
            ("_acme-challenge", 0),
            ("_acme-challenge.console", 0),
            ("_acme-challenge.x.console", 0),
            ("_acme-challenge.a.b", 4),
        ] {
            assert_eq!(write(&mut canonical(LB), vec![Change::Replace(txt(name))]), copies, "{name}");
        }
        let own = RRset::new("axon.omantel.omani.works.", RecordType::A, Ttl::new(60), ["192.0.2.77"]);
        let mut sets = canonical(LB);
        sets.push(own.clone());
        assert_eq!(write(&mut sets, vec![Change::Replace(txt("_acme-challenge.axon"))]), 0);
        // Somebody takes the name over while the copies are there: both go, and what was written stays.
        let mut sets = canonical(LB);
        write(&mut sets, vec![Change::Replace(txt("_acme-challenge.axon"))]);
        write(&mut sets, vec![Change::Replace(own.clone())]);
        assert_eq!(answer(&sets, "axon.omantel.omani.works."), ["192.0.2.77"]);
        assert!(!sets.iter().any(|r| r.owner.starts_with("*.axon")));
    }

    #[test]
    fn a_name_of_others_under_the_wildcard_is_not_ours_to_mend() {
        let mut sets = canonical(LB);
        sets.push(txt("_dmarc.mail"));
        assert_eq!(write(&mut sets, vec![Change::Replace(txt("_acme-challenge.axon"))]), 2);
        assert!(!sets.iter().any(|r| r.owner == "mail.omantel.omani.works."));
    }

    proptest! {
        /// Whatever comes and goes, every name that nobody wrote answers as the wildcard does; at the end nothing is left.
        #[test]
        fn names_stay_alive(steps in proptest::collection::vec((0usize..6, any::<bool>(), any::<u8>()), 1..24)) {
            let names = ["_acme-challenge.a", "_acme-challenge.b.a", "_acme-challenge", "_acme-challenge.console", "_acme-challenge.c.b.a", "_acme-challenge.d"];
            let mut sets = canonical(LB);
            let mut last = LB;
            for (n, add, octet) in steps {
                if octet < 60 {
                    last = [192, 0, 2, octet];
                    let moved = diff(&zone(), &canonical(last), &sets);
                    write(&mut sets, moved);
                }
                let set = txt(names[n]);
                let change = if add { Change::Replace(set) } else { Change::Delete(set.owner, set.rtype) };
                write(&mut sets, vec![change]);
                let want = std::net::Ipv4Addr::from(last).to_string();
                for name in ["a", "x.a", "b.a", "x.b.a", "c.b.a", "y.c.b.a", "d", "e.d", "zzz"] {
                    prop_assert_eq!(answer(&sets, &format!("{name}.omantel.omani.works.")), [want.clone()], "{}", name);
                }
            }
            let gone = names.iter().map(|n| txt(n)).map(|s| Change::Delete(s.owner, s.rtype)).collect();
            write(&mut sets, gone);
            let sort = |mut sets: Vec<RRset>| { sets.sort_by(|a, b| a.key().cmp(&b.key())); sets };
            prop_assert_eq!(sort(sets), sort(canonical(last)));
        }
    }
}
