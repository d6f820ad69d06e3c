//! ZONE07: the master in the SOA is an alias.

use pdm_model::audit::Severity::Warning;

use super::shared::each_soa;
use crate::audit::facts::{Facts, Target};
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "ZONE07",
    alias: "Zone07",
    title: "the master in the SOA is an alias",
    severity: "warning",
    explanation: "MNAME must be a host (RFC 1912 2.2).",
    fix: "name the host itself",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    each_soa(facts, found, Warning, |soa| match facts.targets.get(&soa.mname) {
        Some(Target::Alias(to)) => Some(format!("{} is an alias of {to}", soa.mname)),
        _ => None,
    });
}
