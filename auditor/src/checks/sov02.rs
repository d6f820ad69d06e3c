//! SOV02: a name hides from the wildcard.

use std::collections::{BTreeMap, BTreeSet};

use pdm_dnssec::Name;
use pdm_model::RecordType;
use pdm_model::audit::Severity::{Error, Warning};
use pdm_model::rrset::owner_in;

use super::shared::labels;
use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "SOV02",
    alias: "",
    title: "a name hides from the wildcard",
    severity: "error when the wildcard does not answer for a name that does not exist, warning for each existing name without addresses",
    explanation: "The wildcard does not answer for a name that exists, not even for one that only has something below it (RFC 4592).",
    fix: "give the name its own A or AAAA records, in the same change as what is below it",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Intent,
    because: &["SOV01", "SOV06", "BASIC02"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(intent) = facts.intent() else { return };
    let star = owner_in(&facts.request.fqdn, "*");
    for rrset in intent
        .rrsets
        .iter()
        .filter(|r| r.owner == star && matches!(r.rtype, RecordType::A | RecordType::Aaaa))
    {
        let Some(random) = facts.zone.below(&facts.request.random_label) else { continue };
        let probe = Probe::Name(random, crate::types::number_of(&rrset.rtype).unwrap_or_default());
        let wrong = |c: &&Child| c.contents(&probe).is_none_or(|(seen, _)| seen != rrset.records);
        if let Some(child) = facts.speaking().find(wrong) {
            found
                .add(Error, format!("{} does not answer for a name that does not exist", child.called()))
                .at(child, &probe);
            return;
        }
    }
    for name in shadowed(facts) {
        let change = intent.rrsets.iter().filter(|r| r.owner == star);
        let change = change
            .flat_map(|r| r.records.iter().map(|text| format!("+ {name} {} {text}", r.rtype)))
            .collect();
        found
            .add(Warning, format!("{name} exists without an address"))
            .about(name.to_string())
            .change(change);
    }
}

/// Names of the zone that exist, only because of what is below them or beside addresses, and so have no address.
fn shadowed(facts: &Facts) -> BTreeSet<Name> {
    let held = facts.intent().and_then(|intent| intent.held.as_deref()).unwrap_or_default();
    let mut types: BTreeMap<Name, BTreeSet<&str>> = BTreeMap::new();
    for rrset in held {
        let Some(owner) = Name::parse(&rrset.owner).filter(|owner| owner.is_at_or_below(&facts.zone)) else {
            continue;
        };
        for depth in facts.zone.depth() + 1..owner.depth() {
            types.entry(owner.trimmed(depth)).or_default();
        }
        types.entry(owner).or_default().insert(rrset.rtype.as_str());
    }
    let cuts: Vec<Name> =
        types.iter().filter(|(n, t)| **n != facts.zone && t.contains("NS")).map(|(n, _)| n.clone()).collect();
    let has_none = |(name, types): &(&Name, &BTreeSet<&str>)| {
        let answers = types.iter().any(|t| matches!(*t, "A" | "AAAA" | "LUA" | "CNAME" | "ALIAS" | "NS"));
        let hidden = labels(name).iter().any(|label| label.starts_with('_')) || name.is_wildcard();
        **name != facts.zone && !answers && !hidden && !cuts.iter().any(|cut| name.is_at_or_below(cut))
    };
    types.iter().filter(has_none).map(|(name, _)| name.clone()).collect()
}
