//! What a check is, and how it says what it found.

use pdm_model::audit::{Evidence, Finding, Fix, Party, Severity};
use pdm_model::{DsRecord, Transport};
use pdm_ports::audit::Editor;
use pdm_ports::walk::ParentAnswer;

use super::facts::{Child, Facts, Reply};
use super::probe::Probe;
use crate::judge::rcode;
use crate::present::presented;
use crate::types::TypeName;

/// Records shown of an answer.
const SHOWN: usize = 6;
/// Characters of an answer.
const SHOWN_CHARACTERS: usize = 400;

/// What a check looks at, which decides who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// The nameservers.
    Servers,
    /// What is in the zone.
    Zone,
    /// The delegation in the parent.
    Delegation,
    /// The parent's own servers and signatures.
    Above,
    /// The registration of the domain.
    Registration,
}

/// What a check cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Answers of the parent.
    Parent,
    /// A server that answers for the zone.
    Servers,
    /// A zone with keys.
    Signed,
    /// A DS in the parent and a server that answers.
    Ds,
    /// A Sovereign of PDM's that should be active.
    Intent,
    /// A pool.
    Pool,
}

/// One check.
#[derive(Clone, Copy)]
pub struct Check {
    /// Its id, which never changes its meaning.
    pub id: &'static str,
    /// What zonemaster calls it; empty for PDM's own.
    pub alias: &'static str,
    /// What is wrong when it finds something.
    pub title: &'static str,
    /// Which severity when.
    pub severity: &'static str,
    /// Why it matters.
    pub explanation: &'static str,
    /// What mends it.
    pub fix: &'static str,
    /// PDM can write the repair itself.
    pub repair: bool,
    /// Whose it is.
    pub duty: Duty,
    /// What it cannot do without.
    pub needs: Needs,
    /// Checks whose findings explain those of this one.
    pub because: &'static [&'static str],
    /// The check.
    pub(crate) run: fn(&Facts, &mut Found<'_>),
}

impl Check {
    /// The page about it, in Markdown.
    #[must_use]
    pub fn page(&self) -> String {
        let who = match self.duty {
            Duty::Servers => "operator (nameservers)",
            Duty::Zone => "operator (zone)",
            Duty::Delegation => "operator, or customer at a registrar (delegation)",
            Duty::Above => "parent",
            Duty::Registration => "customer; operator for a pool",
        };
        let needs = match self.needs {
            Needs::Nothing => "nothing in particular",
            Needs::Parent => "answers of the parent",
            Needs::Servers => "a nameserver that answers for the zone",
            Needs::Signed => "a signed zone",
            Needs::Ds => "a DS in the parent",
            Needs::Intent => "an active name of PDM's",
            Needs::Pool => "a pool",
        };
        let Self { id, alias, title, severity, explanation, fix, .. } = self;
        let alias = if alias.is_empty() { String::new() } else { format!(" (zonemaster {alias})") };
        let repair = if self.repair { format!("; `pdm audit NAME --fix {id}`") } else { String::new() };
        let because = match self.because {
            [] => String::new(),
            codes => format!("* Explained by: {}\n", codes.join(", ")),
        };
        format!(
            "# {id}{alias}\n\n**{title}.** {explanation}\n\n* Severity: {severity}\n* Who must act: {who}\n\
             * Needs: {needs}\n* Fix: {fix}{repair}\n{because}"
        )
    }
}

/// Where a check puts what it found.
pub(crate) struct Found<'a> {
    check: &'static Check,
    facts: &'a Facts,
    pub(crate) findings: Vec<Finding>,
    pub(crate) silence: Option<String>,
    pub(crate) skipped: Option<String>,
}

impl<'a> Found<'a> {
    pub(crate) fn new(check: &'static Check, facts: &'a Facts) -> Self {
        Self { check, facts, findings: Vec::new(), silence: None, skipped: None }
    }

    /// Whoever could tell did not answer.
    pub(crate) fn could_not_ask(&mut self, why: impl Into<String>) {
        self.silence.get_or_insert_with(|| why.into());
    }

    /// It does not apply.
    pub(crate) fn skip(&mut self, why: impl Into<String>) {
        self.skipped.get_or_insert_with(|| why.into());
    }

    /// A finding; what is chained behind it completes it.
    pub(crate) fn add(&mut self, severity: Severity, detail: impl Into<String>) -> Draft<'_> {
        let (check, facts) = (self.check, self.facts);
        let repairs = check.repair && facts.intent().is_some() && !facts.request.undelegated;
        let command = repairs.then(|| format!("pdm audit {} --fix {}", facts.request.fqdn, check.id));
        let finding = Finding {
            code: check.id.to_owned(),
            subject: String::new(),
            severity,
            title: check.title.to_owned(),
            detail: detail.into(),
            who: party(check.duty, facts),
            since: facts.begun,
            evidence: Vec::new(),
            fix: Some(Fix { what: check.fix.to_owned(), difference: Vec::new(), command }),
            because_of: None,
            acknowledged: None,
        };
        let at = self.findings.len();
        self.findings.push(finding);
        Draft { finding: &mut self.findings[at], facts }
    }
}

/// Who must act.
fn party(duty: Duty, facts: &Facts) -> Party {
    let editor = facts.intent().map(|intent| intent.editor);
    match (duty, editor) {
        (Duty::Above, _) => Party::Parent,
        (Duty::Servers | Duty::Zone | Duty::Delegation, None) if facts.request.pool.is_some() => {
            Party::Operator
        }
        (Duty::Registration, Some(Editor::Pool)) => Party::Operator,
        (Duty::Registration, _) if facts.request.pool.is_some() => Party::Operator,
        (Duty::Registration, _) | (_, None) => Party::Customer,
        (Duty::Delegation, Some(Editor::ByoManual)) => Party::Customer,
        (Duty::Servers | Duty::Zone | Duty::Delegation, Some(_)) => Party::Operator,
    }
}

/// A finding that is being completed.
pub(crate) struct Draft<'a> {
    finding: &'a mut Finding,
    facts: &'a Facts,
}

impl Draft<'_> {
    /// What it is about, when the check can find several.
    pub(crate) fn about(self, subject: impl Into<String>) -> Self {
        self.finding.subject = subject.into();
        self
    }

    /// One server is what it is about, and what it said shows it.
    pub(crate) fn at(self, child: &Child, probe: &Probe) -> Self {
        self.about(child.subject()).shown_by(child, probe)
    }

    /// What a server said.
    pub(crate) fn shown_by(self, child: &Child, probe: &Probe) -> Self {
        if let Some(reply) = child.reply(probe) {
            self.finding.evidence.push(evidence(&child.called(), child.server.address, reply, probe.dig()));
        }
        self
    }

    /// What a server of the parent said.
    pub(crate) fn shown_above(self, answer: &ParentAnswer, kind: &str) -> Self {
        let names = |set: &Option<(std::collections::BTreeSet<pdm_model::ZoneName>, pdm_model::Ttl)>| {
            set.as_ref().map(|(names, _)| names.iter().map(|n| n.dotted()).collect::<Vec<_>>().join(", "))
        };
        let ds = |set: &Option<(std::collections::BTreeSet<DsRecord>, pdm_model::Ttl)>| {
            set.as_ref().map(|(ds, _)| ds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        };
        let said = if kind == "DS" { ds(&answer.ds) } else { names(&answer.ns) };
        let said = said.map(|text| if text.is_empty() { format!("no {kind}") } else { text });
        let (fqdn, address) = (&self.facts.request.fqdn, answer.server.address);
        self.finding.evidence.push(Evidence {
            server: crate::walk::descend::called(&answer.server),
            transport: Transport::Udp,
            question: format!("{fqdn}/{kind}"),
            answer: said.or_else(|| answer.error.clone()).unwrap_or_else(|| "no answer".to_owned()),
            at: self.facts.begun,
            reproduce: format!(
                "dig @{} -p {} {fqdn} {kind} +dnssec +norecurse",
                address.ip(),
                address.port()
            ),
        });
        self
    }

    /// What would change: `- ` goes, `+ ` comes.
    pub(crate) fn change(self, difference: Vec<String>) -> Self {
        if let Some(fix) = &mut self.finding.fix {
            fix.difference = difference;
        }
        self
    }

    /// Other words for what mends it, and nothing that PDM could write.
    pub(crate) fn advice(self, what: impl Into<String>) -> Self {
        self.finding.fix = Some(Fix { what: what.into(), difference: Vec::new(), command: None });
        self
    }
}

fn evidence(server: &str, address: std::net::SocketAddr, reply: &Reply, dig: &str) -> Evidence {
    let (name, kind) = (&reply.question.name, TypeName(reply.question.rtype));
    Evidence {
        server: server.to_owned(),
        transport: reply.transport,
        question: reply.question.to_string(),
        answer: said(reply),
        at: reply.at,
        reproduce: format!("dig @{} -p {} {name} {kind}{dig}", address.ip(), address.port()),
    }
}

/// An answer in one line.
pub(crate) fn said(reply: &Reply) -> String {
    let answer = match &reply.answer {
        Ok(answer) => answer,
        Err(why) => return why.clone(),
    };
    let sections = if answer.answers.is_empty() { &answer.authorities } else { &answer.answers };
    let records = sections.iter().flat_map(|set| {
        let line = move |rdata: &Vec<u8>| {
            format!("{} {} {} {}", set.owner, set.ttl, TypeName(set.rtype), presented(set.rtype, rdata))
        };
        set.records.iter().map(line)
    });
    let records: Vec<String> = records.take(SHOWN).collect();
    let code = match answer.rcode {
        0 => "NOERROR".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        other => rcode(other),
    };
    let authority = if answer.authoritative { " aa" } else { "" };
    let text = if records.is_empty() { "nothing".to_owned() } else { records.join("; ") };
    format!("{code}{authority}: {text}").chars().take(SHOWN_CHARACTERS).collect()
}
