//! DNSSEC01: a DS uses a digest that is not trusted.

use pdm_dnssec::DsDigest;
use pdm_model::audit::Severity::Error;

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "DNSSEC01",
    alias: "DNSSEC01",
    title: "a DS uses a digest that is not trusted",
    severity: "error for each DS with a digest other than SHA-256 or SHA-384",
    explanation: "SHA-1 and the rest must not be used (RFC 8624 3.3); validators ignore such a DS.",
    fix: "write a DS with SHA-256",
    repair: true,
    duty: Duty::Delegation,
    needs: Needs::Ds,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for ds in facts.ds().iter().filter(|ds| DsDigest::from_number(ds.digest_type).is_none()) {
        let change = vec![format!("- {} DS {ds}", facts.zone)];
        found
            .add(Error, format!("digest type {} in DS {ds}", ds.digest_type))
            .about(ds.key_tag.to_string())
            .change(change);
    }
}
