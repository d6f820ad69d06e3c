//! SYNTAX06: the contact in the SOA is no mail address.

use pdm_model::audit::Severity::Warning;

use super::shared::{each_soa, is_ldh, labels};
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "SYNTAX06",
    alias: "Syntax06",
    title: "the contact in the SOA is no mail address",
    severity: "warning",
    explanation: "Nobody can be reached when something is wrong.",
    fix: "name a mailbox that is read",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &["SYNTAX05"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    each_soa(facts, found, Warning, |soa| {
        let parts = labels(&soa.rname);
        let good = parts.len() >= 2 && parts.iter().skip(1).all(|label| is_ldh(label));
        (!good).then(|| format!("RNAME is {}", soa.rname))
    });
}
