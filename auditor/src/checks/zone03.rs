//! ZONE03: SOA retry is not shorter than refresh.

use pdm_model::audit::Severity::Warning;

use super::shared::each_soa;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "ZONE03",
    alias: "Zone03",
    title: "SOA retry is not shorter than refresh",
    severity: "warning",
    explanation: "After a failure a secondary should try sooner than usual.",
    fix: "set retry below refresh",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    each_soa(facts, found, Warning, |soa| {
        (soa.retry >= soa.refresh).then(|| format!("retry is {} s, refresh {} s", soa.retry, soa.refresh))
    });
}
