//! From facts to the report: every check once, each finding with what explains it, and one sentence on top.

use std::collections::{BTreeMap, BTreeSet};

use pdm_dnssec::Name;
use pdm_model::audit::{ChainLink, Finding, Outcome, Report, Row, Severity};
use pdm_model::{RRset, RecordType};
use pdm_ports::walk::Security;

use super::facts::{Above, Facts};
use super::found::{Check, Found, Needs};
use super::gather::served_types;
use super::probe::Probe;
use crate::checks::CHECKS;
use crate::types::TypeName;
use crate::walk::session::{Heard, Key};

/// Judge.
pub(crate) fn report(facts: &Facts, heard: &BTreeMap<Key, Heard>) -> Report {
    let mut findings = Vec::new();
    let mut checks = BTreeMap::new();
    for check in CHECKS {
        let (outcome, found) = carry_out(check, facts);
        findings.extend(found);
        checks.insert(check.id.to_owned(), outcome);
    }
    explain(&mut findings);
    findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.key().cmp(&b.key())));
    let last = heard.values().map(|h| h.at.0 + i64::from(h.millis)).max().unwrap_or(facts.begun.0);
    let mut report = Report {
        id: facts.request.id.clone(),
        fqdn: facts.request.fqdn.clone(),
        begun_at: facts.begun,
        millis: u32::try_from(last.saturating_sub(facts.begun.0)).unwrap_or_default(),
        queries: u32::try_from(heard.len()).unwrap_or(u32::MAX),
        private_view: facts.request.above.is_some() || facts.names.values().any(|name| name.configured),
        undelegated: facts.request.undelegated,
        verdict: String::new(),
        servers: facts.servers.iter().map(super::facts::Child::called).collect(),
        chain: chain(facts),
        matrix: matrix(facts),
        findings,
        checks,
        public: None,
    };
    report.verdict = verdict(&report);
    report
}

/// One check, if it can be made here.
fn carry_out(check: &'static Check, facts: &Facts) -> (Outcome, Vec<Finding>) {
    if let Some(why) = facts.request.excused.get(check.id) {
        return (Outcome::Skipped { why: why.clone() }, Vec::new());
    }
    if let Some(outcome) = lacking(check.needs, facts) {
        return (outcome, Vec::new());
    }
    let mut found = Found::new(check, facts);
    (check.run)(facts, &mut found);
    let outcome = match (found.findings.is_empty(), found.silence, found.skipped) {
        (false, _, _) => Outcome::Found,
        (true, Some(why), _) => Outcome::CouldNotAsk { why },
        (true, None, Some(why)) => Outcome::Skipped { why },
        (true, None, None) => Outcome::Passed,
    };
    (outcome, found.findings)
}

/// Why a check cannot be made.
fn lacking(needs: Needs, facts: &Facts) -> Option<Outcome> {
    let skipped = |why: &str| Some(Outcome::Skipped { why: why.to_owned() });
    let silent = |why: String| Some(Outcome::CouldNotAsk { why });
    let parent = || match &facts.parent {
        Above::Seen(_) => None,
        Above::NotAsked(why) => skipped(why),
        Above::Failed(why) => silent(why.clone()),
    };
    let servers = || {
        let asked = facts.speaking().next().is_none();
        asked.then(|| Outcome::CouldNotAsk { why: "no nameserver answers for the zone".to_owned() })
    };
    match needs {
        Needs::Nothing => None,
        Needs::Parent => parent(),
        Needs::Servers => servers(),
        Needs::Signed => {
            servers().or_else(|| if facts.is_signed() { None } else { skipped("the zone is not signed") })
        }
        Needs::Ds => parent()
            .or_else(servers)
            .or_else(|| if facts.ds().is_empty() { skipped("the parent has no DS") } else { None }),
        Needs::Intent => match facts.intent() {
            None => skipped("PDM does not keep this name"),
            Some(intent) if !intent.active => skipped("the name is not active"),
            Some(_) => None,
        },
        Needs::Pool => {
            if facts.request.pool.is_some() {
                None
            } else {
                skipped("this is not a pool")
            }
        }
    }
}

/// Lower what another finding explains: one cause is one problem.
fn explain(findings: &mut [Finding]) {
    let loud: BTreeSet<(String, String)> = findings
        .iter()
        .filter(|f| f.severity >= Severity::Warning)
        .map(|f| (f.code.clone(), f.subject.clone()))
        .collect();
    for finding in findings.iter_mut() {
        let Some(check) = CHECKS.iter().find(|check| check.id == finding.code) else { continue };
        // A cause that is about one server explains what is about that server, and what is about the zone as a whole.
        let explains = |code: &&&str| {
            loud.iter().any(|(loud, subject)| {
                loud == **code
                    && (subject.is_empty()
                        || finding.subject.is_empty()
                        || *subject == finding.subject
                        || !same_kind(subject, &finding.subject))
            })
        };
        if let Some(code) = check.because.iter().find(explains) {
            finding.severity = finding.severity.min(Severity::Notice);
            finding.because_of = Some((**code).to_owned());
        }
    }
}

/// Both are about servers (`name/address`), so that they can be compared.
fn same_kind(one: &str, other: &str) -> bool {
    one.contains('/') && other.contains('/')
}

fn verdict(report: &Report) -> String {
    let count = |severity| report.findings.iter().filter(|f| f.severity == severity).count();
    let (critical, errors, warnings) =
        (count(Severity::Critical), count(Severity::Error), count(Severity::Warning));
    let silent = report.checks.values().filter(|o| matches!(o, Outcome::CouldNotAsk { .. })).count();
    let name = &report.fqdn;
    let first = report.findings.first().map(|f| format!("{}: {}", f.code, f.title)).unwrap_or_default();
    let plural = |n: usize, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let mut text = if critical > 0 {
        format!("{name} does not work. {first}.")
    } else if errors > 0 {
        format!(
            "{name} is likely broken for some: {} and {}. {first}.",
            plural(errors, "error"),
            plural(warnings, "warning")
        )
    } else if warnings > 0 {
        format!("{name} works, with {}. {first}.", plural(warnings, "warning"))
    } else if silent * 2 > report.checks.len() {
        format!("{name} could not be judged.")
    } else {
        format!("{name} is as it should be.")
    };
    if silent > 0 {
        text.push_str(&format!(" {} could not be asked.", plural(silent, "check")));
    }
    text
}

fn chain(facts: &Facts) -> Vec<ChainLink> {
    let link = |zone: &Name, security: &Security, keys: Vec<u16>| {
        let (word, why) = match security {
            Security::Secure => ("secure", String::new()),
            Security::Insecure { zone } => ("insecure", format!("{zone} has no DS")),
            Security::Bogus { zone, why } => ("bogus", format!("{zone}: {why}")),
            Security::Unknown { why } => ("unknown", why.clone()),
        };
        ChainLink { zone: zone.to_string(), security: word.to_owned(), why, keys }
    };
    let mut all = Vec::new();
    if let Some(parent) = facts.parent() {
        let tags = facts.ds().iter().map(|ds| ds.key_tag).collect();
        all.push(link(&parent.zone, &parent.security, tags));
    }
    let keys = facts.speaking().next().map(super::facts::Child::keys).unwrap_or_default();
    let tags: Vec<u16> =
        keys.iter().filter(|k| k.is_entry_point()).map(pdm_dnssec::Dnskey::key_tag).collect();
    let own = match facts.parent().map(|parent| &parent.security) {
        Some(Security::Secure)
            if facts.ds().iter().any(|ds| keys.iter().any(|key| key.matches(&facts.zone, ds))) =>
        {
            Security::Secure
        }
        Some(Security::Secure) => Security::Bogus {
            zone: facts.request.fqdn.clone(),
            why: "no DS of the parent matches a key".to_owned(),
        },
        Some(other) => other.clone(),
        None => Security::Unknown { why: "the parent was not asked".to_owned() },
    };
    all.push(link(&facts.zone, &own, tags));
    all
}

/// Intent, held and served, per RRset of the intent.
fn matrix(facts: &Facts) -> Vec<Row> {
    let Some(intent) = facts.intent() else { return Vec::new() };
    let mut rows = Vec::new();
    let held = |rrset: &RRset| {
        let same = |other: &&RRset| other.owner == rrset.owner && other.rtype == rrset.rtype;
        let all = intent.held.as_ref()?;
        Some(all.iter().find(same).map(|r| r.records.iter().cloned().collect()).unwrap_or_default())
    };
    for rrset in &intent.rrsets {
        let Some(owner) = Name::parse(&rrset.owner) else { continue };
        for kind in served_types(rrset) {
            let apex_ns = rrset.rtype == RecordType::Ns && owner == facts.zone;
            let probe = if apex_ns { Probe::Ns } else { Probe::Name(owner.clone(), kind) };
            let served =
                |child: &super::facts::Child| Some(child.contents(&probe)?.0.into_iter().collect::<Vec<_>>());
            let owner = rrset.owner.strip_suffix('.').unwrap_or(&rrset.owner);
            rows.push(Row {
                question: format!("{owner}/{}", TypeName(kind)),
                intent: Some(rrset.records.iter().cloned().collect()),
                held: held(rrset),
                served: facts.servers.iter().map(served).collect(),
            });
        }
    }
    rows
}
