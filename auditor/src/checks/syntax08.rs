//! SYNTAX08: a mail exchange is no host name.

use std::collections::BTreeSet;

use pdm_dnssec::Name;
use pdm_model::audit::Severity::Error;

use super::shared::is_host_name;
use crate::audit::facts::{Facts, exchanges};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "SYNTAX08",
    alias: "Syntax08",
    title: "a mail exchange is no host name",
    severity: "error for each",
    explanation: "Mail servers refuse it.",
    fix: "name the mail exchange with letters, digits and hyphens",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let names: BTreeSet<Name> =
        facts.speaking().filter_map(|child| child.set(&Probe::Mx)).flat_map(exchanges).collect();
    for name in names.iter().filter(|name| !is_host_name(name)) {
        found.add(Error, format!("{name} is not a host name")).about(name.to_string());
    }
}
