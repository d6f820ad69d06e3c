//! The records of an old zone that move with a domain, as the page shows them. Pure.

use std::collections::BTreeSet;

use pdm_carry_over::{Choice, Source};
use pdm_engine::intents::carry_over::Carried;

/// Rows of a page; a zone may have thousands.
const ROWS: usize = 60;

/// One RRset of the old zone.
pub(crate) struct Row {
    pub owner: String,
    pub rtype: String,
    pub contents: String,
    /// Key of what becomes of it: carried over, ours in its place, or in the way of the move.
    pub fate: &'static str,
    /// Why, when it stands in the way.
    pub why: String,
}

/// The whole table.
pub(crate) struct Table {
    pub source: &'static str,
    pub complete: bool,
    pub accepted: bool,
    pub rows: Vec<Row>,
    pub more: usize,
    pub left_out: Vec<(String, String, String)>,
    /// Names that keep NS from moving.
    pub locked: BTreeSet<String>,
}

impl Table {
    pub(crate) fn of(carried: &Carried) -> Self {
        let zone = &carried.zone;
        let row = |set: &pdm_model::RRset| {
            let locked = carried.locked.iter().find(|(q, _)| q.owner == set.owner && q.rtype == set.rtype);
            let taken = carried.conflicts.iter().any(|c| c.owner == set.owner && c.choice == Choice::Take);
            let (fate, why) = match (locked, taken) {
                (Some((_, why)), _) => ("carry-locked", (*why).to_owned()),
                (None, true) => ("carry-taken", String::new()),
                (None, false) => ("carry-over", String::new()),
            };
            let contents: String = set.records.iter().cloned().collect::<Vec<_>>().join(", ");
            Row {
                owner: set.owner.clone(),
                rtype: set.rtype.to_string(),
                contents: contents.chars().take(160).collect(),
                fate,
                why,
            }
        };
        let left_out = zone.left_out.iter().take(20);
        Self {
            source: match zone.source {
                Source::Transfer { .. } => "carry-transfer",
                Source::Upload => "carry-upload",
                Source::Survey { .. } => "carry-survey",
            },
            complete: zone.source.complete(),
            accepted: zone.incomplete_accepted.is_some(),
            rows: zone.sets.iter().take(ROWS).map(row).collect(),
            more: zone.sets.len().saturating_sub(ROWS),
            left_out: left_out.map(|l| (l.owner.clone(), l.rtype.clone(), l.reason.clone())).collect(),
            locked: carried.locked.iter().map(|(q, _)| q.owner.clone()).collect(),
        }
    }
}
