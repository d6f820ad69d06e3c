//! What is meant, what PowerDNS holds and what each nameserver serves, side by side. Pure.

use std::collections::BTreeSet;

use pdm_model::audit::{Report, Row};
use pdm_model::{RRset, RecordType};

/// Lines of a page at most; a brought zone may have thousands.
const LINES: usize = 100;

/// One value beside what is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub text: String,
    /// Class of the cell and its sign in one word: `same`, `differs`, `computed` or `silent`.
    pub state: &'static str,
}

impl Cell {
    fn of(contents: Option<Vec<String>>, meant: &BTreeSet<String>, computed: bool) -> Self {
        let Some(contents) = contents else { return Self { text: String::new(), state: "silent" } };
        let same = contents.len() == meant.len() && contents.iter().all(|content| meant.contains(content));
        let state = match (same, computed) {
            (_, true) => "computed",
            (true, false) => "same",
            (false, false) => "differs",
        };
        Self { text: contents.join(", "), state }
    }

    /// Reads without colours.
    pub(super) fn sign(&self) -> &'static str {
        match self.state {
            "same" => "=",
            "differs" => "≠",
            "computed" => "ƒ",
            _ => "?",
        }
    }
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub owner: String,
    pub rtype: String,
    pub intent: String,
    pub ttl: u32,
    pub held: Cell,
    /// In the order of the report's servers; empty when nobody asked for this.
    pub served: Vec<Cell>,
}

/// Every RRset that PDM means to be there, and how many lines were left out.
pub(super) fn lines(
    desired: &[RRset],
    observed: Option<&[RRset]>,
    report: Option<&Report>,
) -> (Vec<Line>, usize) {
    let mut all: Vec<Line> = desired.iter().flat_map(|want| lines_of(want, observed, report)).collect();
    let left_out = all.len().saturating_sub(LINES);
    all.truncate(LINES);
    (all, left_out)
}

fn lines_of(want: &RRset, observed: Option<&[RRset]>, report: Option<&Report>) -> Vec<Line> {
    let owner = want.owner.trim_end_matches('.').to_owned();
    let meant: BTreeSet<String> = want.records.iter().cloned().collect();
    let held = observed.map(|all| {
        let there = all.iter().find(|rrset| rrset.key() == want.key());
        there.map(|rrset| rrset.records.iter().cloned().collect()).unwrap_or_default()
    });
    let computed = want.rtype == RecordType::Lua;
    // A nameserver answers a LUA record with the addresses that it computed.
    let types = if computed { vec!["A".to_owned(), "AAAA".to_owned()] } else { vec![want.rtype.to_string()] };
    let asked = |rtype: &String| -> Option<(String, &Row)> {
        let question = format!("{owner}/{rtype}");
        let row = report?.matrix.iter().find(|row| row.question == question)?;
        Some((rtype.clone(), row))
    };
    let line = |rtype: String, served: Vec<Cell>| Line {
        owner: owner.clone(),
        rtype,
        intent: want.records.iter().cloned().collect::<Vec<_>>().join(", "),
        ttl: want.ttl.seconds(),
        held: Cell::of(held.clone(), &meant, false),
        served,
    };
    let rows: Vec<Line> = types
        .iter()
        .filter_map(asked)
        .map(|(rtype, row)| {
            let served = row.served.iter().map(|seen| Cell::of(seen.clone(), &meant, computed));
            line(rtype, served.collect())
        })
        .collect();
    if rows.is_empty() { vec![line(want.rtype.to_string(), Vec::new())] } else { rows }
}

/// What a repair would write into the zone now, one line each: `- ` goes, `+ ` comes.
pub(super) fn difference(desired: &[RRset], observed: &[RRset]) -> Vec<String> {
    let mut all = Vec::new();
    for want in desired {
        let there = observed.iter().find(|rrset| rrset.key() == want.key());
        if there == Some(want) {
            continue;
        }
        let written = |sign: char, rrset: &RRset| -> Vec<String> {
            let (owner, ttl, rtype) = (&rrset.owner, rrset.ttl.seconds(), &rrset.rtype);
            rrset.records.iter().map(|content| format!("{sign} {owner} {ttl} {rtype} {content}")).collect()
        };
        all.extend(there.into_iter().flat_map(|rrset| written('-', rrset)));
        all.extend(written('+', want));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::Ttl;

    fn rrset(owner: &str, rtype: RecordType, contents: &[&str]) -> RRset {
        RRset {
            owner: owner.to_owned(),
            rtype,
            ttl: Ttl::new(300),
            records: contents.iter().map(|c| (*c).to_owned()).collect(),
        }
    }

    #[test]
    fn a_line_says_what_differs_and_silence_is_not_a_difference() {
        let want = [rrset("a.example.", RecordType::A, &["192.0.2.1"])];
        let state = |observed: Option<&[RRset]>| lines(&want, observed, None).0[0].held.state;
        assert_eq!(state(Some(&want)), "same");
        assert_eq!(state(Some(&[rrset("a.example.", RecordType::A, &["192.0.2.9"])])), "differs");
        assert_eq!(state(Some(&[])), "differs");
        assert_eq!(state(None), "silent");
    }

    #[test]
    fn a_repair_is_shown_before_it_is_made() {
        let want = [rrset("a.example.", RecordType::A, &["192.0.2.1"])];
        let there = [rrset("a.example.", RecordType::A, &["192.0.2.9"])];
        assert_eq!(
            difference(&want, &there),
            ["- a.example. 300 A 192.0.2.9", "+ a.example. 300 A 192.0.2.1"]
        );
        assert!(difference(&want, &want).is_empty());
    }

    #[test]
    fn a_page_does_not_grow_with_the_zone() {
        let many: Vec<RRset> =
            (0..LINES + 7).map(|n| rrset(&format!("n{n}.example."), RecordType::A, &["192.0.2.1"])).collect();
        let (shown, left_out) = lines(&many, Some(&many), None);
        assert_eq!((shown.len(), left_out), (LINES, 7));
    }
}
