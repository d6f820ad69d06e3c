//! DNSSEC16: a CDS matches no key.

use pdm_model::DsRecord;
use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC16",
    alias: "DNSSEC16",
    title: "a CDS matches no key",
    severity: "warning for each CDS that is neither a key's nor the delete record",
    explanation: "A parent that takes it over breaks the zone.",
    fix: "publish the CDS of the zone's own keys",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Signed,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let Some((cds, _)) = child.contents(&Probe::Cds) else { continue };
        let keys = child.keys();
        for text in &cds {
            let delete = text == "0 0 0 00";
            let known =
                text.parse::<DsRecord>().is_ok_and(|ds| keys.iter().any(|key| key.matches(&facts.zone, &ds)));
            if (delete && cds.len() > 1) || (!delete && !known) {
                found.add(Warning, format!("CDS {text}")).shown_by(child, &Probe::Cds);
                return;
            }
        }
    }
}
