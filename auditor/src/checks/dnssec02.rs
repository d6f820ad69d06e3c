//! DNSSEC02: no DS in the parent matches a key of the zone.

use std::collections::BTreeSet;

use pdm_dnssec::{Dnskey, DsDigest};
use pdm_model::DsRecord;
use pdm_model::audit::Severity::{Critical, Notice};

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC02",
    alias: "DNSSEC02",
    title: "no DS in the parent matches a key of the zone",
    severity: "critical when none does, notice for single ones beside a good one",
    explanation: "Validating resolvers answer SERVFAIL for every name in the zone.",
    fix: "write the DS of the zone's own keys, or take the wrong one out",
    repair: true,
    duty: Duty::Delegation,
    needs: Needs::Ds,
    because: &["BYO01", "DNSSEC11"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let (ds, usable) = (facts.ds(), |ds: &&DsRecord| DsDigest::from_number(ds.digest_type).is_some());
    for child in facts.speaking().filter(|child| child.set(&Probe::Dnskey).is_some()) {
        let keys = child.keys();
        let matches = |ds: &&DsRecord| keys.iter().any(|key| key.matches(&facts.zone, ds));
        let good = ds.iter().filter(usable).any(|ds| matches(&ds));
        let wrong: Vec<_> = ds.iter().filter(usable).filter(|ds| !matches(ds)).collect();
        let own: BTreeSet<DsRecord> = keys
            .iter()
            .filter(|key| key.is_entry_point())
            .map(|key| key.ds(&facts.zone, DsDigest::Sha256))
            .collect();
        let change = wrong.iter().map(|ds| format!("- {} DS {ds}", facts.zone));
        let change: Vec<String> =
            change.chain(own.difference(&ds).map(|ds| format!("+ {} DS {ds}", facts.zone))).collect();
        let tags = |list: Vec<u16>| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let theirs = tags(wrong.iter().map(|ds| ds.key_tag).collect());
        if !good && !wrong.is_empty() {
            let ours = tags(keys.iter().map(Dnskey::key_tag).collect());
            let mut draft = found
                .add(Critical, format!("the parent has DS {theirs}, the zone has keys {ours}"))
                .change(change);
            for answer in facts.parent().iter().flat_map(|parent| &parent.answers).take(2) {
                draft = draft.shown_above(answer, "DS");
            }
            draft.shown_by(child, &Probe::Dnskey);
            return;
        }
        if !wrong.is_empty() {
            found.add(Notice, format!("DS {theirs} matches no key; another does")).change(change);
            return;
        }
    }
}
