//! SYNTAX01: the name has characters that a host name cannot have.

use pdm_model::audit::Severity::Error;

use super::shared::{is_ldh, labels};
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "SYNTAX01",
    alias: "Syntax01",
    title: "the name has characters that a host name cannot have",
    severity: "error for each label with something else than letters, digits and hyphens",
    explanation: "Many programs refuse such names.",
    fix: "choose another name",
    repair: false,
    duty: Duty::Registration,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for label in labels(&facts.zone).iter().filter(|label| !is_ldh(label)) {
        found.add(Error, format!("the label {label:?}")).about(label.clone());
    }
}
