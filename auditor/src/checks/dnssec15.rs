//! DNSSEC15: CDS and CDNSKEY do not go together.

use std::collections::{BTreeMap, BTreeSet};

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC15",
    alias: "DNSSEC15",
    title: "CDS and CDNSKEY do not go together",
    severity: "warning when a server has one without the other, or servers differ",
    explanation: "A parent that scans for them acts on what it sees (RFC 7344, RFC 8078); half a message is none.",
    fix: "publish both on every server, or neither",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Signed,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let mut seen: BTreeMap<(BTreeSet<String>, BTreeSet<String>), &Child> = BTreeMap::new();
    for child in facts.speaking() {
        let (Some((cds, _)), Some((cdnskey, _))) =
            (child.contents(&Probe::Cds), child.contents(&Probe::Cdnskey))
        else {
            continue;
        };
        if cds.is_empty() != cdnskey.is_empty() {
            let (has, lacks) = if cds.is_empty() { ("CDNSKEY", "CDS") } else { ("CDS", "CDNSKEY") };
            found
                .add(Warning, format!("{} has {has} without {lacks}", child.called()))
                .shown_by(child, &Probe::Cds);
            return;
        }
        seen.insert((cds, cdnskey), child);
    }
    if seen.len() > 1 {
        let mut draft = found.add(Warning, "servers have different sets");
        for child in seen.values() {
            draft = draft.shown_by(child, &Probe::Cds);
        }
    }
}
