//! BYO02: a record that was there before is missing or changed.

use pdm_dnssec::Name;
use pdm_model::audit::Severity::Error;

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "BYO02",
    alias: "",
    title: "a record that was there before is missing or changed",
    severity: "error for each, mail first",
    explanation: "The domain had it before it came; mail and web stop without it.",
    fix: "carry the record over again",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Intent,
    because: &["BASIC02"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(intent) = facts.intent() else { return };
    if intent.kept.is_empty() {
        return found.skip("nothing was carried over");
    }
    for rrset in &intent.kept {
        let (Some(owner), Some(kind)) = (Name::parse(&rrset.owner), crate::types::number_of(&rrset.rtype))
        else {
            continue;
        };
        let probe = Probe::Name(owner.clone(), kind);
        let wrong = |c: &&Child| c.contents(&probe).is_none_or(|(seen, _)| seen != rrset.records);
        let Some(child) = facts.speaking().find(wrong) else { continue };
        let seen = child.contents(&probe).map(|(seen, _)| seen).unwrap_or_default();
        let line = |sign: char, text: &String| format!("{sign} {owner} {} {text}", rrset.rtype);
        let change = seen.difference(&rrset.records).map(|t| line('-', t));
        let change = change.chain(rrset.records.difference(&seen).map(|t| line('+', t))).collect();
        found
            .add(Error, format!("{owner} {} is not as it was", rrset.rtype))
            .about(format!("{owner} {}", rrset.rtype))
            .shown_by(child, &probe)
            .change(change);
    }
}
