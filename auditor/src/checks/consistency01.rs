//! CONSISTENCY01: nameservers have different versions of the zone.

use pdm_model::audit::Severity::Warning;

use super::shared::differs;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "CONSISTENCY01",
    alias: "Consistency01",
    title: "nameservers have different versions of the zone",
    severity: "warning when SOA serials differ",
    explanation: "Clients get old or new data by chance; a server that stays behind has lost its way to the others.",
    fix: "see why the server with the older serial is not updated",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    differs(facts, found, Warning, "serial", |soa| soa.serial.to_string());
}
