//! Audits: of one name, of a pool, and of everything in turn; what they leave behind; and the audit log as a chain.

mod chain;
mod evidence;
mod look;
mod quiet;
mod request;
mod round_lease;

pub use chain::{Signer, Verified};
pub use evidence::Evidence;

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pdm_model::audit::{Acknowledged, Report, Transition, all_new, carry_since, compare};
use pdm_model::{Allocation, AuditEntry, OperationKind, Phase, Refusal, Timestamp, ZoneName};
use pdm_ports::Fault;
use pdm_ports::audit::{AuditRequest, Audited};
use pdm_ports::audit_store::ReportLine;
use pdm_ports::store::{Facts, NewOperation, Wanted, Write};

use crate::caller::{Caller, Right};
use crate::engine::Engine;
use crate::intents::{Accepted, IntentError, not_found, parse_fqdn, same};

/// An acknowledgement lasts so long at most: what is known for ever is forgotten.
const MAX_KNOWN: Duration = Duration::from_secs(366 * 86_400);

/// How audits go on by themselves.
#[derive(Debug, Clone)]
pub struct AuditSettings {
    /// Pause between two rounds of quick looks at every Sovereign; zero for none.
    pub glance: Duration,
    /// Pause between two full audits, which take every Sovereign in turn; zero for none.
    pub full: Duration,
    /// How long reports are kept; the newest of each name stays.
    pub keep: Duration,
    /// Checks that cannot hold here, with the reason.
    pub excused: std::collections::BTreeMap<String, String>,
    /// CAs that must be able to issue, as CAA names them.
    pub ca: Vec<String>,
    /// Autonomous systems that announce networks, for nameservers' addresses; empty when that is not told.
    pub networks: std::collections::BTreeMap<IpNet, u32>,
    /// Where nameservers are asked at configured addresses: look beside it at what everybody sees.
    pub public_view: bool,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            glance: Duration::from_secs(300),
            full: Duration::from_secs(60),
            keep: Duration::from_secs(90 * 86_400),
            excused: std::collections::BTreeMap::new(),
            ca: Vec::new(),
            networks: std::collections::BTreeMap::new(),
            public_view: true,
        }
    }
}

/// What to look at.
#[derive(Debug, Clone)]
pub enum Subject {
    /// One name, as it was typed.
    Name {
        /// The name.
        fqdn: String,
        /// As it would be if the parent delegated now.
        undelegated: bool,
    },
    /// A pool, as it was typed.
    Pool(String),
}

/// Whom a name concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// A name that was lent, or a pool.
    Ours,
    /// A name that PDM does not keep.
    Nobodys,
}

impl Engine {
    /// Look at a name or a pool now.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn audit(&self, caller: &Caller, subject: Subject) -> Result<Report, IntentError> {
        let (request, whose) = match subject {
            Subject::Name { fqdn, undelegated } => {
                let (name, _) = parse_fqdn(&fqdn)?;
                match self.audited_allocation(caller, &name).await? {
                    Some(allocation) => {
                        let request = self.request_for(&allocation, undelegated).await?;
                        (request, Whose::Ours)
                    }
                    None if undelegated => return Err(not_found().into()),
                    None => (self.request_for_stranger(&name), Whose::Nobodys),
                }
            }
            Subject::Pool(typed) => {
                must_see_everything(caller)?;
                let unknown = |_| Refusal::new("unsupported-pool", "not a pool here").field("poolDomain");
                let name = ZoneName::parse(&typed).map_err(unknown)?;
                let pool = self.settings.pool(&name)?.domain.clone();
                (self.request_for_pool(&pool).await?, Whose::Ours)
            }
        };
        let _turn =
            self.audits.acquire().await.map_err(|e| Fault::transient("audits-closed", e.to_string()))?;
        let (report, transitions) = self.carry_out_audit(request, whose, true).await?;
        let name = report.fqdn.clone();
        let mut detail = format!("{}: {}", report.id, report.verdict);
        told(&transitions).iter().for_each(|line| detail.push_str(&format!("; {line}")));
        let entry = AuditEntry::new(&caller.actor, "audit", &name, detail);
        self.parts.store.audit(entry).await?;
        if whose == Whose::Ours {
            self.say(&name, &transitions);
        }
        Ok(report)
    }

    /// The allocation to audit, if there is one that the caller may see; whoever sees everything may audit any name.
    async fn audited_allocation(
        &self,
        caller: &Caller,
        name: &ZoneName,
    ) -> Result<Option<Allocation>, IntentError> {
        caller.must(Right::Read)?;
        let found = self.parts.store.allocation(name).await?.map(|(allocation, _)| allocation);
        match found.filter(|a| a.phase != Phase::Freed) {
            Some(allocation) if caller.sees(&allocation) => Ok(Some(allocation)),
            Some(_) => Err(not_found().into()),
            None => {
                must_see_everything(caller)?;
                Ok(None)
            }
        }
    }

    /// Ask, compare with the last report, and keep it.
    async fn carry_out_audit(
        &self,
        request: AuditRequest,
        whose: Whose,
        keep_recording: bool,
    ) -> Result<(Report, Vec<Transition>), Fault> {
        let store = &self.parts.audits;
        let beside = self.settings.private_view && self.settings.audit.public_view && !request.undelegated;
        let public = beside.then(|| as_everybody_sees(&request));
        let (audited, public) = tokio::join!(self.parts.auditor.audit(request), async {
            match public {
                Some(public) => Some(self.parts.auditor.audit(public).await),
                None => None,
            }
        });
        let Audited { mut report, recording } = audited?;
        match public {
            Some(Ok(public)) => report.put_beside(public.report),
            // What is not there is not compared.
            Some(Err(fault)) => {
                tracing::warn!(zone = %report.fqdn, %fault, "the public view could not be taken")
            }
            None => {}
        }
        let before = store.last_report(&report.fqdn).await?;
        let known = store.acknowledged(&report.fqdn).await?;
        for finding in report.all_findings_mut() {
            finding.acknowledged = known.get(&finding.key()).cloned();
        }
        let mut transitions = match before {
            // What would be is compared with nothing.
            _ if report.undelegated => Vec::new(),
            None => all_new(&report),
            Some(before) => {
                carry_since(&before, &mut report);
                compare(&before, &report)
            }
        };
        transitions.retain(Transition::is_news);
        let recording = keep_recording.then(|| String::from_utf8(recording).ok()).flatten();
        // Names that are neither lent nor a pool are nobody's news.
        let told: &[Transition] = if whose == Whose::Nobodys { &[] } else { &transitions };
        store.keep_report(&report, recording, told).await?;
        Ok((report, transitions))
    }

    /// Tell what changed; what stays as it is was told before.
    fn say(&self, fqdn: &ZoneName, transitions: &[Transition]) {
        for Transition { turn, finding, was: _ } in transitions {
            let (turn, code, severity) = (turn.as_str(), finding.code.as_str(), finding.severity.as_str());
            metrics::counter!("pdm_audit_transitions_total", "turn" => turn).increment(1);
            tracing::warn!(zone = %fqdn, turn, code, severity, who = finding.who.as_str(), "audit: {}", finding.title);
        }
    }

    /// One report.
    ///
    /// # Errors
    /// `not-found`, also for what the caller may not know; or a fault of the store.
    pub async fn report(&self, caller: &Caller, id: &str) -> Result<Report, IntentError> {
        caller.must(Right::Read)?;
        let report = self.parts.audits.report(id).await?.ok_or_else(not_found)?;
        self.audited_allocation(caller, &report.fqdn).await?;
        Ok(report)
    }

    /// What changed from one report to a later one about the same name.
    ///
    /// # Errors
    /// As [`Engine::report`]; `invalid-parameter` for reports about different names.
    pub async fn compare_reports(
        &self,
        caller: &Caller,
        before: &str,
        after: &Report,
    ) -> Result<Vec<Transition>, IntentError> {
        let before = self.report(caller, before).await?;
        if before.fqdn != after.fqdn {
            return Err(Refusal::new("invalid-parameter", "the reports are about different names")
                .field("compare")
                .into());
        }
        Ok(compare(&before, after))
    }

    /// Reports, newest first.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn reports(
        &self,
        caller: &Caller,
        fqdn: Option<&str>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ReportLine>, IntentError> {
        caller.must(Right::Read)?;
        let name = fqdn.map(parse_fqdn).transpose()?.map(|(name, _)| name);
        match &name {
            Some(name) => drop(self.audited_allocation(caller, name).await?),
            None => must_see_everything(caller)?,
        }
        Ok(self.parts.audits.reports(name.as_ref(), before, limit).await?)
    }

    /// Do not speak of a finding until then; a reason is kept with it.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn acknowledge(
        &self,
        caller: &Caller,
        fqdn: &str,
        finding: &str,
        known: Option<(String, Timestamp)>,
    ) -> Result<(), IntentError> {
        caller.must(Right::Commit)?;
        let (name, _) = parse_fqdn(fqdn)?;
        self.audited_allocation(caller, &name).await?;
        let last = self.parts.audits.last_report(&name).await?;
        if !last.is_some_and(|report| report.all_findings().any(|f| f.key() == finding)) {
            return Err(no_finding(finding).into());
        }
        let known = match known {
            None => None,
            Some((reason, until)) => {
                let now = self.parts.store.now().await?;
                let reason: String = reason.chars().filter(|c| !c.is_control()).take(500).collect();
                if reason.trim().is_empty() {
                    return Err(Refusal::new("invalid-parameter", "say why").field("reason").into());
                }
                if until <= now || until > now + MAX_KNOWN {
                    let detail = "a time in the future, within a year";
                    return Err(Refusal::new("invalid-parameter", detail).field("until").into());
                }
                Some(Acknowledged { by: caller.actor.clone(), reason, until })
            }
        };
        self.parts.audits.acknowledge(&name, finding, known.as_ref()).await?;
        let (verb, detail) = match &known {
            Some(known) => ("acknowledge", format!("{finding} until {}: {}", known.until, known.reason)),
            None => ("unacknowledge", finding.to_owned()),
        };
        self.parts.store.audit(AuditEntry::new(&caller.actor, verb, &name, detail)).await?;
        Ok(())
    }

    /// Carry out the fix of a finding: an ordinary repair, driven like any other operation.
    ///
    /// # Errors
    /// `no-such-finding` when the last audit did not find it or PDM cannot mend it, `not-acceptable-state` while
    /// something else is under way, or a fault of the store.
    pub async fn fix(
        self: &Arc<Self>,
        caller: &Caller,
        fqdn: &str,
        code: &str,
    ) -> Result<Accepted, IntentError> {
        caller.must(Right::Commit)?;
        self.must_trust_store()?;
        let (name, _) = parse_fqdn(fqdn)?;
        let before = self.visible(caller, &name).await?;
        let last = self.parts.audits.last_report(&name).await?.ok_or_else(|| no_finding(code))?;
        let found = last.all_findings().filter(|f| f.code == code || f.key() == code);
        let Some(finding) = found.max_by_key(|f| f.severity) else { return Err(no_finding(code).into()) };
        let Some(fix) = finding.fix.as_ref().filter(|fix| fix.command.is_some()) else {
            let who = finding.who.as_str();
            let what = finding.fix.as_ref().map(|fix| fix.what.as_str()).unwrap_or_default();
            return Err(Refusal::new(
                "no-such-finding",
                format!("PDM cannot mend {code}; the {who} must: {what}"),
            )
            .into());
        };
        let detail = format!("{} of {}: {}", finding.key(), last.id, fix.what);
        let (operation, birth) = self.birth(&before, OperationKind::Repair);
        let (actor, id) = (caller.actor.clone(), before.id.clone());
        let decision = Arc::new(move |facts: &Facts| {
            let live = same(facts, &id)?;
            if facts.open.is_some() {
                return Err(Refusal::new("not-acceptable-state", "an operation is under way already"));
            }
            if live.phase != Phase::Active {
                return Err(Refusal::new("not-acceptable-state", "only an active name is repaired"));
            }
            let audit = vec![AuditEntry::new(&actor, "repair", &live.fqdn, detail.clone())];
            let operation = NewOperation { generation: live.generation, ..operation.clone() };
            Ok(Write { operation: Some(operation), audit, ..Write::default() })
        });
        self.carry_out(&name, Wanted::default(), decision, birth).await
    }
}

/// The same look without anything that only we know: from the root, at the addresses that the DNS tells.
fn as_everybody_sees(request: &AuditRequest) -> AuditRequest {
    AuditRequest { above: None, public: true, servers: Vec::new(), pool: None, ..request.clone() }
}

fn no_finding(what: &str) -> Refusal {
    let shown: String = what.chars().take(100).collect();
    Refusal::new("no-such-finding", format!("the last audit found no {shown}; run one first"))
}

/// Audits of everything are for callers without a scope.
fn must_see_everything(caller: &Caller) -> Result<(), Refusal> {
    caller.must(Right::Audit)?;
    if caller.owner.is_some() || caller.pool.is_some() {
        return Err(not_found());
    }
    Ok(())
}

/// Transitions in words.
fn told(transitions: &[Transition]) -> Vec<String> {
    let line =
        |t: &Transition| format!("{} {} ({})", t.turn.as_str(), t.finding.key(), t.finding.severity.as_str());
    transitions.iter().map(line).collect()
}
