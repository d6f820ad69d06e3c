//! An audit: what a walk of the real DNS found, why it is wrong, who must act, and the fix. The words of the report; the
//! checks are in the auditor.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::name::ZoneName;
use crate::proof::Transport;
use crate::time::Timestamp;

/// How bad a finding is, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A fact.
    Info,
    /// An admin should know.
    Notice,
    /// A problem in some circumstances.
    Warning,
    /// Function very likely affected.
    Error,
    /// The zone can hardly be said to exist.
    Critical,
}

impl Severity {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// Who must act on a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// Whoever runs PDM, PowerDNS and the nameservers.
    Operator,
    /// Whoever holds the domain.
    Customer,
    /// Where the domain was bought.
    Registrar,
    /// Whoever runs the zone above.
    Parent,
}

impl Party {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Customer => "customer",
            Self::Registrar => "registrar",
            Self::Parent => "parent",
        }
    }
}

/// One answer that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Nameserver names and address.
    pub server: String,
    /// How it was asked.
    pub transport: Transport,
    /// What was asked, as `name/TYPE`.
    pub question: String,
    /// What was answered.
    pub answer: String,
    /// When the question was sent.
    pub at: Timestamp,
    /// A command that asks the same.
    pub reproduce: String,
}

/// What mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// In words.
    pub what: String,
    /// The change, one line each: `- ` goes, `+ ` comes. Empty when PDM cannot write it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub difference: Vec<String>,
    /// The command by which PDM carries it out; none when somebody else must.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// Somebody knows of it and does not want to hear of it until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acknowledged {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Timestamp,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The check's id.
    pub code: String,
    /// What of, when a check can find several: a nameserver, a record. Together with the code it is the same finding in
    /// every audit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// How bad.
    pub severity: Severity,
    /// One sentence.
    pub title: String,
    /// What exactly.
    pub detail: String,
    /// Who must act.
    pub who: Party,
    /// First seen, over all audits without a gap.
    pub since: Timestamp,
    /// What shows it.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// What mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// The check whose finding explains this one; its severity is lowered then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because_of: Option<String>,
    /// Somebody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledged>,
}

impl Finding {
    /// What makes it the same finding in another audit.
    #[must_use]
    pub fn key(&self) -> String {
        if self.subject.is_empty() { self.code.clone() } else { format!("{} {}", self.code, self.subject) }
    }

    /// True when somebody should act: warning or worse, and not acknowledged.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.severity >= Severity::Warning && self.acknowledged.is_none()
    }
}

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing to say.
    Passed,
    /// See the findings of its code.
    Found,
    /// Whoever could tell did not answer. This is neither good nor bad.
    CouldNotAsk {
        /// Who and why.
        why: String,
    },
    /// It does not apply here.
    Skipped {
        /// Why.
        why: String,
    },
}

/// One zone of the chain from the anchor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainLink {
    /// The zone, dotted.
    pub zone: String,
    /// `secure`, `insecure`, `bogus` or `unknown`.
    pub security: String,
    /// Why, unless it is secure.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Key tags of its entry points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<u16>,
}

/// What one nameserver serves, beside what should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// `name/TYPE`.
    pub question: String,
    /// What PDM wants; none when it wants nothing in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Vec<String>>,
    /// What PowerDNS holds; none when it was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Vec<String>>,
    /// What each nameserver serves, by its place in `servers`; none where it did not answer.
    pub served: Vec<Option<Vec<String>>>,
}

/// The whole report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Its id.
    pub id: String,
    /// The name that was looked at: a Sovereign or a pool.
    pub fqdn: ZoneName,
    /// When the first question was sent.
    pub begun_at: Timestamp,
    /// Milliseconds until the last answer.
    pub millis: u32,
    /// Questions asked.
    pub queries: u32,
    /// Servers were asked at configured addresses.
    pub private_view: bool,
    /// What would be if the parent delegated now.
    pub undelegated: bool,
    /// One sentence.
    pub verdict: String,
    /// Nameservers that were asked.
    pub servers: Vec<String>,
    /// From the anchor down.
    pub chain: Vec<ChainLink>,
    /// Intent, held and served.
    pub matrix: Vec<Row>,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// Every check with its outcome.
    pub checks: BTreeMap<String, Outcome>,
}

impl Report {
    /// The worst severity of what somebody should act on.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().filter(|f| f.is_open()).map(|f| f.severity).max()
    }

    /// A secondary figure: 100 less 40, 15 and 3 for each open critical finding, error and warning; never below 0.
    #[must_use]
    pub fn score(&self) -> u32 {
        let cost = |finding: &Finding| match finding.severity {
            Severity::Critical => 40,
            Severity::Error => 15,
            Severity::Warning => 3,
            Severity::Notice | Severity::Info => 0,
        };
        100u32.saturating_sub(self.findings.iter().filter(|f| f.is_open()).map(cost).sum())
    }
}

/// How a finding changed between two audits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// Was not there before.
    New,
    /// Was less severe.
    Worse,
    /// Was more severe.
    Better,
    /// Is no longer there.
    Gone,
}

impl Turn {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Gone => "gone",
        }
    }
}

/// One difference between two audits of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// What happened.
    pub turn: Turn,
    /// The finding: as it is, or as it was when it is gone.
    pub finding: Finding,
}

/// What changed from `before` to `after`. A check that could not be asked says nothing: its findings are neither new nor
/// gone.
#[must_use]
pub fn compare(before: &Report, after: &Report) -> Vec<Transition> {
    let keyed = |report: &Report| -> BTreeMap<String, Finding> {
        report.findings.iter().map(|f| (f.key(), f.clone())).collect()
    };
    let (old, new) = (keyed(before), keyed(after));
    let silent = |report: &Report, code: &str| {
        matches!(report.checks.get(code), None | Some(Outcome::CouldNotAsk { .. } | Outcome::Skipped { .. }))
    };
    let mut all = Vec::new();
    for (key, finding) in &new {
        let turn = match old.get(key) {
            Some(was) if was.severity < finding.severity => Some(Turn::Worse),
            Some(was) if was.severity > finding.severity => Some(Turn::Better),
            Some(_) => None,
            None => Some(Turn::New),
        };
        all.extend(turn.map(|turn| Transition { turn, finding: finding.clone() }));
    }
    let gone = old.iter().filter(|(key, was)| !new.contains_key(*key) && !silent(after, &was.code));
    all.extend(gone.map(|(_, was)| Transition { turn: Turn::Gone, finding: was.clone() }));
    all
}

/// Findings keep the time at which they were first seen, also over an audit that could not ask.
pub fn carry_since(before: &Report, after: &mut Report) {
    for finding in &mut after.findings {
        let key = finding.key();
        if let Some(was) = before.findings.iter().find(|f| f.key() == key) {
            finding.since = was.since;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: &str, severity: Severity, at: i64) -> Finding {
        Finding {
            code: code.to_owned(),
            subject: String::new(),
            severity,
            title: String::new(),
            detail: String::new(),
            who: Party::Operator,
            since: Timestamp(at),
            evidence: Vec::new(),
            fix: None,
            because_of: None,
            acknowledged: None,
        }
    }

    fn report(findings: Vec<Finding>, silent: &[&str]) -> Report {
        let mut checks: BTreeMap<String, Outcome> =
            ["A", "B", "C", "D"].map(|code| (code.to_owned(), Outcome::Passed)).into();
        for code in silent {
            checks.insert((*code).to_owned(), Outcome::CouldNotAsk { why: String::new() });
        }
        Report {
            id: String::new(),
            fqdn: ZoneName::parse("a.example").unwrap(),
            begun_at: Timestamp(9),
            millis: 0,
            queries: 0,
            private_view: false,
            undelegated: false,
            verdict: String::new(),
            servers: Vec::new(),
            chain: Vec::new(),
            matrix: Vec::new(),
            findings,
            checks,
        }
    }

    #[test]
    fn only_transitions_are_told() {
        let (w, e) = (Severity::Warning, Severity::Error);
        let before = report(vec![finding("A", w, 1), finding("B", e, 1), finding("C", w, 1)], &[]);
        let after = report(vec![finding("A", e, 9), finding("B", e, 9), finding("D", w, 9)], &[]);
        let turns: Vec<_> =
            compare(&before, &after).iter().map(|t| (t.turn, t.finding.code.clone())).collect();
        let told = |turn, code: &str| (turn, code.to_owned());
        assert_eq!(turns, [told(Turn::Worse, "A"), told(Turn::New, "D"), told(Turn::Gone, "C")]);
        assert!(compare(&after, &after).is_empty());
    }

    #[test]
    fn silence_is_neither_better_nor_worse() {
        let before = report(vec![finding("A", Severity::Error, 1)], &[]);
        assert!(compare(&before, &report(Vec::new(), &["A"])).is_empty());
        assert_eq!(compare(&before, &report(Vec::new(), &[])).len(), 1);
    }

    #[test]
    fn since_is_carried_and_the_score_counts_what_is_open() {
        let mut after = report(vec![finding("A", Severity::Error, 9)], &[]);
        carry_since(&report(vec![finding("A", Severity::Warning, 1)], &[]), &mut after);
        assert_eq!((after.findings[0].since, after.score()), (Timestamp(1), 85));
        let known = Acknowledged { by: "me".to_owned(), reason: String::new(), until: Timestamp(99) };
        after.findings[0].acknowledged = Some(known);
        assert_eq!((after.worst(), after.score()), (None, 100));
    }
}
