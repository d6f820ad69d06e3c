//! CONSISTENCY03: nameservers have different SOA timers.

use pdm_model::audit::Severity::Notice;

use super::shared::differs;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "CONSISTENCY03",
    alias: "Consistency03",
    title: "nameservers have different SOA timers",
    severity: "notice when refresh, retry, expire or minimum differ",
    explanation: "It shows that the servers do not have the same data.",
    fix: "bring the servers to the same data",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    differs(facts, found, Notice, "timers", |soa| {
        format!("{} {} {} {}", soa.refresh, soa.retry, soa.expire, soa.minimum)
    });
}
