//! BASIC02: no nameserver answers for the zone.

use pdm_model::audit::Severity::Critical;

use super::shared::not_ours;
use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "BASIC02",
    alias: "Basic02",
    title: "no nameserver answers for the zone",
    severity: "critical when not one server answers with authority",
    explanation: "A delegation to servers that do not answer is worse than none: every lookup runs into a timeout.",
    fix: "make at least one of the nameservers answer for the zone",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &["BASIC01"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    if facts.servers.is_empty() {
        return found.could_not_ask("there is no nameserver address to ask");
    }
    if facts.speaking().next().is_some() {
        return;
    }
    let refused = |child: &Child| {
        child.reply(&Probe::Soa).and_then(|r| r.answer.as_ref().err()).is_some_and(|why| not_ours(why))
    };
    if facts.servers.iter().all(refused) {
        return found.could_not_ask("the addresses of the nameservers may not be asked");
    }
    let mut draft =
        found.add(Critical, format!("none of {} addresses answers with authority", facts.servers.len()));
    for child in facts.servers.iter().take(4) {
        draft = draft.shown_by(child, &Probe::Soa);
    }
}
