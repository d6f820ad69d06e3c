//! NAMESERVER06: a nameserver name has no address.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER06",
    alias: "Nameserver06",
    title: "a nameserver name has no address",
    severity: "error for each NS name that leads nowhere",
    explanation: "It is as if the nameserver did not exist.",
    fix: "give the name an address, or take it out of the NS set",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for (name, known) in &facts.names {
        match &known.addresses {
            Some(Ok(addresses)) if addresses.is_empty() && known.glue.is_empty() && known.alias.is_none() => {
                found.add(Error, format!("{name} has neither A nor AAAA")).about(name.to_string());
            }
            Some(Err(why)) => found.could_not_ask(format!("{name}: {why}")),
            Some(Ok(_)) | None => {}
        }
    }
}
