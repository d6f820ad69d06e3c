//! How the DS at a parent stands to the keys of its child.

use std::collections::BTreeSet;

use pdm_model::DsRecord;
use pdm_model::pool_keys::DsStanding;

use super::view::{Held, ParentSeen};
use crate::name::Name;

/// How the DS that the parent's servers answer stand to the keys that the signer holds: the worst of them, with a sentence.
#[must_use]
pub fn standing(zone: &Name, held: &[Held], parents: &[ParentSeen]) -> (DsStanding, String) {
    let sets: Vec<(&str, &BTreeSet<DsRecord>)> =
        parents.iter().filter_map(|p| p.ds.as_ref().map(|(set, _)| (p.server.as_str(), set))).collect();
    let belongs = |ds: &DsRecord, signs: bool| {
        let good = |key: &&Held| !signs || key.active && key.published;
        held.iter().filter(good).any(|key| key.dnskey.matches(zone, ds))
    };
    let tags =
        |set: &BTreeSet<DsRecord>| set.iter().map(|ds| ds.key_tag.to_string()).collect::<Vec<_>>().join(", ");
    if sets.is_empty() {
        return (DsStanding::Unknown, "no server of the parent answers".to_owned());
    }
    let bogus =
        |(_, set): &&(&str, &BTreeSet<DsRecord>)| !set.is_empty() && !set.iter().any(|ds| belongs(ds, true));
    if let Some((server, set)) = sets.iter().find(bogus) {
        let detail = format!("{server} has DS {}, and no key that signs belongs to one: bogus", tags(set));
        return (DsStanding::Wrong, detail);
    }
    if sets.iter().all(|(_, set)| set.is_empty()) {
        return (DsStanding::Missing, "the parent has no DS: the zone counts as unsigned".to_owned());
    }
    if let Some((server, _)) = sets.iter().find(|(_, set)| set.is_empty()) {
        return (DsStanding::Stale, format!("{server} has no DS, other servers of the parent have"));
    }
    let strange = sets.iter().flat_map(|(server, set)| set.iter().map(move |ds| (server, ds)));
    if let Some((server, ds)) = strange.into_iter().find(|(_, ds)| !belongs(ds, false)) {
        return (DsStanding::Stale, format!("{server} has DS {}, which belongs to no key", ds.key_tag));
    }
    let silent = parents.len() - sets.len();
    let detail =
        if silent > 0 { format!("{silent} servers of the parent are silent") } else { String::new() };
    (DsStanding::Right, detail)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;
    use crate::ds::{Dnskey, DsDigest};
    use pdm_model::Ttl;

    #[test]
    fn the_worst_server_counts() {
        let zone = Name::parse("omani.works.").unwrap();
        let key =
            |text: &str, active| Held { dnskey: Dnskey::parse(text).unwrap(), active, published: active };
        let (good, hidden, gone) =
            (key("257 3 13 AAAA", true), key("257 3 13 AAAB", false), key("257 3 13 AAAC", true));
        let held = [good.clone(), hidden.clone()];
        let ds = |key: &Held| key.dnskey.ds(&zone, DsDigest::Sha256);
        let look = |sets: &[Option<Vec<&Held>>]| {
            let one = |set: &Option<Vec<&Held>>| ParentSeen {
                server: "p".to_owned(),
                ds: set.as_ref().map(|keys| (keys.iter().map(|k| ds(k)).collect(), Ttl::new(1))),
            };
            standing(&zone, &held, &sets.iter().map(one).collect::<Vec<_>>()).0
        };
        use DsStanding::{Missing, Right, Stale, Unknown, Wrong};
        for (sets, expected) in [
            (vec![], Unknown),
            (vec![None, None], Unknown),
            (vec![Some(vec![]), None], Missing),
            (vec![Some(vec![&good]), Some(vec![])], Stale),
            (vec![Some(vec![&good, &gone])], Stale),
            (vec![Some(vec![&good]), Some(vec![&gone])], Wrong),
            // A key that is announced and does not sign yet vouches for nothing alone, and does no harm beside another.
            (vec![Some(vec![&hidden])], Wrong),
            (vec![Some(vec![&good, &hidden]), None], Right),
        ] {
            assert_eq!(look(&sets), expected, "{sets:?}");
        }
    }
}
