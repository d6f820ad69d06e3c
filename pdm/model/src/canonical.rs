//! The canonical six records of a Sovereign, and the rest of its zone.

use std::collections::BTreeMap;

use crate::name::ZoneName;
use crate::pool::Ttls;
use crate::rrset::{RRset, RecordType, owner_in};
use crate::target::Target;
use crate::time::Ttl;

/// The labels every Sovereign answers for. `*` covers every name that does not exist otherwise.
pub const CANONICAL_LABELS: [&str; 6] = ["@", "*", "console", "api", "gitea", "harbor"];

/// What each of the six names holds of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// A and AAAA, or LUA where nameservers compute them.
    pub rtype: RecordType,
    /// Seconds that resolvers keep it.
    pub ttl: Ttl,
    /// Contents; an empty set is not written.
    pub records: Vec<String>,
}

/// Every address of a target, always.
#[must_use]
pub fn plain_contents(target: &Target, ttls: &Ttls) -> Vec<Contents> {
    let v4 = target.addresses_v4().iter().map(ToString::to_string).collect();
    let v6 = target.addresses_v6().iter().map(ToString::to_string).collect();
    [(RecordType::A, v4), (RecordType::Aaaa, v6)]
        .map(|(rtype, records)| Contents { rtype, ttl: ttls.address, records })
        .into()
}

/// The RRsets of the six names.
#[must_use]
pub fn at_the_six_names(zone: &ZoneName, contents: &[Contents]) -> Vec<RRset> {
    let mut rrsets = Vec::with_capacity(12);
    for label in CANONICAL_LABELS {
        for set in contents.iter().filter(|set| !set.records.is_empty()) {
            rrsets.push(RRset::new(owner_in(zone, label), set.rtype.clone(), set.ttl, &set.records));
        }
    }
    rrsets
}

/// The NS RRset at the child's apex.
#[must_use]
pub fn apex_ns(zone: &ZoneName, nameservers: &[ZoneName], ttls: &Ttls) -> RRset {
    RRset::new(zone.dotted(), RecordType::Ns, ttls.apex_ns, nameservers.iter().map(ZoneName::dotted))
}

/// Everything that PDM writes into a Sovereign's zone besides SOA and keys, by owner and type; without addresses
/// while it is suspended.
#[must_use]
pub fn desired_rrsets(
    zone: &ZoneName,
    nameservers: &[ZoneName],
    target: Option<&Target>,
    ttls: &Ttls,
) -> Vec<RRset> {
    let mut rrsets = vec![apex_ns(zone, nameservers, ttls)];
    if let Some(target) = target {
        rrsets.extend(at_the_six_names(zone, &plain_contents(target, ttls)));
    }
    rrsets
}

/// One change that brings an observed zone to the desired one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Write this whole RRset.
    Replace(RRset),
    /// Remove the RRset of this owner and type.
    Delete(String, RecordType),
}

/// The difference for the RRsets that are PDM's: the six names' addresses and the apex NS. What others wrote at
/// other names or types is not ours and is never in the difference.
#[must_use]
pub fn diff(zone: &ZoneName, desired: &[RRset], observed: &[RRset]) -> Vec<Change> {
    let seen: BTreeMap<_, _> = observed.iter().map(|r| (r.key(), r)).collect();
    let want: BTreeMap<_, _> = desired.iter().map(|r| (r.key(), r)).collect();
    // PowerDNS checks a PATCH in order, and an address cannot join a CNAME: deletions stand first.
    let mut changes: Vec<Change> = observed
        .iter()
        .filter(|r| is_ours(zone, r) && !want.contains_key(&r.key()))
        .map(|r| Change::Delete(r.owner.clone(), r.rtype.clone()))
        .collect();
    changes.extend(
        desired.iter().filter(|r| seen.get(&r.key()) != Some(r)).map(|r| Change::Replace((*r).clone())),
    );
    changes
}

/// True for an RRset at one of the six names whose type would answer in place of, or beside, what PDM wrote there.
#[must_use]
pub fn is_ours(zone: &ZoneName, rrset: &RRset) -> bool {
    let canonical = CANONICAL_LABELS.iter().any(|label| owner_in(zone, label) == rrset.owner);
    let competes = match &rrset.rtype {
        RecordType::A | RecordType::Aaaa | RecordType::Lua => true,
        RecordType::Other(text) => matches!(text.as_str(), "CNAME" | "ALIAS" | "DNAME"),
        RecordType::Ns => rrset.owner != zone.dotted(),
        RecordType::Ds | RecordType::Soa | RecordType::Txt | RecordType::Dnskey => false,
    };
    canonical && competes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone() -> ZoneName {
        ZoneName::parse("omantel.omani.works").unwrap()
    }

    fn desired(address: [u8; 4]) -> Vec<RRset> {
        let ns = [ZoneName::parse("ns1.omani.works").unwrap()];
        desired_rrsets(&zone(), &ns, Some(&Target::single(address.into())), &Ttls::default())
    }

    #[test]
    fn the_second_time_changes_nothing() {
        let want = desired([192, 0, 2, 1]);
        assert_eq!(want.len(), 7);
        assert_eq!(diff(&zone(), &want, &[]).len(), 7);
        assert_eq!(diff(&zone(), &want, &want), []);
    }

    #[test]
    fn what_others_wrote_stays_and_what_competes_goes() {
        let want = desired([192, 0, 2, 1]);
        let mut seen = want.clone();
        let txt =
            RRset::new("_acme-challenge.omantel.omani.works.", RecordType::Txt, Ttl::new(60), ["\"x\""]);
        seen.push(txt);
        assert_eq!(diff(&zone(), &want, &seen), []);
        seen.push(RRset::new(
            "console.omantel.omani.works.",
            RecordType::Aaaa,
            Ttl::new(60),
            ["2001:db8::1"],
        ));
        let gone = Change::Delete("console.omantel.omani.works.".into(), RecordType::Aaaa);
        assert_eq!(diff(&zone(), &want, &seen), [gone]);
    }

    #[test]
    fn a_suspended_zone_keeps_its_apex_and_loses_its_addresses() {
        let seen = desired([192, 0, 2, 1]);
        let ns = [ZoneName::parse("ns1.omani.works").unwrap()];
        let want = desired_rrsets(&zone(), &ns, None, &Ttls::default());
        assert_eq!(diff(&zone(), &want, &seen).len(), 6);
    }

    proptest! {
        #[test]
        fn applying_the_difference_reaches_the_desired_state(a in any::<[u8; 4]>(), b in any::<[u8; 4]>(), cut in 0usize..8) {
            let want = desired(a);
            let mut seen = desired(b);
            seen.truncate(cut);
            for change in diff(&zone(), &want, &seen.clone()) {
                match change {
                    Change::Replace(r) => { seen.retain(|s| s.key() != r.key()); seen.push(r); }
                    Change::Delete(owner, rtype) => seen.retain(|s| s.key() != (owner.as_str(), &rtype)),
                }
            }
            prop_assert_eq!(diff(&zone(), &want, &seen), []);
        }
    }
}
