//! POOL01: the DS in the pool is not that of the keys.

use pdm_model::audit::Severity::Error;
use pdm_ports::audit::Editor;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "POOL01",
    alias: "",
    title: "the DS in the pool is not that of the keys",
    severity: "error for each active Sovereign",
    explanation: "Validating resolvers answer SERVFAIL for the Sovereign, or do not validate it.",
    fix: "write the DS of the zone's keys into the pool",
    repair: true,
    duty: Duty::Delegation,
    needs: Needs::Nothing,
    because: &["BASIC01", "DNSSEC02", "DNSSEC07", "DNSSEC11"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for (name, there, wanted) in facts.request.pool.iter().flat_map(|pool| &pool.wrong_ds) {
        let change = vec![format!("- {name}. DS {there}"), format!("+ {name}. DS {wanted}")];
        found
            .add(Error, format!("{name} has {there}, its keys call for {wanted}"))
            .about(name.clone())
            .change(change);
    }
    let Some(intent) = facts.intent().filter(|intent| intent.editor == Editor::Pool && intent.active) else {
        return;
    };
    let Some(held) = &intent.parent_held else {
        return found.could_not_ask("the pool zone could not be read from PowerDNS");
    };
    if held.ds != intent.ds {
        let change = held.ds.difference(&intent.ds).map(|ds| format!("- {} DS {ds}", facts.zone));
        let change = change
            .chain(intent.ds.difference(&held.ds).map(|ds| format!("+ {} DS {ds}", facts.zone)))
            .collect();
        found
            .add(Error, format!("the pool holds {} DS, {} are called for", held.ds.len(), intent.ds.len()))
            .change(change);
    }
}
