//! DELEGATION03: the referral does not fit into a datagram.

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "DELEGATION03",
    alias: "Delegation03",
    title: "the referral does not fit into a datagram",
    severity: "warning for each parent server whose referral is truncated at 512 octets",
    explanation: "Clients without EDNS must fetch every referral by TCP.",
    fix: "use shorter or fewer nameserver names",
    repair: false,
    duty: Duty::Delegation,
    needs: Needs::Parent,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let truncated = facts.parent().map(|parent| parent.truncated.as_slice()).unwrap_or_default();
    for server in truncated {
        let name = crate::walk::descend::called(server);
        found.add(Warning, format!("{name} truncates it")).about(name);
    }
}
