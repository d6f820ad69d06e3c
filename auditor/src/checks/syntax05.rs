//! SYNTAX05: the contact in the SOA is written with an at sign.

use pdm_model::audit::Severity::Warning;

use super::shared::{each_soa, labels};
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "SYNTAX05",
    alias: "Syntax05",
    title: "the contact in the SOA is written with an at sign",
    severity: "warning",
    explanation: "RNAME is a name: the first dot stands for the at sign (RFC 1035 3.3.13).",
    fix: "write a dot instead of the at sign",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    each_soa(facts, found, Warning, |soa| {
        let at = labels(&soa.rname).iter().any(|label| label.contains('@'));
        at.then(|| format!("RNAME is {}", soa.rname))
    });
}
