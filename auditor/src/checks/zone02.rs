//! ZONE02: SOA refresh is short.

use pdm_model::audit::Severity::Notice;

use super::shared::each_soa;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "ZONE02",
    alias: "Zone02",
    title: "SOA refresh is short",
    severity: "notice below 14400 s",
    explanation: "Secondaries ask the master more often than they need.",
    fix: "set refresh to 14400",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    each_soa(facts, found, Notice, |soa| {
        (soa.refresh < 14_400).then(|| format!("refresh is {} s", soa.refresh))
    });
}
