//! SOV04: the failover policy that is served is not the one that was asked for.

use pdm_model::RecordType;
use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "SOV04",
    alias: "",
    title: "the failover policy that is served is not the one that was asked for",
    severity: "error for each name",
    explanation: "Traffic follows a policy that nobody chose.",
    fix: "write the policy again",
    repair: true,
    duty: Duty::Zone,
    needs: Needs::Intent,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(intent) = facts.intent() else { return };
    let Some(held) = &intent.held else {
        return found.could_not_ask("the zone could not be read from PowerDNS");
    };
    for rrset in intent.rrsets.iter().filter(|r| r.rtype == RecordType::Lua) {
        let there = held
            .iter()
            .find(|other| other.key() == rrset.key())
            .map(|r| r.records.clone())
            .unwrap_or_default();
        if there != rrset.records {
            let line = |sign: char, text: &String| format!("{sign} {} LUA {text}", rrset.owner);
            let change = there.difference(&rrset.records).map(|t| line('-', t));
            let change = change.chain(rrset.records.difference(&there).map(|t| line('+', t))).collect();
            found
                .add(Error, format!("{} has another policy", rrset.owner))
                .about(rrset.owner.clone())
                .change(change);
        }
    }
}
