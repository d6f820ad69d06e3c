//! KEY01: signatures are not renewed, or keys are there that nobody asked for.

use std::collections::BTreeSet;

use pdm_dnssec::{Dnskey, DsDigest};
use pdm_model::DsRecord;
use pdm_model::audit::Severity::{Notice, Warning};

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "KEY01",
    alias: "",
    title: "signatures are not renewed, or keys are there that nobody asked for",
    severity: "warning when a signature has less than 3 days to live, notice for a key that is in no DS",
    explanation: "Signatures should be renewed long before they end; a key that nobody knows may be somebody's.",
    fix: "see whether the signer runs; finish or undo the key roll",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Signed,
    because: &["DNSSEC04"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let now = facts.now();
    for child in facts.speaking() {
        let Some(set) = child.set(&Probe::Soa) else { continue };
        let left = set.signatures.iter().map(|s| s.expiration.wrapping_sub(now).cast_signed()).max();
        if let Some(left) = left.filter(|left| (1..3 * 86_400).contains(left)) {
            found
                .add(Warning, format!("the signature over SOA ends in {} hours", left / 3600))
                .at(child, &Probe::Soa);
            return;
        }
    }
    let Some(intent) = facts.intent().filter(|intent| !intent.ds.is_empty()) else { return };
    let own: BTreeSet<DsRecord> = facts
        .speaking()
        .flat_map(Child::keys)
        .filter(Dnskey::is_entry_point)
        .map(|key| key.ds(&facts.zone, DsDigest::Sha256))
        .collect();
    for ds in own.difference(&intent.ds) {
        found.add(Notice, format!("key {} is in no DS", ds.key_tag)).about(ds.key_tag.to_string());
    }
}
