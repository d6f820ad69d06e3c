//! REG01: the registration of the domain ends soon.

use pdm_model::audit::Severity::{Critical, Error, Warning};
use pdm_ports::audit::Registration;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "REG01",
    alias: "",
    title: "the registration of the domain ends soon",
    severity: "critical when it has ended, error within 7 days, warning within 30",
    explanation: "When it ends the name goes to whoever comes first.",
    fix: "renew the registration",
    repair: false,
    duty: Duty::Registration,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let expires = match &facts.request.registration {
        Registration::Known { expires: Some(expires), .. } => *expires,
        Registration::Known { expires: None, .. } => {
            return found.could_not_ask("the registry does not tell when it ends");
        }
        Registration::Unknown(why) => return found.skip(why.clone()),
    };
    let days = (expires - facts.begun.0).div_euclid(86_400_000);
    let severity = match days {
        ..0 => Critical,
        0..7 => Error,
        7..30 => Warning,
        _ => return,
    };
    found.add(severity, format!("it ends at {}", pdm_model::Timestamp(expires)));
}
