//! The old zone's records and the ones that PDM writes, in one zone. Where both want one name, the old answer stays until
//! somebody decides otherwise: a move must not take mail or a web site away.

use std::collections::BTreeSet;

use pdm_model::{RRset, RecordType, ZoneName};
use serde::{Deserialize, Serialize};

use crate::carried::{CarriedZone, Choice};
use crate::types::of;

/// A name that both want.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conflict {
    /// Owner, dotted.
    pub owner: String,
    /// What the old zone says.
    pub old: Vec<RRset>,
    /// What PDM would write.
    pub ours: Vec<RRset>,
    /// What is done.
    pub choice: Choice,
    /// Nobody decided: the old answer stays.
    pub by_default: bool,
}

/// The whole zone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Merged {
    /// What is served.
    pub sets: Vec<RRset>,
    /// Names that both want, in order.
    pub conflicts: Vec<Conflict>,
}

/// Join the carried records with what PDM writes (`ours`, apex NS included).
#[must_use]
pub fn merge(zone: &ZoneName, carried: &CarriedZone, ours: &[RRset]) -> Merged {
    let mut merged = Merged { sets: ours.to_vec(), conflicts: Vec::new() };
    let owners: BTreeSet<&str> = ours.iter().filter(|s| leads(&s.rtype)).map(|s| s.owner.as_str()).collect();
    for owner in owners {
        let at = |sets: &[RRset]| -> Vec<RRset> {
            sets.iter().filter(|s| s.owner == owner && leads(&s.rtype)).cloned().collect()
        };
        let (old, mine) = (at(&carried.sets), at(ours));
        if old.is_empty() || same(&old, &mine) {
            continue;
        }
        let chosen = carried.choices.get(owner).copied();
        let choice = chosen.unwrap_or(Choice::Keep);
        if choice == Choice::Keep {
            merged.sets.retain(|s| s.owner != owner || !leads(&s.rtype));
        }
        let (owner, by_default) = (owner.to_owned(), chosen.is_none());
        merged.conflicts.push(Conflict { owner, old, ours: mine, choice, by_default });
    }
    let taken: BTreeSet<&str> =
        merged.conflicts.iter().filter(|c| c.choice == Choice::Take).map(|c| c.owner.as_str()).collect();
    let apex = zone.dotted();
    for set in &carried.sets {
        let replaced = taken.contains(set.owner.as_str()) && leads(&set.rtype);
        // The old zone's own NS are never among the carried types; this only keeps a hand-made file honest.
        let ours_alone = set.owner == apex && matches!(set.rtype, RecordType::Ns | RecordType::Soa);
        if !replaced && !ours_alone && !merged.sets.iter().any(|s| s.key() == set.key()) {
            merged.sets.push(set.clone());
        }
    }
    merged
}

fn leads(rtype: &RecordType) -> bool {
    *rtype == RecordType::Lua || of(rtype).is_some_and(|t| t.leads)
}

/// The same answers; TTLs may differ.
fn same(old: &[RRset], ours: &[RRset]) -> bool {
    old.len() == ours.len()
        && old.iter().all(|o| ours.iter().any(|m| m.rtype == o.rtype && m.records == o.records))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;
    use crate::carried::Source;
    use pdm_model::canonical::desired_rrsets;
    use pdm_model::{Target, Timestamp, Ttls};

    fn zone() -> ZoneName {
        ZoneName::parse("acme.com").unwrap()
    }

    fn ours() -> Vec<RRset> {
        let ns = [ZoneName::parse("ns1.openova.io").unwrap()];
        desired_rrsets(&zone(), &ns, Some(&Target::single([203, 0, 113, 1].into())), &Ttls::default())
    }

    fn carried(file: &str) -> CarriedZone {
        crate::read(&zone(), file).unwrap().finish(Source::Upload, Timestamp(0))
    }

    fn answer(merged: &Merged, owner: &str, rtype: &str) -> String {
        let rtype = RecordType::from(rtype.to_owned());
        let set = merged.sets.iter().find(|s| s.owner == owner && s.rtype == rtype);
        set.map(|s| s.records.iter().cloned().collect::<Vec<_>>().join("|")).unwrap_or_default()
    }

    const OLD: &str = "@ A 192.0.2.80\n@ MX 10 mx.acme.com.\n@ NS ns1.old.\napi CNAME www\nwww A 192.0.2.81\n\
                       api TXT \"x\"\nharbor A 203.0.113.1\n";

    #[test]
    fn mail_and_web_stay_until_somebody_decides() {
        let merged = merge(&zone(), &carried(OLD.replace("api TXT \"x\"\n", "").as_str()), &ours());
        assert_eq!(answer(&merged, "acme.com.", "A"), "192.0.2.80");
        assert_eq!(answer(&merged, "acme.com.", "MX"), "10 mx.acme.com.");
        assert_eq!(answer(&merged, "api.acme.com.", "CNAME"), "www.acme.com.");
        assert_eq!(answer(&merged, "api.acme.com.", "A"), "", "an alias stands alone");
        assert_eq!(answer(&merged, "console.acme.com.", "A"), "203.0.113.1");
        assert_eq!(answer(&merged, "acme.com.", "NS"), "ns1.openova.io.");
        let owners: Vec<_> = merged.conflicts.iter().map(|c| (c.owner.as_str(), c.by_default)).collect();
        assert_eq!(owners, [("acme.com.", true), ("api.acme.com.", true)], "harbor agrees");
    }

    #[test]
    fn a_name_that_is_given_up_goes_to_the_load_balancers_and_keeps_its_text() {
        let mut old = carried(OLD.replace("api CNAME www", "api A 192.0.2.82").as_str());
        old.choices.insert("api.acme.com.".into(), Choice::Take);
        let merged = merge(&zone(), &old, &ours());
        assert_eq!(answer(&merged, "api.acme.com.", "A"), "203.0.113.1");
        assert_eq!(answer(&merged, "api.acme.com.", "TXT"), "\"x\"");
        assert!(merged.conflicts.iter().any(|c| c.owner == "api.acme.com." && c.choice == Choice::Take));
    }

    #[test]
    fn no_two_sets_share_owner_and_type_and_no_alias_has_company() {
        for choice in [Choice::Keep, Choice::Take] {
            let mut old = carried("@ A 192.0.2.1\n* CNAME www\nwww A 192.0.2.1\napi A 192.0.2.1\n");
            for owner in ["acme.com.", "*.acme.com.", "api.acme.com."] {
                old.choices.insert(owner.into(), choice);
            }
            let merged = merge(&zone(), &old, &ours());
            let keys: BTreeSet<_> = merged.sets.iter().map(RRset::key).collect();
            assert_eq!(keys.len(), merged.sets.len());
            let alias = RecordType::from("CNAME".to_owned());
            for set in merged.sets.iter().filter(|s| s.rtype == alias) {
                assert_eq!(merged.sets.iter().filter(|s| s.owner == set.owner).count(), 1);
            }
        }
    }
}
