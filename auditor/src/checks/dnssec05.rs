//! DNSSEC05: a key uses an algorithm that should not be used.

use std::collections::BTreeSet;

use pdm_model::audit::Severity::{Error, Notice, Warning};

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "DNSSEC05",
    alias: "DNSSEC05",
    title: "a key uses an algorithm that should not be used",
    severity: "error for algorithms that must not be used, notice for those not recommended",
    explanation: "Validators drop old algorithms; a zone that only has those becomes insecure or bogus (RFC 8624).",
    fix: "roll to algorithm 13",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Signed,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let algorithms: BTreeSet<u8> =
        facts.speaking().flat_map(Child::keys).map(|key| key.algorithm()).collect();
    for algorithm in algorithms {
        let (severity, what) = match algorithm {
            8 | 13 | 14 | 15 | 16 => continue,
            10 => (Notice, "not recommended"),
            1 | 3 | 5 | 6 | 7 | 12 => (Error, "must not be used"),
            _ => (Warning, "not known"),
        };
        found.add(severity, format!("algorithm {algorithm} is {what}")).about(algorithm.to_string());
    }
}
