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
    /// The same name as everybody sees it, beside a private view: from the root, at the addresses that the DNS tells. Its
    /// findings are only those that the private view does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<Box<Report>>,
}

/// In the subject of every finding of a public view beside a private one.
const PUBLIC: &str = "public view";

impl Report {
    /// Put the public view beside this one. What both see stands in this one only.
    pub fn put_beside(&mut self, mut public: Self) {
        let seen =
            |f: &Finding| self.findings.iter().any(|own| own.key() == f.key() && own.severity >= f.severity);
        public.findings.retain(|finding| !seen(finding));
        for finding in &mut public.findings {
            let subject = std::mem::take(&mut finding.subject);
            finding.subject =
                if subject.is_empty() { PUBLIC.to_owned() } else { format!("{PUBLIC}, {subject}") };
        }
        self.public = Some(Box::new(public));
    }

    /// Findings of both views.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(self.public.iter().flat_map(|public| &public.findings))
    }

    /// The same, to be changed.
    pub fn all_findings_mut(&mut self) -> impl Iterator<Item = &mut Finding> {
        self.findings.iter_mut().chain(self.public.iter_mut().flat_map(|public| &mut public.findings))
    }

    /// Nothing can be said of whether a finding is still there: its check was not made, or its view not taken.
    fn is_silent_about(&self, finding: &Finding) -> bool {
        let report = if finding.subject.starts_with(PUBLIC) { self.public.as_deref() } else { Some(self) };
        let outcome = report.and_then(|report| report.checks.get(&finding.code));
        matches!(outcome, None | Some(Outcome::CouldNotAsk { .. } | Outcome::Skipped { .. }))
    }

    /// The worst severity of what somebody should act on.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.all_findings().filter(|f| f.is_open()).map(|f| f.severity).max()
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
        100u32.saturating_sub(self.all_findings().filter(|f| f.is_open()).map(cost).sum())
    }
}

/// How a finding changed between two audits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// Was not there before, or nobody spoke of it: its acknowledgement has ended.
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
    /// How bad it was before; none when it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<Severity>,
    /// The finding: as it is, or as it was when it is gone.
    pub finding: Finding,
}

impl Transition {
    /// Worth telling people: a warning or worse, now or before. What somebody acknowledged is told again only when it
    /// grows worse, and when the acknowledgement ends.
    #[must_use]
    pub fn is_news(&self) -> bool {
        let worst = self.was.map_or(self.finding.severity, |was| was.max(self.finding.severity));
        let unknown = self.finding.acknowledged.is_none() || self.turn == Turn::Worse;
        worst >= Severity::Warning && unknown
    }
}

/// What a first report tells: everything in it is new.
#[must_use]
pub fn all_new(report: &Report) -> Vec<Transition> {
    let new = |finding: &Finding| Transition { turn: Turn::New, was: None, finding: finding.clone() };
    report.all_findings().map(new).collect()
}

/// What changed from `before` to `after`. A check that could not be asked says nothing: its findings are neither new nor
/// gone.
#[must_use]
pub fn compare(before: &Report, after: &Report) -> Vec<Transition> {
    let keyed = |report: &Report| -> BTreeMap<String, Finding> {
        report.all_findings().map(|f| (f.key(), f.clone())).collect()
    };
    let (old, new) = (keyed(before), keyed(after));
    let mut all = Vec::new();
    for (key, finding) in &new {
        let turn = match old.get(key) {
            Some(was) if was.severity < finding.severity => Some(Turn::Worse),
            Some(was) if was.severity > finding.severity => Some(Turn::Better),
            Some(was) if was.acknowledged.is_some() && finding.acknowledged.is_none() => Some(Turn::New),
            Some(_) => None,
            None => Some(Turn::New),
        };
        let was = old.get(key).map(|was| was.severity).filter(|_| turn != Some(Turn::New));
        all.extend(turn.map(|turn| Transition { turn, was, finding: finding.clone() }));
    }
    let gone = old.iter().filter(|(key, was)| !new.contains_key(*key) && !after.is_silent_about(was));
    all.extend(gone.map(|(_, was)| Transition {
        turn: Turn::Gone,
        was: Some(was.severity),
        finding: was.clone(),
    }));
    all
}

/// Findings keep the time at which they were first seen, also over an audit that could not ask.
pub fn carry_since(before: &Report, after: &mut Report) {
    for finding in after.all_findings_mut() {
        let key = finding.key();
        if let Some(was) = before.all_findings().find(|f| f.key() == key) {
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
            public: None,
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
    fn what_is_acknowledged_is_told_again_when_it_grows_worse_and_when_that_ends() {
        let known = |severity| {
            let acknowledged =
                Acknowledged { by: "me".to_owned(), reason: String::new(), until: Timestamp(99) };
            Finding { acknowledged: Some(acknowledged), ..finding("A", severity, 1) }
        };
        let (w, e) = (Severity::Warning, Severity::Error);
        let news = |before: Finding, after: Finding| {
            let turns = compare(&report(vec![before], &[]), &report(vec![after], &[]));
            turns.iter().filter(|t| t.is_news()).map(|t| t.turn).collect::<Vec<_>>()
        };
        assert_eq!(news(known(w), known(w)), []);
        assert_eq!(news(known(w), known(e)), [Turn::Worse]);
        assert_eq!(news(known(w), finding("A", w, 1)), [Turn::New]);
        assert_eq!(
            news(finding("A", w, 1), finding("A", Severity::Notice, 1)),
            [Turn::Better],
            "below a warning now"
        );
        assert_eq!(news(finding("A", Severity::Info, 1), finding("A", Severity::Notice, 1)), []);
        let first = all_new(&report(vec![finding("A", w, 1), finding("B", Severity::Info, 1)], &[]));
        assert_eq!(first.iter().filter(|t| t.is_news()).count(), 1);
    }

    #[test]
    fn silence_is_neither_better_nor_worse() {
        let before = report(vec![finding("A", Severity::Error, 1)], &[]);
        assert!(compare(&before, &report(Vec::new(), &["A"])).is_empty());
        assert_eq!(compare(&before, &report(Vec::new(), &[])).len(), 1);
    }

    #[test]
    fn a_public_view_adds_what_only_everybody_else_sees() {
        let (w, e) = (Severity::Warning, Severity::Error);
        let both = |public: Vec<Finding>, silent: &[&str]| {
            let mut one = report(vec![finding("A", w, 1)], &[]);
            one.put_beside(report(public, silent));
            one
        };
        let one = both(vec![finding("A", w, 1), finding("B", e, 1)], &[]);
        let keys: Vec<_> = one.all_findings().map(Finding::key).collect();
        assert_eq!((keys, one.worst()), (vec!["A".to_owned(), "B public view".to_owned()], Some(e)));
        let turns = |after: &Report| {
            compare(&one, after).iter().map(|t| (t.turn, t.finding.key())).collect::<Vec<_>>()
        };
        assert_eq!(turns(&both(Vec::new(), &[])), [(Turn::Gone, "B public view".to_owned())]);
        // Not asked, or not looked at: nothing is known.
        assert_eq!(turns(&both(Vec::new(), &["B"])), []);
        assert_eq!(turns(&report(vec![finding("A", w, 1)], &[])), []);
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
