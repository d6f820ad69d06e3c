//! DNSSEC04: signatures are expired, about to expire, or live too long.

use pdm_model::audit::Severity::{Error, Warning};

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC04",
    alias: "DNSSEC04",
    title: "signatures are expired, about to expire, or live too long",
    severity: "error when one is expired or not yet valid, warning below 12 hours or above 180 days",
    explanation: "An expired signature is no signature: validating resolvers answer SERVFAIL.",
    fix: "sign the zone anew and see why that did not happen",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Signed,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let now = facts.now();
    for child in facts.speaking() {
        for probe in [Probe::Soa, Probe::Dnskey, Probe::Ns] {
            let Some(set) = child.set(&probe) else { continue };
            let ends = set.signatures.iter().map(|s| i64::from(s.expiration.wrapping_sub(now).cast_signed()));
            let begins =
                set.signatures.iter().map(|s| i64::from(now.wrapping_sub(s.inception).cast_signed()));
            let (Some(left), Some(age)) = (ends.max(), begins.max()) else { continue };
            let hours = |seconds: i64| seconds / 3600;
            let (severity, what) = match (left, age) {
                (left, _) if left <= 0 => (Error, format!("expired {} hours ago", hours(-left))),
                (_, age) if age < 0 => (Error, format!("is valid only in {} hours", hours(-age))),
                (left, _) if left < 12 * 3600 => (Warning, format!("expires in {} hours", hours(left))),
                (left, _) if left > 180 * 86400 => (Warning, format!("lives {} days more", left / 86400)),
                _ => continue,
            };
            let kind = crate::types::TypeName(set.rtype);
            found
                .add(severity, format!("the signature over {kind} {what} at {}", child.called()))
                .shown_by(child, &probe);
            return;
        }
    }
}
