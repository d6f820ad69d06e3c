//! What the last audit of a name found, as the page shows it: bounded, since part of it was written by strangers'
//! nameservers. Pure.

use pdm_model::Timestamp;
use pdm_model::audit::{Acknowledged, Evidence, Finding, Outcome, Report, Severity, Transition};

/// Findings on a page, answers of each, and characters of an answer.
const FINDINGS: usize = 40;
const ANSWERS: usize = 4;
const CHARACTERS: usize = 300;

/// One finding.
pub(super) struct Shown {
    pub key: String,
    pub severity: Severity,
    pub title: String,
    pub detail: String,
    pub who: &'static str,
    pub since: Timestamp,
    pub evidence: Vec<Evidence>,
    pub because_of: Option<String>,
    pub acknowledged: Option<Acknowledged>,
    pub fix: String,
    pub difference: Vec<String>,
    /// The command by which PDM mends it; none when somebody else must.
    pub command: Option<String>,
}

impl Shown {
    pub(super) fn of(finding: &Finding) -> Self {
        let fix = finding.fix.as_ref();
        let answer = |evidence: &Evidence| Evidence {
            answer: bounded(&evidence.answer),
            reproduce: bounded(&evidence.reproduce),
            ..evidence.clone()
        };
        Self {
            key: finding.key(),
            severity: finding.severity,
            title: finding.title.clone(),
            detail: bounded(&finding.detail),
            who: finding.who.as_str(),
            since: finding.since,
            evidence: finding.evidence.iter().take(ANSWERS).map(answer).collect(),
            because_of: finding.because_of.clone(),
            acknowledged: finding.acknowledged.clone(),
            fix: fix.map(|fix| fix.what.clone()).unwrap_or_default(),
            difference: fix.map(|fix| fix.difference.iter().take(20).cloned().collect()).unwrap_or_default(),
            command: fix.and_then(|fix| fix.command.clone()),
        }
    }

    /// Its key inside an address.
    pub(super) fn address(&self) -> String {
        super::super::form::encode(&self.key)
    }

    /// Reads without colours.
    pub(super) fn sign(&self) -> &'static str {
        match self.severity {
            Severity::Critical | Severity::Error => "✗",
            Severity::Warning => "!",
            Severity::Notice | Severity::Info => "i",
        }
    }
}

fn bounded(text: &str) -> String {
    if text.chars().count() <= CHARACTERS {
        return text.to_owned();
    }
    let head: String = text.chars().take(CHARACTERS).collect();
    format!("{head}…")
}

/// A whole report on a page.
pub(super) struct Findings {
    pub id: String,
    pub at: Timestamp,
    pub millis: u32,
    pub queries: u32,
    pub verdict: String,
    pub score: u32,
    pub shown: Vec<Shown>,
    pub left_out: usize,
    /// Checks that passed, that found something, that nobody could answer, and that do not apply.
    pub counts: [usize; 4],
    /// Checks that nobody could answer, and why.
    pub not_asked: Vec<(String, String)>,
    pub servers: Vec<String>,
}

impl Findings {
    pub(super) fn of(report: &Report) -> Self {
        let mut counts = [0; 4];
        let mut not_asked = Vec::new();
        for (code, outcome) in &report.checks {
            match outcome {
                Outcome::Passed => counts[0] += 1,
                Outcome::Found => counts[1] += 1,
                Outcome::CouldNotAsk { why } => {
                    counts[2] += 1;
                    not_asked.push((code.clone(), bounded(why)));
                }
                Outcome::Skipped { .. } => counts[3] += 1,
            }
        }
        Self {
            id: report.id.clone(),
            at: report.begun_at,
            millis: report.millis,
            queries: report.queries,
            verdict: report.verdict.clone(),
            score: report.score(),
            shown: report.findings.iter().take(FINDINGS).map(Shown::of).collect(),
            left_out: report.findings.len().saturating_sub(FINDINGS),
            counts,
            not_asked,
            servers: report.servers.clone(),
        }
    }
}

/// What changed between two reports, in words.
pub(super) fn told(transitions: &[Transition]) -> Vec<(&'static str, String)> {
    let line = |t: &Transition| {
        let finding = &t.finding;
        let text = format!("{} {}: {}", finding.severity.as_str(), finding.key(), bounded(&finding.title));
        (t.turn.as_str(), text)
    };
    transitions.iter().map(line).collect()
}
