//! DNSSEC11: the parent has a DS and the zone is not signed.

use pdm_model::audit::Severity::{Critical, Error};

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC11",
    alias: "DNSSEC11",
    title: "the parent has a DS and the zone is not signed",
    severity: "critical when no server has keys, error for a single server without",
    explanation: "Validating resolvers answer SERVFAIL for every name in the zone.",
    fix: "sign the zone, or take the DS out of the parent",
    repair: true,
    duty: Duty::Delegation,
    needs: Needs::Ds,
    because: &["BYO01"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let bare: Vec<&Child> = facts.speaking().filter(|child| child.set(&Probe::Dnskey).is_none()).collect();
    let severity = if bare.len() == facts.speaking().count() { Critical } else { Error };
    let Some(first) = bare.first() else { return };
    let change = facts.ds().iter().map(|ds| format!("- {} DS {ds}", facts.zone)).collect();
    found
        .add(severity, format!("{} of {} servers have no keys", bare.len(), facts.speaking().count()))
        .shown_by(first, &Probe::Dnskey)
        .change(change);
}
