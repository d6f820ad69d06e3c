//! SYNTAX04: a nameserver name is no host name.

use std::collections::BTreeSet;

use pdm_dnssec::Name;
use pdm_model::audit::Severity::Error;

use super::shared::is_host_name;
use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "SYNTAX04",
    alias: "Syntax04",
    title: "a nameserver name is no host name",
    severity: "error for each",
    explanation: "Registries and resolvers refuse it.",
    fix: "name the nameserver with letters, digits and hyphens",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let names: BTreeSet<Name> =
        facts.speaking().filter_map(Child::ns).flatten().chain(facts.delegated_to()).collect();
    for name in names.iter().filter(|name| !is_host_name(name)) {
        found.add(Error, format!("{name} is not a host name")).about(name.to_string());
    }
}
