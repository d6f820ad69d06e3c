//! DELEGATION01: there are too few nameservers.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "DELEGATION01",
    alias: "Delegation01",
    title: "there are too few nameservers",
    severity: "error when the parent lists fewer than two",
    explanation: "One nameserver is one thing that can break (RFC 1034 4.1, RFC 2182).",
    fix: "add a second nameserver",
    repair: false,
    duty: Duty::Delegation,
    needs: Needs::Parent,
    because: &["BASIC01"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let names = facts.delegated_to();
    if names.len() == 1 {
        let only = names.iter().map(ToString::to_string).collect::<String>();
        found.add(Error, format!("the parent lists {only} only"));
    }
}
