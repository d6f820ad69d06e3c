//! CONSISTENCY04: nameservers list different nameservers.

use std::collections::{BTreeMap, BTreeSet};

use pdm_dnssec::Name;
use pdm_model::audit::Severity::Error;

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "CONSISTENCY04",
    alias: "Consistency04",
    title: "nameservers list different nameservers",
    severity: "error when the apex NS sets differ",
    explanation: "Resolvers learn the set from whichever server they ask, and lose those that it leaves out.",
    fix: "bring the servers to the same data",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &["CONSISTENCY01"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let mut sets: BTreeMap<BTreeSet<Name>, Vec<&Child>> = BTreeMap::new();
    for child in facts.speaking() {
        sets.entry(child.ns().unwrap_or_default()).or_default().push(child);
    }
    if sets.len() > 1 {
        let mut draft = found.add(Error, format!("{} different sets are served", sets.len()));
        for child in sets.values().filter_map(|children| children.first()) {
            draft = draft.shown_by(child, &Probe::Ns);
        }
    }
}
