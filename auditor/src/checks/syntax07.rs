//! SYNTAX07: the master in the SOA is no host name.

use pdm_model::audit::Severity::Warning;

use super::shared::{each_soa, is_host_name};
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "SYNTAX07",
    alias: "Syntax07",
    title: "the master in the SOA is no host name",
    severity: "warning",
    explanation: "Dynamic updates and notifications go to a name that cannot be.",
    fix: "name the master with letters, digits and hyphens",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    each_soa(facts, found, Warning, |soa| {
        (!is_host_name(&soa.mname)).then(|| format!("MNAME is {}", soa.mname))
    });
}
