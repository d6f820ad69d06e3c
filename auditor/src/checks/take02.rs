//! TAKE02: a delegation inside the zone leads to servers that do not answer.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "TAKE02",
    alias: "",
    title: "a delegation inside the zone leads to servers that do not answer",
    severity: "error for each",
    explanation: "Whoever gets hold of one of those servers or names answers for that part of the zone.",
    fix: "remove the delegation, or make its nameservers answer",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for below in &facts.delegations {
        match &below.alive {
            Ok(true) => {}
            Ok(false) => {
                let names: Vec<String> = below.ns.iter().map(ToString::to_string).collect();
                let change = names.iter().map(|name| format!("- {} NS {name}", below.zone)).collect();
                found
                    .add(Error, format!("nobody answers for {} at {}", below.zone, names.join(", ")))
                    .about(below.zone.to_string())
                    .change(change);
            }
            Err(why) => found.could_not_ask(format!("{}: {why}", below.zone)),
        }
    }
}
