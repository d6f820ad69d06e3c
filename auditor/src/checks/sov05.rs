//! SOV05: a TTL is not as the policy says.

use pdm_dnssec::{Name, rtype};
use pdm_model::RecordType;
use pdm_model::audit::Severity::Warning;

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "SOV05",
    alias: "",
    title: "a TTL is not as the policy says",
    severity: "warning for each RRset",
    explanation: "A TTL that is too long makes every change slow, one that is too short costs queries.",
    fix: "write the records with the policy's TTL",
    repair: true,
    duty: Duty::Zone,
    needs: Needs::Intent,
    because: &["SOV01", "SOV06"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(intent) = facts.intent() else { return };
    for rrset in
        intent.rrsets.iter().filter(|r| matches!(r.rtype, RecordType::A | RecordType::Aaaa | RecordType::Ns))
    {
        let Some(owner) = Name::parse(&rrset.owner) else { continue };
        let kind = crate::types::number_of(&rrset.rtype).unwrap_or_default();
        let probe = if kind == rtype::NS { Probe::Ns } else { Probe::Name(owner.clone(), kind) };
        let wrong = |c: &Child| {
            c.contents(&probe)
                .filter(|(seen, ttl)| !seen.is_empty() && *ttl != rrset.ttl.seconds())
                .map(|(_, ttl)| ttl)
        };
        let Some((child, ttl)) = facts.speaking().find_map(|c| Some((c, wrong(c)?))) else { continue };
        let change = vec![
            format!("- {owner} {ttl} {}", rrset.rtype),
            format!("+ {owner} {} {}", rrset.ttl.seconds(), rrset.rtype),
        ];
        found
            .add(Warning, format!("{owner} {} has {ttl} s instead of {}", rrset.rtype, rrset.ttl.seconds()))
            .about(format!("{owner} {}", rrset.rtype))
            .shown_by(child, &probe)
            .change(change);
    }
}
