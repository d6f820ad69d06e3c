//! What one reply says about a zone cut. Pure; every reply is taken for hostile.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pdm_dnssec::{Answer, NXDOMAIN, Name, SignedSet, rtype};

use crate::judge::rcode;
use crate::present::Soa;

/// Nameserver names of one set that are looked at; more is either a mistake or an attack (CVE-2020-12662).
const MAX_NAMES: usize = 20;
/// Addresses of one name.
const MAX_ADDRESSES: usize = 8;

/// A zone cut as one server tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) zone: Name,
    pub(crate) ns: BTreeSet<Name>,
    pub(crate) ttl: u32,
    pub(crate) glue: BTreeMap<Name, BTreeSet<IpAddr>>,
    /// The server answered for the child itself, so that the parent's own NS set cannot be seen.
    pub(crate) authoritative: bool,
}

/// What a server of `zone` says when it is asked for NS of a name below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// A zone begins at or above the name.
    Cut(Cut),
    /// The name is inside the zone, with the TTL of that denial.
    Inside(u32),
    /// The name does not exist, with the TTL of that denial.
    NoName(u32),
}

/// A reply that answers in the name of somebody: parsed, and with a response code that says something.
pub(crate) fn readable(octets: &[u8]) -> Result<Answer, String> {
    let answer = Answer::parse(octets).map_err(|e| e.to_string())?;
    if answer.truncated {
        return Err("the answer is truncated by TCP too".to_owned());
    }
    if answer.rcode != 0 && answer.rcode != NXDOMAIN {
        return Err(format!("it answers {}", rcode(answer.rcode)));
    }
    Ok(answer)
}

/// Read the answer to `name NS`, asked at a server of `zone`.
///
/// # Errors
/// Why it says nothing that could be followed: lame, upward, sideways.
pub(crate) fn told(answer: &Answer, zone: &Name, name: &Name) -> Result<Told, String> {
    if let Some(set) = answer.find(name, rtype::NS) {
        if !answer.authoritative {
            return Err("it answers from a cache: it is a resolver".to_owned());
        }
        return Ok(Told::Cut(cut(answer, set, zone, true)));
    }
    if answer.authoritative {
        let ttl = denial_ttl(answer);
        return Ok(if answer.rcode == NXDOMAIN { Told::NoName(ttl) } else { Told::Inside(ttl) });
    }
    let referral = answer.authorities.iter().find(|set| set.rtype == rtype::NS);
    let Some(set) = referral else {
        return Err(format!("it has no authority for {zone} and refers to nobody"));
    };
    // Below us and on the way to the name: anything else leads up, aside or around.
    let down = set.owner != *zone && set.owner.is_at_or_below(zone) && name.is_at_or_below(&set.owner);
    if !down {
        return Err(format!("it refers to {} for a name in {zone}", set.owner));
    }
    Ok(Told::Cut(cut(answer, set, zone, false)))
}

fn cut(answer: &Answer, set: &SignedSet, zone: &Name, authoritative: bool) -> Cut {
    let ns: BTreeSet<Name> = ns_names(set);
    // Only names below the zone that refers may have their addresses from it (RFC 2181 5.4.1).
    let mut glue: BTreeMap<Name, BTreeSet<IpAddr>> = BTreeMap::new();
    for set in &answer.additionals {
        if ns.contains(&set.owner) && set.owner.is_at_or_below(zone) {
            let known = glue.entry(set.owner.clone()).or_default();
            known.extend(addresses(set).take(MAX_ADDRESSES));
        }
    }
    Cut { zone: set.owner.clone(), ns, ttl: set.ttl, glue, authoritative }
}

/// The names of an NS set.
pub(crate) fn ns_names(set: &SignedSet) -> BTreeSet<Name> {
    set.records
        .iter()
        .take(MAX_NAMES)
        .filter_map(|rdata| Name::from_wire(rdata))
        .map(|(name, _)| name)
        .collect()
}

/// The addresses of an A or AAAA set; none of any other.
pub(crate) fn addresses(set: &SignedSet) -> impl Iterator<Item = IpAddr> + '_ {
    set.records.iter().filter_map(|rdata| match set.rtype {
        rtype::A => Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(rdata.as_slice()).ok()?))),
        rtype::AAAA => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(rdata.as_slice()).ok()?))),
        _ => None,
    })
}

/// How long a denial is remembered (RFC 2308 section 5).
pub(crate) fn denial_ttl(answer: &Answer) -> u32 {
    let soa = answer.authorities.iter().find(|set| set.rtype == rtype::SOA);
    let ttl = soa.and_then(|set| Some(set.ttl.min(Soa::read(set.records.first()?)?.minimum)));
    ttl.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn set(owner: &str, rtype: u16, records: Vec<Vec<u8>>) -> SignedSet {
        SignedSet { owner: name(owner), rtype, ttl: 60, records, signatures: Vec::new() }
    }

    fn referral(owner: &str) -> Answer {
        let ns =
            set(owner, rtype::NS, vec![name("ns.a.test.").wire().to_vec(), name("ns.evil.").wire().to_vec()]);
        let glue = ["ns.a.test.", "ns.evil."].map(|owner| set(owner, rtype::A, vec![vec![192, 0, 2, 1]]));
        Answer { authorities: vec![ns], additionals: glue.to_vec(), ..Answer::default() }
    }

    #[test]
    fn a_referral_leads_down_and_brings_glue_of_its_own_only() {
        let Ok(Told::Cut(cut)) = told(&referral("a.test."), &name("test."), &name("a.test.")) else {
            panic!()
        };
        assert_eq!((cut.zone, cut.ns.len(), cut.authoritative), (name("a.test."), 2, false));
        assert_eq!(cut.glue.keys().collect::<Vec<_>>(), [&name("ns.a.test.")]);
    }

    #[test]
    fn referrals_that_lead_elsewhere_are_refused() {
        for owner in [".", "test.", "b.test.", "x.a.test.", "evil."] {
            assert!(told(&referral(owner), &name("test."), &name("a.test.")).is_err(), "{owner}");
        }
    }

    #[test]
    fn an_answer_without_authority_is_a_resolvers() {
        let ns = set("a.test.", rtype::NS, vec![name("ns.a.test.").wire().to_vec()]);
        let answer = Answer { answers: vec![ns], ..Answer::default() };
        assert!(told(&answer, &name("test."), &name("a.test.")).is_err());
        let answer = Answer { authoritative: true, ..answer };
        let Ok(Told::Cut(cut)) = told(&answer, &name("test."), &name("a.test.")) else { panic!() };
        assert!(cut.authoritative);
        let denied = Answer { authoritative: true, rcode: NXDOMAIN, ..Answer::default() };
        assert_eq!(told(&denied, &name("test."), &name("a.test.")), Ok(Told::NoName(0)));
    }
}
