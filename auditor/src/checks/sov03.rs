//! SOV03: nameservers disagree about a failover policy.

use std::collections::{BTreeMap, BTreeSet};

use pdm_dnssec::Name;
use pdm_model::RecordType;
use pdm_model::audit::Severity::{Error, Warning};

use super::shared::joined;
use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "SOV03",
    alias: "",
    title: "nameservers disagree about a failover policy",
    severity: "error for an address that the policy does not have, warning when answers differ that should not",
    explanation: "Each nameserver checks health for itself; one that cannot see a region sends its users elsewhere.",
    fix: "see which nameserver cannot reach the load balancers, and why",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Intent,
    because: &["SOV04"],
    run,
};

/// Strategies, as PDM notes them in the text, whose answers differ by chance or by who asks.
const VARYING: [&str; 5] = ["roundRobin", "weighted", "hashed", "nearest", "geo"];

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(intent) = facts.intent() else { return };
    for rrset in intent.rrsets.iter().filter(|r| r.rtype == RecordType::Lua) {
        let Some(owner) = Name::parse(&rrset.owner) else { continue };
        let policy = joined(&rrset.records);
        let varies = VARYING.iter().any(|strategy| policy.contains(&format!(" -- pdm1 {strategy} ")));
        for kind in crate::audit::gather::served_types(rrset) {
            let probe = Probe::Name(owner.clone(), kind);
            let mut answers: BTreeMap<BTreeSet<String>, &Child> = BTreeMap::new();
            for child in facts.speaking() {
                let Some((seen, _)) = child.contents(&probe) else { continue };
                if let Some(stranger) = seen.iter().find(|address| !policy.contains(&format!("'{address}'")))
                {
                    found
                        .add(
                            Error,
                            format!("{} answers {stranger}, which the policy does not have", child.called()),
                        )
                        .at(child, &probe);
                    return;
                }
                answers.insert(seen, child);
            }
            if answers.len() > 1 && !varies {
                let mut draft = found
                    .add(Warning, format!("{owner} has {} different answers", answers.len()))
                    .about(owner.to_string());
                for child in answers.values() {
                    draft = draft.shown_by(child, &probe);
                }
            }
        }
    }
}
