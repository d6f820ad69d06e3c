//! NAMESERVER15: a nameserver tells its software.

use pdm_model::audit::Severity::Notice;

use super::shared::answer_count;
use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "NAMESERVER15",
    alias: "Nameserver15",
    title: "a nameserver tells its software",
    severity: "notice for each server that answers version.bind",
    explanation: "It tells an attacker what to try.",
    fix: "hide the version (PowerDNS: `version-string=anonymous`)",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Servers,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    for child in facts.speaking() {
        let tells = child.reply(&Probe::Software).is_some_and(|reply| {
            reply.octets.get(3).is_some_and(|code| code & 15 == 0) && answer_count(&reply.octets) > 0
        });
        if tells {
            found.add(Notice, format!("{} tells it", child.called())).at(child, &Probe::Software);
        }
    }
}
