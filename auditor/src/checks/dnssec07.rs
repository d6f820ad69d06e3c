//! DNSSEC07: the zone is signed and the parent has no DS.

use pdm_model::audit::Severity::{Error, Notice};

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "DNSSEC07",
    alias: "DNSSEC07",
    title: "the zone is signed and the parent has no DS",
    severity: "error when PDM wants a DS there, notice otherwise",
    explanation: "Without a DS the signatures protect nobody.",
    fix: "write the DS into the parent",
    repair: true,
    duty: Duty::Delegation,
    needs: Needs::Signed,
    because: &["BASIC01"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(parent) = facts.parent() else { return found.skip("the parent was not asked") };
    if !parent.answers.iter().any(|answer| answer.ds.is_some()) {
        return found.could_not_ask("no server of the parent says anything about the DS");
    }
    let lacking: Vec<_> =
        parent.answers.iter().filter(|a| a.ds.as_ref().is_some_and(|(ds, _)| ds.is_empty())).collect();
    let Some(first) = lacking.first() else { return };
    let wanted = facts.intent().map(|intent| intent.ds.clone()).unwrap_or_default();
    let severity = if wanted.is_empty() { Notice } else { Error };
    let change = wanted.iter().map(|ds| format!("+ {} DS {ds}", facts.zone)).collect();
    found
        .add(severity, format!("{} of {} parent servers have none", lacking.len(), parent.answers.len()))
        .shown_above(first, "DS")
        .change(change);
}
