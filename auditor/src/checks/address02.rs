//! ADDRESS02: a nameserver address has no reverse name.

use pdm_model::audit::Severity::Notice;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "ADDRESS02",
    alias: "Address02",
    title: "a nameserver address has no reverse name",
    severity: "notice for each address without PTR",
    explanation: "Some networks look at reverse names when they judge traffic.",
    fix: "set a PTR record with whoever lent the address",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(reverse) = &facts.reverse else {
        return found.skip("reverse names are not looked up in a private view");
    };
    for (ip, names) in reverse {
        match names {
            Ok(names) if names.is_empty() => {
                found.add(Notice, format!("{ip} has no PTR record")).about(ip.to_string());
            }
            Ok(_) => {}
            Err(why) => found.could_not_ask(format!("{ip}: {why}")),
        }
    }
}
