//! DELEGATION07: parent and zone list different nameservers.

use std::collections::BTreeSet;

use pdm_dnssec::Name;
use pdm_model::audit::Severity::{Notice, Warning};

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DELEGATION07",
    alias: "Delegation07",
    title: "parent and zone list different nameservers",
    severity: "warning for a name that only the parent has, notice for one that only the zone has",
    explanation: "Resolvers may use either set; a name that only one side knows is half in use.",
    fix: "write the same NS set on both sides",
    repair: true,
    duty: Duty::Delegation,
    needs: Needs::Servers,
    because: &["BASIC01", "CONSISTENCY04", "SOV06"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let held = facts.intent().and_then(|intent| intent.parent_held.as_ref());
    let above: BTreeSet<Name> = match (facts.parent(), held) {
        (Some(parent), held) if parent.same_servers => match held {
            Some(held) => held.ns.iter().map(Name::from).collect(),
            None => {
                return found
                    .skip("the same servers carry parent and zone, so that the parent's set cannot be seen");
            }
        },
        (Some(_), _) => facts.delegated_to(),
        (None, Some(held)) => held.ns.iter().map(Name::from).collect(),
        (None, None) => return found.skip("the parent was not asked"),
    };
    let own: BTreeSet<Name> = facts.speaking().filter_map(Child::ns).flatten().collect();
    if above.is_empty() || own.is_empty() || above == own {
        return;
    }
    let zone = &facts.zone;
    let change: Vec<String> = above.difference(&own).map(|n| format!("- {zone} NS {n}")).collect();
    let severity = if change.is_empty() { Notice } else { Warning };
    let listed = |set: &BTreeSet<Name>| set.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let change =
        change.into_iter().chain(own.difference(&above).map(|n| format!("+ {zone} NS {n}"))).collect();
    let detail = format!("the parent has {}, the zone has {}", listed(&above), listed(&own));
    let child = facts.speaking().next();
    let draft = found.add(severity, detail).change(change);
    if let Some(child) = child {
        draft.shown_by(child, &Probe::Ns);
    }
}
