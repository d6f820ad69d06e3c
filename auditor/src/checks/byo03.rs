//! BYO03: the proof of ownership is old.

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "BYO03",
    alias: "",
    title: "the proof of ownership is old",
    severity: "warning after 28 days",
    explanation: "A domain may have changed hands since.",
    fix: "prove the ownership again: the TXT record of the claim must still be there",
    repair: false,
    duty: Duty::Delegation,
    needs: Needs::Intent,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(ago) = facts.intent().and_then(|intent| intent.proved_ago) else {
        return found.skip("it needs no proof");
    };
    let days = ago / 86_400;
    if days >= 28 {
        found.add(Warning, format!("it was proved {days} days ago"));
    }
}
