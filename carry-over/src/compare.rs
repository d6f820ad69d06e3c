//! What the old servers answer and what ours answer, name by name. The change of NS stays locked until mail and web agree
//! or somebody let them differ by name.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_dnssec::hex;
use pdm_model::{RRset, RecordType, Timestamp};
use serde::{Deserialize, Serialize};

use crate::carried::{CarriedZone, Choice};
use crate::codec::rdata_of;
use crate::merge::Merged;
use crate::types::{CarriedType, of};

/// Questions of one round: with the pace that strangers' servers are asked at, they take less than a minute.
pub const MAX_QUESTIONS: usize = 1000;
/// An agreement that is older is asked for again.
const FRESH: Duration = Duration::from_secs(6 * 3600);

/// One thing to ask both sides for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// Owner, dotted.
    pub owner: String,
    /// Type.
    pub rtype: RecordType,
}

/// What one server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Who, for people.
    pub server: String,
    /// Contents, empty when there is nothing; none without an answer.
    pub contents: Option<BTreeSet<String>>,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Every server of both sides that answered says the same.
    Same,
    /// The name was given to the load balancers.
    Given,
    /// They differ.
    Differs {
        /// What the old servers say, as `server: contents`.
        old: Vec<String>,
        /// What ours say.
        ours: Vec<String>,
    },
    /// No old server answered.
    OldSilent,
    /// Some server of ours did not answer.
    OursSilent,
}

/// One set, as it was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// Owner, dotted.
    pub owner: String,
    /// Type.
    pub rtype: RecordType,
    /// When the questions began.
    pub at: Timestamp,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Which sets to ask for now: what was never asked first, mail and web before the rest, then what is old or disagreed.
#[must_use]
pub fn next_questions(carried: &CarriedZone, now: Timestamp) -> Vec<Question> {
    let mut due: Vec<(bool, bool, i64, &RRset)> = carried
        .sets
        .iter()
        .filter_map(|set| {
            let last = find(carried, set);
            let settled = last.is_some_and(|a| agreed(&a.verdict) && now.since(a.at) < FRESH / 2);
            let locks = of(&set.rtype).is_some_and(|t| t.locks);
            (!settled).then(|| (last.is_some(), !locks, last.map_or(0, |a| a.at.0), set))
        })
        .collect();
    due.sort_by_key(|(asked, unlocked, at, _)| (*asked, *unlocked, *at));
    due.truncate(MAX_QUESTIONS);
    due.into_iter().map(|(.., s)| Question { owner: s.owner.clone(), rtype: s.rtype.clone() }).collect()
}

/// Judge what both sides said. Contents are compared as octets, so that the way they are written does not matter.
#[must_use]
pub fn judge(question: &Question, merged: &Merged, old: &[Said], ours: &[Said]) -> Verdict {
    let conflict = merged.conflicts.iter().find(|c| c.owner == question.owner);
    if conflict.is_some_and(|c| c.choice == Choice::Take && c.old.iter().any(|s| s.rtype == question.rtype)) {
        return Verdict::Given;
    }
    let kind = of(&question.rtype);
    let sets = |said: &[Said]| -> BTreeSet<BTreeSet<String>> {
        said.iter().filter_map(|s| s.contents.as_ref()).map(|all| canonical(kind, all)).collect()
    };
    let (theirs, mine) = (sets(old), sets(ours));
    if theirs.is_empty() {
        return Verdict::OldSilent;
    }
    if ours.is_empty() || ours.iter().any(|s| s.contents.is_none()) {
        return Verdict::OursSilent;
    }
    if theirs.len() == 1 && theirs == mine {
        return Verdict::Same;
    }
    Verdict::Differs { old: told(old), ours: told(ours) }
}

fn canonical(kind: Option<&CarriedType>, contents: &BTreeSet<String>) -> BTreeSet<String> {
    let octets = |text: &String| kind.and_then(|kind| rdata_of(kind, text)).map(|rdata| hex(&rdata));
    contents.iter().map(|text| octets(text).unwrap_or_else(|| text.clone())).collect()
}

fn told(said: &[Said]) -> Vec<String> {
    let line = |s: &Said| {
        let contents = s.contents.as_ref().map(|all| all.iter().cloned().collect::<Vec<_>>().join(" | "));
        let contents = match contents {
            None => "no answer".to_owned(),
            Some(nothing) if nothing.is_empty() => "nothing".to_owned(),
            Some(contents) => contents,
        };
        format!("{}: {contents}", s.server)
    };
    said.iter().map(line).collect()
}

/// Mail and web names that keep the change of NS locked, with why. Empty when nothing does.
#[must_use]
pub fn locked(carried: &CarriedZone, now: Timestamp) -> Vec<(Question, &'static str)> {
    let mut names = Vec::new();
    for set in &carried.sets {
        let locks = of(&set.rtype).is_some_and(|t| t.locks);
        if !locks || carried.waived.contains_key(&set.owner) {
            continue;
        }
        let why = match find(carried, set) {
            None => Some("it was not compared yet"),
            Some(asked) if agreed(&asked.verdict) && now.since(asked.at) >= FRESH => {
                Some("the comparison is too old")
            }
            Some(asked) => match &asked.verdict {
                Verdict::Same | Verdict::Given => None,
                Verdict::Differs { .. } => Some("the old servers answer something else"),
                Verdict::OldSilent => Some("no old server answers"),
                Verdict::OursSilent => Some("not every server of ours answers"),
            },
        };
        if let Some(why) = why {
            names.push((Question { owner: set.owner.clone(), rtype: set.rtype.clone() }, why));
        }
    }
    names
}

fn agreed(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Same | Verdict::Given => true,
        Verdict::Differs { .. } | Verdict::OldSilent | Verdict::OursSilent => false,
    }
}

fn find<'a>(carried: &'a CarriedZone, set: &RRset) -> Option<&'a Asked> {
    // Kept in the order of sets, but a hand-edited row must not make it wrong.
    carried.asked.iter().find(|a| a.owner == set.owner && a.rtype == set.rtype)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;
    use crate::carried::{Source, Waiver};
    use crate::merge::merge;
    use pdm_model::ZoneName;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn carried() -> CarriedZone {
        let zone = ZoneName::parse("acme.com").unwrap();
        let file = "@ MX 10 mx\n@ TXT \"v=spf1 -all\"\nmx A 192.0.2.25\n_sip._tcp SRV 1 2 3 sip\n@ CAA 0 issue \"a\"\n";
        crate::read(&zone, file).unwrap().finish(Source::Upload, NOW)
    }

    fn merged(carried: &CarriedZone) -> Merged {
        merge(&ZoneName::parse("acme.com").unwrap(), carried, &[])
    }

    fn said(contents: Option<&[&str]>) -> Said {
        let contents = contents.map(|all| all.iter().map(|c| (*c).to_owned()).collect());
        Said { server: "ns".into(), contents }
    }

    fn question(owner: &str, rtype: &str) -> Question {
        Question { owner: owner.into(), rtype: RecordType::from(rtype.to_owned()) }
    }

    #[test]
    fn writing_does_not_matter_and_content_does() {
        let (zone, mx) = (merged(&carried()), question("acme.com.", "MX"));
        let verdict = |old: &[Said], ours: &[Said]| judge(&mx, &zone, old, ours);
        let right = said(Some(&["10 MX.acme.com."]));
        let unknown = said(Some(&["\\# 15 000a026d780461636d6503636f6d00"]));
        let ours = said(Some(&["10 mx.acme.com."]));
        assert_eq!(verdict(&[right.clone(), unknown], std::slice::from_ref(&ours)), Verdict::Same);
        assert_eq!(verdict(&[right.clone(), said(None)], std::slice::from_ref(&ours)), Verdict::Same);
        assert_eq!(verdict(&[said(None)], std::slice::from_ref(&ours)), Verdict::OldSilent);
        assert_eq!(verdict(std::slice::from_ref(&right), &[ours.clone(), said(None)]), Verdict::OursSilent);
        let other = said(Some(&["20 mx.acme.com."]));
        assert!(matches!(verdict(&[right, other], std::slice::from_ref(&ours)), Verdict::Differs { .. }));
        let Verdict::Differs { old, .. } = verdict(&[said(Some(&[]))], &[ours]) else {
            panic!("they differ")
        };
        assert_eq!(old, ["ns: nothing"]);
    }

    #[test]
    fn everything_of_mail_and_web_is_locked_until_it_agrees_or_is_waived() {
        let mut carried = carried();
        let names = |c: &CarriedZone, at| -> Vec<String> {
            locked(c, at).iter().map(|(q, _)| format!("{} {}", q.owner, q.rtype)).collect()
        };
        assert_eq!(names(&carried, NOW), ["acme.com. MX", "acme.com. TXT", "mx.acme.com. A"]);
        for set in carried.sets.clone() {
            let verdict = match set.rtype.as_str() {
                "TXT" => Verdict::Differs { old: Vec::new(), ours: Vec::new() },
                "SRV" => Verdict::OldSilent,
                _ => Verdict::Same,
            };
            carried.asked.push(Asked { owner: set.owner, rtype: set.rtype, at: NOW, verdict });
        }
        assert_eq!(names(&carried, NOW), ["acme.com. TXT"], "SRV is told and does not lock");
        let waiver = Waiver { by: "owner".into(), at: NOW };
        carried.waived.insert("acme.com.".into(), waiver);
        assert_eq!(names(&carried, NOW), Vec::<String>::new());
        assert_eq!(names(&carried, NOW + FRESH), ["mx.acme.com. A"], "an agreement does not last for ever");
    }

    #[test]
    fn mail_and_web_are_asked_first_and_agreements_rest() {
        let mut carried = carried();
        let order: Vec<_> = next_questions(&carried, NOW).iter().map(|q| q.rtype.to_string()).collect();
        assert_eq!(order, ["MX", "TXT", "A", "CAA", "SRV"]);
        let (owner, rtype) = ("acme.com.".to_owned(), RecordType::from("MX".to_owned()));
        carried.asked.push(Asked { owner, rtype, at: NOW, verdict: Verdict::Same });
        assert!(next_questions(&carried, NOW).iter().all(|q| q.rtype.as_str() != "MX"));
        assert_eq!(next_questions(&carried, NOW + FRESH / 2).len(), 5);
    }
}
