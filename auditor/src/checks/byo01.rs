//! BYO01: the domain is still secured by somebody else's keys.

use pdm_dnssec::Dnskey;
use pdm_model::DsRecord;
use pdm_model::audit::Severity::{Critical, Error};
use pdm_ports::audit::Editor;

use crate::audit::facts::{Child, Facts};
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "BYO01",
    alias: "",
    title: "the domain is still secured by somebody else's keys",
    severity: "critical when no DS is ours, error for one beside ours",
    explanation: "Changing nameservers under a foreign DS makes the domain unreachable for everyone behind a validating resolver.",
    fix: "take the old DS out at the registrar; the rest goes on by itself",
    repair: false,
    duty: Duty::Delegation,
    needs: Needs::Ds,
    because: &[],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(intent) = facts.intent().filter(|i| i.editor != Editor::Pool) else {
        return found.skip("the parent is ours");
    };
    let keys: Vec<Dnskey> = facts.speaking().flat_map(Child::keys).collect();
    let ours = |ds: &&DsRecord| intent.ds.contains(ds) || keys.iter().any(|key| key.matches(&facts.zone, ds));
    let ds = facts.ds();
    let foreign: Vec<_> = ds.iter().filter(|ds| !ours(ds)).collect();
    if foreign.is_empty() {
        return;
    }
    let severity = if foreign.len() == ds.len() { Critical } else { Error };
    let tags: Vec<String> = foreign.iter().map(|ds| ds.key_tag.to_string()).collect();
    let change = foreign.iter().map(|ds| format!("- {} DS {ds}", facts.zone)).collect();
    let mut draft = found.add(severity, format!("DS {} is not ours", tags.join(", "))).change(change);
    for answer in facts.parent().iter().flat_map(|parent| &parent.answers).take(2) {
        draft = draft.shown_above(answer, "DS");
    }
}
