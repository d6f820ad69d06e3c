//! DNSSEC10: what does not exist is not denied with a signature.

use pdm_dnssec::{Broken, Chain, Verified};
use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC10",
    alias: "DNSSEC10",
    title: "what does not exist is not denied with a signature",
    severity: "error for each server whose denial does not validate",
    explanation: "Without NSEC or NSEC3 a validator must take every negative answer for a forgery.",
    fix: "rectify the zone and sign it anew",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Signed,
    because: &["DNSSEC04", "DNSSEC06", "DNSSEC08", "DNSSEC09"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let (Some(set), Some(answer)) = (child.set(&Probe::Dnskey), child.answer(&Probe::NoData)) else {
            continue;
        };
        if !answer.answers.is_empty() {
            continue;
        }
        let (mut verified, now) = (Verified::default(), i64::from(facts.now()));
        let mut chain = Chain::new(now, &mut verified);
        let own = crate::walk::entry_points(&facts.zone, set);
        let proved = chain
            .keys(&own, set)
            .and_then(|keys| chain.negative(&keys, answer, &facts.zone, crate::types::number::HINFO));
        if let Err(why) = proved
            && !matches!(why, Broken::NoDs(_) | Broken::DsMatchesNoKey { .. })
        {
            found.add(Error, why.to_string()).at(child, &Probe::NoData);
        }
    }
}
