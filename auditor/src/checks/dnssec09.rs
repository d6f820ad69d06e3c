//! DNSSEC09: the SOA is not signed by a key of the zone.

use pdm_dnssec::{Verified, verify};
use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC09",
    alias: "DNSSEC09",
    title: "the SOA is not signed by a key of the zone",
    severity: "error for each server whose SOA does not verify",
    explanation: "Negative answers rest on the SOA; validators refuse them.",
    fix: "sign the zone anew",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Signed,
    because: &["DNSSEC04", "DNSSEC06", "DNSSEC08"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        if let (Some(set), Some(keys)) = (child.set(&Probe::Soa), child.key_set())
            && let Err(why) = verify(set, &keys, facts.now(), &mut Verified::default())
        {
            found.add(Error, why.to_string()).at(child, &Probe::Soa);
        }
    }
}
