//! POOL02: a delegation without a zone, or a zone without an allocation.

use pdm_model::audit::Severity::{Error, Notice, Warning};

use super::shared::joined;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "POOL02",
    alias: "",
    title: "a delegation without a zone, or a zone without an allocation",
    severity: "error for what is active and lacks a zone or a delegation, and for a delegation that nobody has; warning for a zone \
               that nobody has, notice for one without our mark",
    explanation: "What belongs to nobody can be taken by somebody, and what leads nowhere breaks.",
    fix: "commit or release the name again; remove an orphan by hand once it is known to be one",
    repair: true,
    duty: Duty::Delegation,
    needs: Needs::Nothing,
    because: &["BASIC02"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let pool = facts.request.pool.iter();
    for name in pool.clone().flat_map(|pool| &pool.orphan_zones) {
        found
            .add(Warning, format!("the zone {name} carries our mark, and no allocation has it"))
            .about(name.clone())
            .advice("see `pdm store recover`; remove the zone by hand once it is known to be nobody's");
    }
    for name in pool.clone().flat_map(|pool| &pool.foreign_zones) {
        found
            .add(Notice, format!("PowerDNS has the zone {name}, which is not PDM's"))
            .about(name.clone())
            .advice("keep it if somebody needs it; nobody is lent that name while it is there");
    }
    let missing = |what| move |name: &String| (name.clone(), what);
    let zones =
        pool.clone().flat_map(|pool| &pool.missing_zones).map(missing("PowerDNS does not have its zone"));
    let delegations =
        pool.clone().flat_map(|pool| &pool.missing_delegations).map(missing("the pool does not delegate it"));
    for (name, what) in zones.chain(delegations) {
        found
            .add(Error, format!("{name} is active and {what}"))
            .about(name.clone())
            .advice(format!("run `pdm audit {name}`, which names the command that writes it again"));
    }
    for name in pool.flat_map(|pool| &pool.orphan_delegations) {
        found
            .add(Error, format!("{name} is delegated, and no allocation has it"))
            .about(name.clone())
            .advice("remove the delegation from the pool by hand once it is known to be nobody's");
    }
    if let Some(intent) = facts.intent().filter(|intent| intent.active)
        && intent.held.as_ref().is_some_and(Vec::is_empty)
    {
        let change = intent
            .rrsets
            .iter()
            .map(|r| format!("+ {} {} {}", r.owner, r.rtype, joined(&r.records)))
            .collect();
        found.add(Error, "PowerDNS does not have the zone").change(change);
    }
}
