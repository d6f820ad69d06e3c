//! ZONE01: the master in the SOA is not among the nameservers.

use std::collections::BTreeSet;

use pdm_dnssec::Name;
use pdm_model::audit::Severity::Notice;

use super::shared::each_soa;
use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "ZONE01",
    alias: "Zone01",
    title: "the master in the SOA is not among the nameservers",
    severity: "notice",
    explanation: "A hidden master is fine when it is meant; otherwise updates go astray.",
    fix: "name one of the nameservers as MNAME",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let names: BTreeSet<Name> = facts.speaking().filter_map(Child::ns).flatten().collect();
    each_soa(facts, found, Notice, |soa| {
        (!names.contains(&soa.mname)).then(|| format!("MNAME is {}", soa.mname))
    });
}
