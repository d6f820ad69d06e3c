//! SOV06: somebody changed what PDM wrote.

use pdm_model::RecordType;
use pdm_model::audit::Severity::{Error, Notice};
use pdm_model::canonical::{Change, diff};

use crate::audit::facts::Facts;
use crate::audit::found::{Check, Duty, Found, Needs};

pub(super) const CHECK: Check = Check {
    id: "SOV06",
    alias: "",
    title: "somebody changed what PDM wrote",
    severity: "error when one of the six names or the NS set is not as written, notice for RRsets elsewhere that nobody asked PDM for",
    explanation: "What was changed by hand is changed back by the next repair, or serves users wrongly until then.",
    fix: "let PDM write its records again, or give PDM the change as a new target",
    repair: true,
    duty: Duty::Zone,
    needs: Needs::Intent,
    because: &["SOV04"],
    run,
};

fn run(facts: &Facts, found: &mut Found<'_>) {
    let Some(intent) = facts.intent() else { return };
    let Some(held) = &intent.held else {
        return found.could_not_ask("the zone could not be read from PowerDNS");
    };
    if held.is_empty() {
        return;
    }
    let same = |change: &Change| match change {
        // TTLs are SOV05's.
        Change::Replace(want) => held.iter().any(|r| r.key() == want.key() && r.records == want.records),
        Change::Delete(..) => false,
    };
    for change in diff(&facts.request.fqdn, &intent.rrsets, held).iter().filter(|change| !same(change)) {
        let (owner, kind) = match change {
            Change::Replace(want) => (&want.owner, &want.rtype),
            Change::Delete(owner, kind) => (owner, kind),
        };
        let there = |rrsets: &[pdm_model::RRset]| {
            rrsets
                .iter()
                .find(|r| r.owner == *owner && r.rtype == *kind)
                .map(|r| r.records.clone())
                .unwrap_or_default()
        };
        let (old, new) = (there(held), there(&intent.rrsets));
        let line = |sign: char, text: &String| format!("{sign} {owner} {kind} {text}");
        let lines = old.difference(&new).map(|t| line('-', t));
        let lines = lines.chain(new.difference(&old).map(|t| line('+', t))).collect();
        found
            .add(Error, format!("{owner} {kind} is not as PDM wrote it"))
            .about(format!("{owner} {kind}"))
            .change(lines);
    }
    let known = |r: &&pdm_model::RRset| {
        intent.rrsets.iter().chain(&intent.kept).any(|want| want.key() == r.key())
            || matches!(r.rtype, RecordType::Soa)
    };
    let strangers: Vec<String> = held
        .iter()
        .filter(|r| !known(r) && !pdm_model::canonical::is_ours(&facts.request.fqdn, r))
        .map(|r| format!("{} {}", r.owner, r.rtype))
        .collect();
    if !strangers.is_empty() {
        let shown = strangers.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        found
            .add(Notice, format!("{} RRsets that nobody asked PDM for: {shown}", strangers.len()))
            .about("others")
            .advice("leave them if they are wanted: PDM does not touch them");
    }
}
