//! SYNTAX03: a label has hyphens in the third and fourth place.

use pdm_model::audit::Severity::Error;

use super::shared::labels;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "SYNTAX03",
    alias: "Syntax03",
    title: "a label has hyphens in the third and fourth place",
    severity: "error for each that is not an internationalized name",
    explanation: "They are kept for encodings (RFC 5891 4.2.3.1).",
    fix: "choose another name",
    repair: false,
    duty: Duty::Registration,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for label in
        labels(&facts.zone).iter().filter(|label| label.get(2..4) == Some("--") && !label.starts_with("xn--"))
    {
        found.add(Error, format!("the label {label:?}")).about(label.clone());
    }
}
