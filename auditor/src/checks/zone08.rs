//! ZONE08: a mail exchange is an alias.

use std::collections::BTreeSet;

use pdm_dnssec::Name;
use pdm_model::audit::Severity::Warning;

use crate::audit::facts::{Facts, Target, exchanges};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "ZONE08",
    alias: "Zone08",
    title: "a mail exchange is an alias",
    severity: "warning for each",
    explanation: "MX must point to a host (RFC 5321 5.1); some senders give up.",
    fix: "let the MX record name the host itself",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let names: BTreeSet<Name> =
        facts.speaking().filter_map(|child| child.set(&Probe::Mx)).flat_map(exchanges).collect();
    for name in &names {
        if let Some(Target::Alias(to)) = facts.targets.get(name) {
            found.add(Warning, format!("{name} is an alias of {to}")).about(name.to_string());
        }
    }
}
