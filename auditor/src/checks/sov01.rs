//! SOV01: a nameserver does not answer as it should.

use pdm_dnssec::{Name, rtype};
use pdm_model::RecordType;
use pdm_model::audit::Severity::{Critical, Error};

use super::shared::joined;
use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "SOV01",
    alias: "",
    title: "a nameserver does not answer as it should",
    severity: "critical when every server is wrong, error when some are",
    explanation: "Users are sent to the wrong place, or nowhere.",
    fix: "write the records again",
    repair: true,
    duty: Duty::Zone,
    needs: Needs::Intent,
    because: &["SOV06", "SOV04", "BASIC02", "BASIC01"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(intent) = facts.intent() else { return };
    if facts.speaking().next().is_none() {
        return found.could_not_ask("no nameserver answers for the zone");
    }
    for rrset in
        intent.rrsets.iter().filter(|r| matches!(r.rtype, RecordType::A | RecordType::Aaaa | RecordType::Ns))
    {
        let Some(owner) = Name::parse(&rrset.owner) else { continue };
        let kind = crate::types::number_of(&rrset.rtype).unwrap_or_default();
        let probe = if kind == rtype::NS { Probe::Ns } else { Probe::Name(owner.clone(), kind) };
        let wrong: Vec<&Child> = facts
            .speaking()
            .filter(|c| c.contents(&probe).is_none_or(|(seen, _)| seen != rrset.records))
            .collect();
        let Some(first) = wrong.first() else { continue };
        let severity = if wrong.len() == facts.speaking().count()
            && owner != facts.zone.wildcard().unwrap_or_else(Name::root)
        {
            Critical
        } else {
            Error
        };
        let seen = first.contents(&probe).map(|(seen, _)| seen).unwrap_or_default();
        let line = |sign: char, text: &String| format!("{sign} {owner} {} {text}", rrset.rtype);
        let change = seen.difference(&rrset.records).map(|t| line('-', t));
        let change = change.chain(rrset.records.difference(&seen).map(|t| line('+', t))).collect();
        found
            .add(
                severity,
                format!(
                    "{} of {} servers answer {owner} {} with other than {}",
                    wrong.len(),
                    facts.speaking().count(),
                    rrset.rtype,
                    joined(&rrset.records)
                ),
            )
            .about(format!("{owner} {}", rrset.rtype))
            .shown_by(first, &probe)
            .change(change);
    }
}
