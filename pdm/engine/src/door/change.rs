//! From what a client sent to what is written: pure.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use pdm_model::canonical::Change;
use pdm_model::{RRset, Refusal, Ttl, ZoneName};

use super::record::{content, is_name};
use super::scope::{DoorScope, admitted};

/// RRsets in one change.
const MOST_EDITS: usize = 200;
/// Records in one RRset.
const MOST_RECORDS: usize = 60;
/// RRsets that one token may have in its zone.
const MOST_SETS: usize = 2000;
const LONGEST_TTL: u32 = 86_400;

/// One RRset as a client wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Owner name with its last dot.
    pub name: String,
    /// Type, by name or number.
    pub rtype: String,
    /// What to do.
    pub kind: EditKind,
    /// Time to live.
    pub ttl: u32,
    /// Contents.
    pub records: Vec<String>,
}

/// What to do with an RRset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditKind {
    /// These records and no others.
    Replace,
    /// None.
    Delete,
    /// These records besides those that are there.
    Extend,
    /// Those that are there without these.
    Prune,
}

/// The changes that `edits` ask for, without those that are there already.
pub(super) fn plan(
    scope: &DoorScope,
    allowed: &[IpNet],
    edits: &[Edit],
    observed: &[RRset],
) -> Result<Vec<Change>, Refusal> {
    let invalid = |index: usize, field: &str, detail: String| {
        Refusal::new("invalid-rrset", detail).field(format!("rrsets[{index}].{field}"))
    };
    if edits.len() > MOST_EDITS {
        return Err(invalid(MOST_EDITS, "name", format!("at most {MOST_EDITS} RRsets go into one change")));
    }
    let there: BTreeMap<_, _> = observed.iter().map(|r| (r.key(), r)).collect();
    let mut seen = BTreeSet::new();
    let mut changes = Vec::new();
    for (index, edit) in edits.iter().enumerate() {
        let owner = owner(&edit.name, &scope.zone).map_err(|e| invalid(index, "name", e))?;
        let refused = || {
            let detail = format!("this token has no right to {} {}", edit.name, edit.rtype);
            Refusal::new("dns-name-refused", detail).field(format!("rrsets[{index}].name"))
        };
        let rtype = admitted(&edit.rtype).filter(|rtype| scope.owns(&owner, rtype)).ok_or_else(refused)?;
        if !seen.insert((owner.clone(), rtype.clone())) {
            return Err(invalid(index, "name", "the same RRset stands here twice".into()));
        }
        if edit.ttl > LONGEST_TTL {
            return Err(invalid(index, "ttl", format!("a TTL is at most {LONGEST_TTL} here")));
        }
        let records = edit.records.iter().map(|text| content(&rtype, text, allowed));
        let records: BTreeSet<String> =
            records.collect::<Result<_, _>>().map_err(|e| invalid(index, "records", e))?;
        let before = there.get(&(owner.as_str(), &rtype)).copied();
        let old = || before.map(|r| r.records.clone()).unwrap_or_default();
        let records = match edit.kind {
            EditKind::Replace => records,
            EditKind::Delete => BTreeSet::new(),
            EditKind::Extend => &old() | &records,
            EditKind::Prune => &old() - &records,
        };
        if records.len() > MOST_RECORDS {
            return Err(invalid(index, "records", format!("an RRset has at most {MOST_RECORDS} records")));
        }
        let kept = before.filter(|_| edit.kind == EditKind::Prune);
        let ttl = kept.map_or(Ttl::new(edit.ttl), |r| r.ttl);
        if records.is_empty() {
            changes.extend(before.map(|_| Change::Delete(owner, rtype)));
        } else {
            let wanted = RRset::new(owner, rtype, ttl, records);
            if before != Some(&wanted) {
                changes.push(Change::Replace(wanted));
            }
        }
    }
    let own = observed.iter().filter(|r| scope.owns(&r.owner, &r.rtype)).count();
    let grows = changes.iter().any(|c| matches!(c, Change::Replace(r) if !there.contains_key(&r.key())));
    if grows && own + changes.len() > MOST_SETS {
        let detail = format!("a token has at most {MOST_SETS} RRsets in its zone");
        return Err(Refusal::new("quota-reached", detail));
    }
    Ok(changes)
}

/// An owner name inside the zone, lower case; a wildcard only as its first label.
fn owner(name: &str, zone: &ZoneName) -> Result<String, String> {
    let name = name.to_ascii_lowercase();
    let bare = name.strip_suffix('.').ok_or("a name ends with a dot")?;
    if !is_name(bare.strip_prefix("*.").unwrap_or(bare)) || bare.len() > 253 {
        return Err(format!("{bare:?} is not a name that can be written"));
    }
    let inside = bare == zone.as_str() || bare.ends_with(&format!(".{zone}"));
    if inside { Ok(name) } else { Err(format!("the name is not in {zone}")) }
}

/// Deletions first: PowerDNS checks a change in order, and an address cannot join a CNAME.
pub(super) fn in_order(changes: Vec<Change>, more: Vec<Change>) -> Vec<Change> {
    let all = changes.into_iter().chain(more);
    let (mut gone, written): (Vec<_>, Vec<_>) = all.partition(|c| matches!(c, Change::Delete(..)));
    gone.extend(written);
    gone
}

/// For the audit log: which RRsets, not what is in them.
pub(super) fn described(changes: &[Change]) -> String {
    let one = |change: &Change| match change {
        Change::Replace(r) => format!("{} {} ({})", r.owner, r.rtype, r.records.len()),
        Change::Delete(owner, rtype) => format!("{owner} {rtype} removed"),
    };
    let mut lines: Vec<String> = changes.iter().take(20).map(one).collect();
    if changes.len() > 20 {
        lines.push(format!("and {} more", changes.len() - 20));
    }
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::Kind;
    use pdm_model::RecordType;

    fn scope() -> DoorScope {
        DoorScope { zone: ZoneName::parse("omantel.omani.works").unwrap(), kind: Kind::Acme }
    }

    fn edit(name: &str, kind: EditKind, records: &[&str]) -> Edit {
        Edit {
            name: name.to_owned(),
            rtype: "TXT".into(),
            kind,
            ttl: 60,
            records: records.iter().map(|r| format!("\"{r}\"")).collect(),
        }
    }

    const NAME: &str = "_acme-challenge.omantel.omani.works.";

    fn set(records: &[&str]) -> RRset {
        RRset::new(NAME, RecordType::Txt, Ttl::new(60), records.iter().map(|r| format!("\"{r}\"")))
    }

    #[test]
    fn the_second_time_changes_nothing() {
        let plan = |edits: &[Edit], seen: &[RRset]| plan(&scope(), &[], edits, seen).unwrap();
        let replace = [edit(NAME, EditKind::Replace, &["a"])];
        assert_eq!(plan(&replace, &[]), [Change::Replace(set(&["a"]))]);
        assert_eq!(plan(&replace, &[set(&["a"])]), []);
        let delete = [edit(NAME, EditKind::Delete, &[])];
        assert_eq!(plan(&delete, &[set(&["a"])]), [Change::Delete(NAME.into(), RecordType::Txt)]);
        assert_eq!(plan(&delete, &[]), []);
        assert_eq!(
            plan(&[edit(NAME, EditKind::Extend, &["b"])], &[set(&["a"])]),
            [Change::Replace(set(&["a", "b"]))]
        );
        assert_eq!(
            plan(&[edit(NAME, EditKind::Prune, &["b"])], &[set(&["a", "b"])]),
            [Change::Replace(set(&["a"]))]
        );
        assert_eq!(plan(&[edit(NAME, EditKind::Prune, &["a"])], &[set(&["a"])]).len(), 1);
    }

    #[test]
    fn what_is_not_the_tokens_is_refused_whole() {
        let code = |edits: &[Edit]| {
            plan(&scope(), &[], edits, &[]).err().map(|r| (r.code, r.field.unwrap_or_default()))
        };
        let good = edit(NAME, EditKind::Replace, &["a"]);
        let bad = |name: &str| code(&[good.clone(), edit(name, EditKind::Replace, &["a"])]);
        let refused = Some(("dns-name-refused", "rrsets[1].name".to_owned()));
        for name in ["omantel.omani.works.", "console.omantel.omani.works.", "*.omantel.omani.works."] {
            assert_eq!(bad(name), refused, "{name}");
        }
        let invalid = Some(("invalid-rrset", "rrsets[1].name".to_owned()));
        for name in [
            "_acme-challenge.omantel.omani.works",
            "_acme-challenge.omani.works.",
            "_acme-challenge..omantel.omani.works.",
            "_acme-challenge.a b.omantel.omani.works.",
            "a.*.omantel.omani.works.",
            NAME,
        ] {
            assert_eq!(bad(name), invalid, "{name}");
        }
        for rtype in ["LUA", "TYPE65402", "NS", "A"] {
            assert_eq!(
                code(&[
                    good.clone(),
                    Edit {
                        rtype: rtype.into(),
                        ..edit("_acme-challenge.x.omantel.omani.works.", EditKind::Replace, &["a"])
                    }
                ]),
                refused,
                "{rtype}"
            );
        }
        assert_eq!(code(&[Edit { ttl: 86_401, ..good.clone() }]).unwrap().1, "rrsets[0].ttl");
        assert_eq!(code(&[Edit { records: vec!["x".into()], ..good }]).unwrap().1, "rrsets[0].records");
    }

    #[test]
    fn deletions_go_first() {
        let (gone, set) = (Change::Delete("a.".into(), RecordType::A), Change::Replace(set(&["a"])));
        assert_eq!(in_order(vec![set.clone()], vec![gone.clone()]), [gone, set]);
    }
}
