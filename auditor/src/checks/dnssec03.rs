//! DNSSEC03: NSEC3 is used with costly parameters.

use pdm_model::audit::Severity::{Notice, Warning};

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "DNSSEC03",
    alias: "DNSSEC03",
    title: "NSEC3 is used with costly parameters",
    severity: "warning for iterations, notice for a salt",
    explanation: "Iterations cost every server and resolver and hide nothing; resolvers may treat such zones as insecure (RFC 9276).",
    fix: "set NSEC3 to 0 iterations and no salt",
    repair: false,
    duty: Duty::Zone,
    needs: Needs::Signed,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some((child, set)) = facts.speaking().find_map(|c| Some((c, c.contents(&Probe::Nsec3Param)?.0)))
    else {
        return;
    };
    for text in &set {
        let fields: Vec<&str> = text.split(' ').collect();
        let [_, _, iterations, salt] = fields.as_slice() else { continue };
        if *iterations != "0" {
            found.add(Warning, format!("{iterations} iterations")).shown_by(child, &Probe::Nsec3Param);
        } else if *salt != "-" {
            found.add(Notice, format!("salt {salt}")).shown_by(child, &Probe::Nsec3Param);
        }
    }
}
