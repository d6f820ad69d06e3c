//! DNSSEC18: CDS or CDNSKEY are not signed by a key that the parent trusts.

use pdm_dnssec::{KeySet, Verified, verify};
use pdm_model::audit::Severity::Warning;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC18",
    alias: "DNSSEC18",
    title: "CDS or CDNSKEY are not signed by a key that the parent trusts",
    severity: "warning when no key of the DS set signs them",
    explanation: "A parent must refuse them (RFC 7344 4.1), so that a key roll stops.",
    fix: "sign CDS and CDNSKEY with a key in the DS set",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Ds,
    because: &["DNSSEC02", "DNSSEC04", "DNSSEC11", "DNSSEC16", "DNSSEC17", "BYO01"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let ds = facts.ds();
    for child in facts.speaking() {
        let trusted = child.keys().into_iter().filter(|key| ds.iter().any(|ds| key.matches(&facts.zone, ds)));
        let trusted = KeySet { zone: facts.zone.clone(), keys: trusted.collect() };
        if trusted.keys.is_empty() {
            continue;
        }
        for probe in [Probe::Cds, Probe::Cdnskey] {
            let Some(set) = child.set(&probe) else { continue };
            if let Err(why) = verify(set, &trusted, facts.now(), &mut Verified::default()) {
                found.add(Warning, why.to_string()).shown_by(child, &probe);
                return;
            }
        }
    }
}
