//! CONSISTENCY05: the addresses beside the delegation are not those of the nameserver.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "CONSISTENCY05",
    alias: "Consistency05",
    title: "the addresses beside the delegation are not those of the nameserver",
    severity: "error when glue and the nameserver's own addresses differ",
    explanation: "Resolvers start with glue: an old address there keeps sending them to a machine that is gone.",
    fix: "change the host record of the nameserver in the parent",
    repair: false,
    duty: Duty::Delegation,
    needs: Needs::Parent,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for (name, known) in &facts.names {
        let Some(Ok(own)) = &known.addresses else { continue };
        if !known.glue.is_empty() && !own.is_empty() && known.glue != *own {
            let shown =
                |all: &BTreeSet<IpAddr>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let change = known.glue.difference(own).map(|ip| format!("- {name} {ip}"));
            let change =
                change.chain(own.difference(&known.glue).map(|ip| format!("+ {name} {ip}"))).collect();
            found
                .add(
                    Error,
                    format!(
                        "{name} is {} in the parent and {} by its own servers",
                        shown(&known.glue),
                        shown(own)
                    ),
                )
                .about(name.to_string())
                .change(change);
        }
    }
}
