//! The audit ports without a network: one report, always the same.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use pdm_model::audit::{Acknowledged, Evidence, Finding, Fix, Outcome, Party, Report, Severity, Transition};
use pdm_model::incident::Measurement;
use pdm_model::proof::Transport;
use pdm_model::{AuditEntry, Timestamp, ZoneName};
use pdm_ports::Fault;
use pdm_ports::audit::{AuditRequest, Audited, Auditor, Glance, GlanceRequest};
use pdm_ports::audit_store::{AuditStore, ChainState, Checkpoint, Link, ReportLine};

use super::store::{MemoryStore, NOW};

pub struct OneFinding;

/// A report with one finding that PDM can mend and one that it cannot.
pub fn report(id: &str, fqdn: &ZoneName) -> Report {
    let finding = |code: &str, command: Option<String>| Finding {
        code: code.to_owned(),
        subject: String::new(),
        severity: Severity::Error,
        title: "somebody changed what PDM wrote".to_owned(),
        detail: "api A is not as written".to_owned(),
        who: Party::Operator,
        since: NOW,
        evidence: vec![Evidence {
            server: "ns1 (192.0.2.1:53)".to_owned(),
            transport: Transport::Udp,
            question: "api/A".to_owned(),
            answer: "NOERROR aa: nothing".to_owned(),
            at: NOW,
            reproduce: "dig @192.0.2.1 api A".to_owned(),
        }],
        fix: Some(Fix {
            what: "write it again".to_owned(),
            difference: vec!["+ api A 192.0.2.9".to_owned()],
            command,
        }),
        because_of: None,
        acknowledged: None,
    };
    Report {
        id: id.to_owned(),
        fqdn: fqdn.clone(),
        begun_at: NOW,
        millis: 3,
        queries: 9,
        private_view: true,
        undelegated: false,
        verdict: format!("{fqdn} is likely broken for some."),
        servers: vec!["ns1 (192.0.2.1:53)".to_owned()],
        chain: Vec::new(),
        matrix: Vec::new(),
        findings: vec![
            finding("SOV06", Some(format!("pdm audit {fqdn} --fix SOV06"))),
            finding("ZONE02", None),
        ],
        checks: BTreeMap::from([
            ("SOV06".to_owned(), Outcome::Found),
            ("BASIC01".to_owned(), Outcome::Passed),
        ]),
        public: None,
    }
}

#[async_trait]
impl Auditor for OneFinding {
    async fn audit(&self, request: AuditRequest) -> Result<Audited, Fault> {
        Ok(Audited { report: report(&request.id, &request.fqdn), recording: b"{}".to_vec() })
    }
    fn replay(&self, _: &[u8]) -> Result<Report, Fault> {
        Err(Fault::transient("down", "nothing was recorded"))
    }
    async fn glance(&self, request: &GlanceRequest) -> Glance {
        Glance { fqdn: request.fqdn.clone(), wrong: None, unasked: true, millis: 0 }
    }
}

#[async_trait]
impl AuditStore for MemoryStore {
    async fn keep_report(&self, report: &Report, _: Option<String>, _: &[Transition]) -> Result<(), Fault> {
        self.kept_reports()?.push(report.clone());
        Ok(())
    }
    async fn report(&self, id: &str) -> Result<Option<Report>, Fault> {
        Ok(self.kept_reports()?.iter().find(|r| r.id == id).cloned())
    }
    async fn recording(&self, _: &str) -> Result<Option<String>, Fault> {
        Ok(None)
    }
    async fn last_report(&self, fqdn: &ZoneName) -> Result<Option<Report>, Fault> {
        Ok(self.kept_reports()?.iter().rev().find(|r| r.fqdn == *fqdn).cloned())
    }
    async fn reports(
        &self,
        fqdn: Option<&ZoneName>,
        _: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ReportLine>, Fault> {
        let reports = self.kept_reports()?;
        let fits = reports.iter().rev().filter(|r| fqdn.is_none_or(|name| r.fqdn == *name));
        let line = |r: &Report| ReportLine {
            seq: 1,
            id: r.id.clone(),
            fqdn: r.fqdn.clone(),
            at: r.begun_at,
            worst: r.worst(),
            verdict: r.verdict.clone(),
        };
        Ok(fits.take(limit as usize).map(line).collect())
    }
    async fn least_recently_audited(&self, _: u32) -> Result<Vec<(ZoneName, i64)>, Fault> {
        Ok(Vec::new())
    }
    async fn prune_reports(&self, _: Duration) -> Result<u64, Fault> {
        Ok(0)
    }
    async fn acknowledge(&self, _: &ZoneName, _: &str, _: Option<&Acknowledged>) -> Result<(), Fault> {
        Ok(())
    }
    async fn acknowledged(&self, _: &ZoneName) -> Result<BTreeMap<String, Acknowledged>, Fault> {
        Ok(BTreeMap::new())
    }
    async fn wrong_names(&self) -> Result<BTreeMap<ZoneName, String>, Fault> {
        Ok(BTreeMap::new())
    }
    async fn note_wrong(
        &self,
        _: &ZoneName,
        _: Option<&str>,
        _: AuditEntry,
        _: &Transition,
    ) -> Result<bool, Fault> {
        Ok(true)
    }
    async fn add_measurement(&self, _: Measurement) -> Result<(), Fault> {
        Ok(())
    }
    async fn measurements(&self, _: Timestamp) -> Result<Vec<Measurement>, Fault> {
        Ok(Vec::new())
    }
    async fn seal(&self, _: u32) -> Result<u64, Fault> {
        Ok(0)
    }
    async fn chain(&self) -> Result<ChainState, Fault> {
        Ok(ChainState::default())
    }
    async fn links(&self, _: i64, _: u32) -> Result<Vec<Link>, Fault> {
        Ok(Vec::new())
    }
    async fn add_checkpoint(&self, _: &Checkpoint) -> Result<(), Fault> {
        Ok(())
    }
    async fn checkpoints(&self, _: i64, _: u32) -> Result<Vec<Checkpoint>, Fault> {
        Ok(Vec::new())
    }
}
