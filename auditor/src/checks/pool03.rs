//! POOL03: the pool is not a public suffix.

use pdm_model::audit::Severity::Notice;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "POOL03",
    alias: "",
    title: "the pool is not a public suffix",
    severity: "notice when the Public Suffix List does not have it",
    explanation: "Sovereigns of one pool can set cookies for each other, and share the certificate limits of one domain.",
    fix: "ask for the pool's entry in the private section of the Public Suffix List",
    repair: false,
    duty: Duty::Registration,
    needs: Needs::Pool,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let name = facts.request.fqdn.as_str();
    let suffix = psl::suffix_str(name).unwrap_or_default();
    if suffix != name {
        found.add(Notice, format!("the list knows {suffix} only")).about(name.to_owned());
    }
}
