//! BYO02: mail that went before the domain came is missing or changed.

use pdm_dnssec::Name;
use pdm_model::audit::Severity::{Error, Notice};

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "BYO02",
    alias: "",
    title: "mail that went before is missing or changed",
    severity: "error for each; notice when PowerDNS holds something else and that is served: somebody changed it with us",
    explanation: "The domain had it before it came, and mail stops without it: MX and the addresses behind it, SPF, DKIM, DMARC.",
    fix: "carry the record over again",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Intent,
    because: &["BASIC02"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(intent) = facts.intent() else { return };
    if intent.kept.is_empty() {
        return found.skip("nothing was carried over");
    }
    for rrset in &intent.kept {
        let (Some(owner), Some(kind)) = (Name::parse(&rrset.owner), crate::types::number_of(&rrset.rtype))
        else {
            continue;
        };
        let probe = Probe::Name(owner.clone(), kind);
        let wrong = |c: &&Child| c.contents(&probe).is_none_or(|(seen, _)| seen != rrset.records);
        let Some(child) = facts.speaking().find(wrong) else { continue };
        let seen = child.contents(&probe).map(|(seen, _)| seen).unwrap_or_default();
        let line = |sign: char, text: &String| format!("{sign} {owner} {} {text}", rrset.rtype);
        let change = seen.difference(&rrset.records).map(|t| line('-', t));
        let change = change.chain(rrset.records.difference(&seen).map(|t| line('+', t))).collect();
        let held = intent.held.iter().flatten().find(|held| held.key() == rrset.key());
        let on_purpose = held.is_some_and(|held| !seen.is_empty() && held.records == seen);
        found
            .add(
                if on_purpose { Notice } else { Error },
                format!("{owner} {} is not as it was before the domain came", rrset.rtype),
            )
            .about(format!("{owner} {}", rrset.rtype))
            .shown_by(child, &probe)
            .change(change);
    }
}
