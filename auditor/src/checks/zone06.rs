//! ZONE06: SOA minimum is out of range.

use pdm_model::audit::Severity::{Notice, Warning};

use super::shared::each_soa;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "ZONE06",
    alias: "Zone06",
    title: "SOA minimum is out of range",
    severity: "warning above 86400 s, notice below 300 s",
    explanation: "What does not exist yet stays missing that long (RFC 2308).",
    fix: "set minimum to 300",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    each_soa(facts, found, Warning, |soa| {
        (soa.minimum > 86_400).then(|| format!("minimum is {} s", soa.minimum))
    });
    each_soa(facts, found, Notice, |soa| {
        (soa.minimum < 300).then(|| format!("minimum is {} s", soa.minimum))
    });
}
