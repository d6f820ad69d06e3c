//! REG02: the domain is not locked, or is held.

use pdm_model::audit::Severity::{Critical, Warning};
use pdm_ports::audit::Registration;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "REG02",
    alias: "",
    title: "the domain is not locked, or is held",
    severity: "critical when the registry holds it or deletes it, warning without a transfer lock",
    explanation: "Without a lock a stolen account is enough to move the domain away.",
    fix: "set the transfer lock at the registrar",
    repair: false,
    duty: Duty::Registration,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let status = match &facts.request.registration {
        Registration::Known { status, .. } => status,
        Registration::Unknown(why) => return found.skip(why.clone()),
    };
    let has =
        |words: &[&str]| words.iter().find(|word| status.contains(**word)).map(|word| (*word).to_owned());
    if let Some(word) = has(&["client hold", "server hold", "pending delete", "redemption period"]) {
        found
            .add(Critical, format!("the registry says {word:?}"))
            .about(word)
            .advice("ask the registrar why, at once");
    }
    if has(&["client transfer prohibited", "server transfer prohibited"]).is_none() {
        found.add(Warning, "there is no transfer lock").about("transfer");
    }
}
