//! ZONE05: SOA expire is short.

use pdm_model::audit::Severity::Warning;

use super::shared::each_soa;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "ZONE05",
    alias: "Zone05",
    title: "SOA expire is short",
    severity: "warning below 604800 s or below refresh",
    explanation: "Secondaries stop answering when the master is away that long.",
    fix: "set expire to 604800 or more",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    each_soa(facts, found, Warning, |soa| {
        (soa.expire < 604_800.max(soa.refresh)).then(|| format!("expire is {} s", soa.expire))
    });
}
