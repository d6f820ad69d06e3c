//! BASIC03: the zone is broken, but somebody answers for its names.

use pdm_model::audit::Severity::Notice;

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};
use crate::audit::probe::Probe;

pub(super) const CHECK: Check = Check {
    id: "BASIC03",
    alias: "Basic03",
    title: "the zone is broken, but somebody answers for its names",
    severity: "notice when no server has authority and one answers addresses all the same",
    explanation: "It explains why some clients still get through.",
    fix: "see what BASIC02 says",
    repair: false,
    duty: Duty::Servers,
    needs: Needs::Nothing,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    if facts.speaking().next().is_some() {
        return;
    }
    let answers =
        |child: &&Child| child.answer(&Probe::Aaaa).is_some_and(|a| a.rcode == 0 && !a.answers.is_empty());
    if let Some(child) = facts.servers.iter().find(answers) {
        found.add(Notice, format!("{} answers without authority", child.called())).at(child, &Probe::Aaaa);
    }
}
