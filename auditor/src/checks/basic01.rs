//! BASIC01: the parent does not delegate the name.

use pdm_model::audit::Severity::{Critical, Error};

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "BASIC01",
    alias: "Basic01",
    title: "the parent does not delegate the name",
    severity: "critical when no server of the parent delegates it, error when some do not",
    explanation: "Resolvers come from above: without NS records in the parent nobody finds the zone, however well it is served.",
    fix: "write the NS set into the parent",
    repair: true,
    duty: Duty::Delegation,
    needs: Needs::Parent,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(parent) = facts.parent() else { return };
    let told: Vec<_> = parent.answers.iter().filter(|a| a.ns.is_some()).collect();
    if told.is_empty() {
        return found
            .could_not_ask(format!("no server of {} says whether it delegates the name", parent.zone));
    }
    let none: Vec<_> = told.iter().filter(|a| a.ns.as_ref().is_some_and(|(ns, _)| ns.is_empty())).collect();
    let Some(first) = none.first() else { return };
    let severity = if none.len() == told.len() { Critical } else { Error };
    let detail = format!(
        "{} of {} servers of {} that answered know no delegation",
        none.len(),
        told.len(),
        parent.zone
    );
    let wanted = facts.intent().into_iter().flat_map(|intent| &intent.ns);
    let change = wanted.map(|ns| format!("+ {} NS {}", facts.zone, ns.dotted())).collect();
    found.add(severity, detail).shown_above(first, "NS").change(change);
}
