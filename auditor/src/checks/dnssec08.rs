//! DNSSEC08: the keys are not signed by a key of the zone.

use pdm_dnssec::{Verified, verify};
use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC08",
    alias: "DNSSEC08",
    title: "the keys are not signed by a key of the zone",
    severity: "error for each server whose DNSKEY set does not verify",
    explanation: "The chain breaks at the keys themselves.",
    fix: "sign the zone anew",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Signed,
    because: &["DNSSEC04", "DNSSEC06"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        if let (Some(set), Some(keys)) = (child.set(&Probe::Dnskey), child.key_set())
            && let Err(why) = verify(set, &keys, facts.now(), &mut Verified::default())
        {
            found.add(Error, why.to_string()).at(child, &Probe::Dnskey);
        }
    }
}
