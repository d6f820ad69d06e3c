//! What audits leave behind: reports, acknowledgements, and the audit log as a chain.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use pdm_model::audit::{Acknowledged, Report, Severity, Transition};
use pdm_model::incident::Measurement;
use pdm_model::{AuditEntry, Timestamp, ZoneName};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// A report in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLine {
    /// Place in the list.
    pub seq: i64,
    /// The report's id.
    pub id: String,
    /// About which name.
    pub fqdn: ZoneName,
    /// When it was begun.
    pub at: Timestamp,
    /// The worst severity that was open then; none when nothing was.
    pub worst: Option<Severity>,
    /// Its sentence.
    pub verdict: String,
}

/// One entry of the audit log in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// 1, 2, 3 and so on, without a gap.
    pub place: i64,
    /// The entry.
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// SHA-256 over the entry, hexadecimal.
    pub digest: String,
    /// SHA-256 over the hash of the place before and the digest.
    pub hash: String,
}

/// A signature over everything up to a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// The last place that is signed.
    pub place: i64,
    /// When.
    pub at: Timestamp,
    /// The hash at that place.
    pub hash: String,
    /// The Ed25519 public key, hexadecimal.
    pub key: String,
    /// The signature over [`Checkpoint::signed`], hexadecimal.
    pub signature: String,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn signed(place: i64, at: Timestamp, hash: &str) -> String {
        format!("pdm audit log checkpoint\n{place}\n{}\n{hash}\n", at.0)
    }
}

/// The chain's end, and what does not hang on it yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainState {
    /// The last place; 0 when there is none.
    pub place: i64,
    /// Its hash; empty when there is none.
    pub hash: String,
    /// Entries of the log that are not in the chain yet.
    pub unsealed: u64,
}

/// Keeps reports and the chain.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Keep a report, with its recording if it may be wanted again; in the same transaction `news` is put down for whoever
    /// is told what happens.
    async fn keep_report(
        &self,
        report: &Report,
        recording: Option<String>,
        news: &[Transition],
    ) -> Result<(), Fault>;
    /// One report.
    async fn report(&self, id: &str) -> Result<Option<Report>, Fault>;
    /// The recording of a report, if it was kept.
    async fn recording(&self, id: &str) -> Result<Option<String>, Fault>;
    /// The newest report about a name as it is; what would be does not count.
    async fn last_report(&self, fqdn: &ZoneName) -> Result<Option<Report>, Fault>;
    /// Reports before `before`, newest first.
    async fn reports(
        &self,
        fqdn: Option<&ZoneName>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ReportLine>, Fault>;
    /// The active names whose last reports are the oldest, oldest first, with the place of that report; 0 when there is none.
    async fn least_recently_audited(&self, limit: u32) -> Result<Vec<(ZoneName, i64)>, Fault>;
    /// Drop reports older than `keep`, except the newest of each name, and measurements older than two years; answers
    /// how many reports.
    async fn prune_reports(&self, keep: Duration) -> Result<u64, Fault>;
    /// Somebody knows of a finding (its key); none to take that back.
    async fn acknowledge(
        &self,
        fqdn: &ZoneName,
        finding: &str,
        known: Option<&Acknowledged>,
    ) -> Result<(), Fault>;
    /// What is acknowledged about a name now, by the finding's key.
    async fn acknowledged(&self, fqdn: &ZoneName) -> Result<BTreeMap<String, Acknowledged>, Fault>;

    /// Names at which the last quick look saw something wrong, with what.
    async fn wrong_names(&self) -> Result<BTreeMap<ZoneName, String>, Fault>;
    /// A quick look saw something wrong at a name, or that all is well again. When that changes anything, `entry` goes into
    /// the log and `news` is put down for whoever is told, in one transaction; answers whether it did.
    async fn note_wrong(
        &self,
        fqdn: &ZoneName,
        wrong: Option<&str>,
        entry: AuditEntry,
        news: &Transition,
    ) -> Result<bool, Fault>;

    /// Keep what a round of quick looks saw.
    async fn add_measurement(&self, measurement: Measurement) -> Result<(), Fault>;
    /// Measurements since a time, in order.
    async fn measurements(&self, since: Timestamp) -> Result<Vec<Measurement>, Fault>;

    /// Hang up to `limit` entries of the log on the chain; answers how many. Any replica may do it at any time.
    async fn seal(&self, limit: u32) -> Result<u64, Fault>;
    /// The end of the chain.
    async fn chain(&self) -> Result<ChainState, Fault>;
    /// Links after a place, in order.
    async fn links(&self, after: i64, limit: u32) -> Result<Vec<Link>, Fault>;
    /// Keep a checkpoint; a second one at the same place changes nothing.
    async fn add_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), Fault>;
    /// Checkpoints after a place, in order.
    async fn checkpoints(&self, after: i64, limit: u32) -> Result<Vec<Checkpoint>, Fault>;
}
