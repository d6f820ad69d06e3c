//! ZONE09: the zone takes no mail.

use pdm_model::audit::Severity::Info;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "ZONE09",
    alias: "Zone09",
    title: "the zone takes no mail",
    severity: "info when there is no MX",
    explanation: "Mail for the name goes to its address, or nowhere.",
    fix: "add an MX record if the name should take mail, or the null MX (RFC 7505) if not",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    if facts.speaking().any(|child| child.contents(&Probe::Mx).is_some_and(|(mx, _)| mx.is_empty())) {
        found.add(Info, "there is no MX record");
    }
}
