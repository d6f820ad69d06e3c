//! DNSSEC17: a CDNSKEY is no key of the zone.

use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC17",
    alias: "DNSSEC17",
    title: "a CDNSKEY is no key of the zone",
    severity: "warning for each CDNSKEY that is neither a key nor the delete record",
    explanation: "A parent that takes it over breaks the zone.",
    fix: "publish the CDNSKEY of the zone's own keys",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Signed,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let (Some((cdnskey, _)), Some((keys, _))) =
            (child.contents(&Probe::Cdnskey), child.contents(&Probe::Dnskey))
        else {
            continue;
        };
        for text in &cdnskey {
            let delete = text == "0 3 0 AA==";
            if (delete && cdnskey.len() > 1) || (!delete && !keys.contains(text)) {
                found.add(Warning, format!("CDNSKEY {text}")).shown_by(child, &Probe::Cdnskey);
                return;
            }
        }
    }
}
