//! ZONE04: SOA retry is short.

use pdm_model::audit::Severity::Notice;

use super::shared::each_soa;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "ZONE04",
    alias: "Zone04",
    title: "SOA retry is short",
    severity: "notice below 3600 s",
    explanation: "Secondaries press a master that is in trouble already.",
    fix: "set retry to 3600",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    each_soa(facts, found, Notice, |soa| (soa.retry < 3600).then(|| format!("retry is {} s", soa.retry)));
}
