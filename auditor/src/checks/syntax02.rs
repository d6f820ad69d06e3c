//! SYNTAX02: a label starts or ends with a hyphen.

use pdm_model::audit::Severity::Error;

use super::shared::labels;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "SYNTAX02",
    alias: "Syntax02",
    title: "a label starts or ends with a hyphen",
    severity: "error for each",
    explanation: "Such names are refused by many programs (RFC 952, RFC 1123).",
    fix: "choose another name",
    repair: false,
    duty: Duty::Registration,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for label in labels(&facts.zone).iter().filter(|label| label.starts_with('-') || label.ends_with('-')) {
        found.add(Error, format!("the label {label:?}")).about(label.clone());
    }
}
