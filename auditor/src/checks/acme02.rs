//! ACME02: the challenge name leads away from the zone.

use pdm_model::audit::Severity::{Error, Warning};
use pdm_model::rrset::owner_in;

use super::shared::joined;
use crate::audit::facts::{Facts, Target};
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "ACME02",
    alias: "",
    title: "the challenge name leads away from the zone",
    severity: "error when it is an alias of a name that does not exist, warning when it is delegated or an alias",
    explanation: "PDM cannot answer the CA's challenge there, so that certificates are not renewed.",
    fix: "remove the CNAME or NS record at the challenge name",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Intent,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(intent) = facts.intent() else { return };
    let Some(held) = &intent.held else {
        return found.could_not_ask("the zone could not be read from PowerDNS");
    };
    let challenge = owner_in(&facts.request.fqdn, "_acme-challenge");
    for rrset in held.iter().filter(|r| r.owner == challenge && matches!(r.rtype.as_str(), "CNAME" | "NS")) {
        let gone = crate::audit::gather::pointed_to(rrset)
            .iter()
            .any(|name| facts.targets.get(name) == Some(&Target::Gone));
        let severity = if gone { Error } else { Warning };
        let change =
            rrset.records.iter().map(|text| format!("- {challenge} {} {text}", rrset.rtype)).collect();
        found.add(severity, format!("{challenge} {} {}", rrset.rtype, joined(&rrset.records))).change(change);
    }
}
