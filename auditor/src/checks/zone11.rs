//! ZONE11: the SPF policy is missing or double.

use pdm_model::audit::Severity::{Info, Warning};

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "ZONE11",
    alias: "Zone11",
    title: "the SPF policy is missing or double",
    severity: "warning for more than one, info for none",
    explanation: "With several policies receivers take none (RFC 7208 4.5); with none anybody can send in its name.",
    fix: "keep one TXT record that begins with v=spf1",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some((child, texts)) = facts.speaking().find_map(|c| Some((c, c.contents(&Probe::Txt)?.0))) else {
        return;
    };
    let policies = texts.iter().filter(|text| text.starts_with("\"v=spf1 ") || *text == "\"v=spf1\"").count();
    match policies {
        0 => {
            found.add(Info, "there is no SPF policy");
        }
        1 => {}
        more => {
            found.add(Warning, format!("{more} policies")).shown_by(child, &Probe::Txt);
        }
    }
}
