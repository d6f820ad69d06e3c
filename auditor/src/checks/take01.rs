//! TAKE01: a record points to a name that does not exist.

use pdm_model::audit::Severity::Error;

use crate::audit::facts::{Facts, Target};
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "TAKE01",
    alias: "",
    title: "a record points to a name that does not exist",
    severity: "error for each",
    explanation: "Whoever takes that name answers in ours: cookies, mail and certificates included.",
    fix: "remove the record, or take the name that it points to",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let held = facts.intent().and_then(|intent| intent.held.as_deref()).unwrap_or_default();
    let pool = facts.request.pool.iter().flat_map(|pool| &pool.pointing);
    for rrset in held.iter().chain(pool) {
        for name in crate::audit::gather::pointed_to(rrset) {
            match facts.targets.get(&name) {
                Some(Target::Gone) => {
                    let change = vec![format!("- {} {} {name}", rrset.owner, rrset.rtype)];
                    found
                        .add(
                            Error,
                            format!("{} {} points to {name}, which does not exist", rrset.owner, rrset.rtype),
                        )
                        .about(format!("{} {name}", rrset.owner))
                        .change(change);
                }
                Some(Target::Unknown(why)) => found.could_not_ask(format!("{name}: {why}")),
                _ => {}
            }
        }
    }
    for (record, name) in facts.request.pool.iter().flat_map(|pool| &pool.referenced) {
        found.add(Error, format!("{record} points to {name}, which was released")).about(record.clone());
    }
}
