//! DELEGATION05: a nameserver name is an alias.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "DELEGATION05",
    alias: "Delegation05",
    title: "a nameserver name is an alias",
    severity: "error for each NS target with a CNAME",
    explanation: "NS must point to a name with addresses (RFC 2181 10.3); resolvers differ in what they make of an alias.",
    fix: "let the NS record name the host itself",
    repair: false,
    duty: Duty::Delegation,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for (name, known) in &facts.names {
        if let Some(alias) = &known.alias {
            let change = vec![format!("- {} NS {name}", facts.zone), format!("+ {} NS {alias}", facts.zone)];
            found.add(Error, format!("{name} is an alias of {alias}")).about(name.to_string()).change(change);
        }
    }
}
