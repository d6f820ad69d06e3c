//! DNSSEC12: a DS has an algorithm that no key has.

use std::collections::BTreeSet;

use pdm_model::audit::Severity::Error;

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "DNSSEC12",
    alias: "DNSSEC12",
    title: "a DS has an algorithm that no key has",
    severity: "error for each such algorithm",
    explanation: "A validator that knows the algorithm expects signatures by it (RFC 4035 2.2).",
    fix: "take that DS out, or add a key of its algorithm",
    repair: false,
    duty: Duty::Delegation,
    needs: Needs::Ds,
    because: &["DNSSEC02", "DNSSEC11", "BYO01"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let own: BTreeSet<u8> = facts.speaking().flat_map(Child::keys).map(|key| key.algorithm()).collect();
    let theirs: BTreeSet<u8> = facts.ds().iter().map(|ds| ds.algorithm).collect();
    for algorithm in theirs.difference(&own) {
        found
            .add(Error, format!("the parent has a DS of algorithm {algorithm}"))
            .about(algorithm.to_string());
    }
}
