//! CONSISTENCY02: nameservers name different contacts.

use pdm_model::audit::Severity::Notice;

use super::shared::differs;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "CONSISTENCY02",
    alias: "Consistency02",
    title: "nameservers name different contacts",
    severity: "notice when the RNAME of the SOA differs",
    explanation: "It shows that the servers do not have the same data.",
    fix: "bring the servers to the same data",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    differs(facts, found, Notice, "RNAME", |soa| soa.rname.to_string());
}
