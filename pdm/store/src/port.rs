//! The ports, method by method: each is one job.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use pdm_carry_over::CarriedZone;
use pdm_model::audit::{Acknowledged, Report, Transition};
use pdm_model::incident::Measurement;
use pdm_model::pool_keys::PoolKeys;
use pdm_model::{Allocation, AuditEntry, Claim, Operation, Proof, Refusal, Timestamp, ZoneName};
use pdm_ports::audit_store::{AuditStore, ChainState, Link, ReportLine};
use pdm_ports::parent::{LeaseAnswer, ZoneLease};
use pdm_ports::store::{
    Checkpoint, Count, Decided, Decision, Filter, Freeze, Held, Lease, Queue, Remembered, SealedCredential,
    StoredEvent, Wanted,
};
use pdm_ports::{Fault, Store};
use serde_json::Value;

use crate::decide::Decide;
use crate::{
    SqlStore, chain, claims, credentials, documents, freeze, log, read, reports, requests, sweep, work,
    zone_lease,
};

#[async_trait]
impl Store for SqlStore {
    async fn now(&self) -> Result<Timestamp, Fault> {
        self.read(read::Now).await
    }

    async fn decide(
        &self,
        name: &ZoneName,
        wanted: Wanted,
        decision: Decision,
    ) -> Result<Result<Decided, Refusal>, Fault> {
        self.write(Decide { name: name.clone(), wanted, decision }).await
    }

    async fn holder(&self, name: &ZoneName, pool: &ZoneName, look: &str) -> Result<Option<Held>, Fault> {
        self.holders.holder(name, pool, look).await
    }

    async fn lease(&self, token: &str, ttl: Duration, limit: u32) -> Result<Vec<Lease>, Fault> {
        self.write(work::LeaseDue { token: token.to_owned(), ttl, limit }).await
    }

    async fn checkpoint(
        &self,
        operation: &str,
        token: &str,
        checkpoint: Checkpoint,
    ) -> Result<Timestamp, Fault> {
        let (operation, token) = (operation.to_owned(), token.to_owned());
        self.write(work::WriteCheckpoint { operation, token, checkpoint }).await
    }

    async fn let_go(&self, token: &str) -> Result<(), Fault> {
        self.write(work::LetGo(token.to_owned())).await
    }

    async fn hurry(&self, operation: &str) -> Result<bool, Fault> {
        self.write(work::Hurry(operation.to_owned())).await
    }

    async fn expire(&self, limit: u32) -> Result<u64, Fault> {
        self.write(sweep::Expire(limit)).await
    }

    async fn note(
        &self,
        allocation: &Allocation,
        proof: Option<Proof>,
        audit: Vec<AuditEntry>,
    ) -> Result<bool, Fault> {
        self.write(sweep::Note { allocation: allocation.clone(), proof, audit }).await
    }

    async fn allocation(&self, name: &ZoneName) -> Result<Option<(Allocation, Option<Operation>)>, Fault> {
        self.read(read::One(name.clone())).await
    }

    async fn allocations(&self, filter: &Filter) -> Result<Vec<Allocation>, Fault> {
        self.read(read::Page(filter.clone())).await
    }

    async fn open_operations(&self, limit: u32) -> Result<Vec<Operation>, Fault> {
        self.read(read::Open(limit)).await
    }

    async fn operation(&self, id: &str) -> Result<Option<Operation>, Fault> {
        self.read(read::OneOperation(id.to_owned())).await
    }

    async fn events(&self, operation: &str, after: i64) -> Result<Vec<StoredEvent>, Fault> {
        self.read(read::Events { operation: operation.to_owned(), after }).await
    }

    async fn counts(&self) -> Result<Vec<Count>, Fault> {
        self.read(read::Counts).await
    }

    async fn queue(&self) -> Result<Queue, Fault> {
        self.read(read::OpenQueue).await
    }

    async fn audit_log(
        &self,
        fqdn: Option<&ZoneName>,
        actor: Option<&str>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, Fault> {
        let (fqdn, actor) = (fqdn.cloned(), actor.map(str::to_owned));
        self.read(read::AuditPage { fqdn, actor, before, limit }).await
    }

    async fn audit(&self, entry: AuditEntry) -> Result<(), Fault> {
        self.write(log::Append(entry)).await
    }

    async fn remember(&self, key: &str, body_digest: &str) -> Result<Remembered, Fault> {
        self.write(requests::Remember { key: key.to_owned(), digest: body_digest.to_owned() }).await
    }

    async fn answer(&self, key: &str, answer: Option<(u16, Value)>) -> Result<(), Fault> {
        self.write(requests::Answer { key: key.to_owned(), answer }).await
    }

    async fn freezes(&self) -> Result<Vec<Freeze>, Fault> {
        self.read(freeze::Freezes).await
    }

    async fn set_freeze(&self, pool: Option<&ZoneName>, on: bool, actor: &str) -> Result<(), Fault> {
        self.write(freeze::SetFreeze { pool: pool.cloned(), on, actor: actor.to_owned() }).await
    }

    async fn mark(&self) -> Result<i64, Fault> {
        self.read(read::Mark).await
    }

    async fn raise_mark(&self, mark: i64) -> Result<(), Fault> {
        self.write(sweep::RaiseMark(mark)).await
    }

    async fn restore(&self, allocation: &Allocation, audit: AuditEntry) -> Result<bool, Fault> {
        self.write(sweep::Restore { allocation: allocation.clone(), audit }).await
    }

    async fn claims(&self, name: &ZoneName) -> Result<Vec<Claim>, Fault> {
        self.read(claims::Of(name.clone())).await
    }

    async fn put_credential(&self, credential: &SealedCredential) -> Result<(), Fault> {
        self.write(credentials::Put(credential.clone())).await
    }

    async fn credential(&self, allocation: &str) -> Result<Option<SealedCredential>, Fault> {
        Ok(self.read(credentials::Find(Some(allocation.to_owned()))).await?.pop())
    }

    async fn forget_credential(&self, allocation: &str) -> Result<(), Fault> {
        self.write(credentials::Forget(allocation.to_owned())).await
    }

    async fn credentials(&self) -> Result<Vec<SealedCredential>, Fault> {
        self.read(credentials::Find(None)).await
    }

    async fn carried(&self, allocation: &str) -> Result<Option<(CarriedZone, i64)>, Fault> {
        self.read(documents::Find::new(documents::CARRIED, allocation)).await
    }

    async fn put_carried(
        &self,
        allocation: &str,
        zone: &CarriedZone,
        before: Option<i64>,
        audit: Option<AuditEntry>,
    ) -> Result<bool, Fault> {
        let audit = audit.into_iter().collect();
        self.write(documents::Put::new(documents::CARRIED, allocation, zone, before, audit)?).await
    }

    async fn pool_keys(&self, pool: &ZoneName) -> Result<Option<(PoolKeys, i64)>, Fault> {
        self.read(documents::Find::new(documents::POOL_KEYS, pool.as_str())).await
    }

    async fn put_pool_keys(
        &self,
        pool: &ZoneName,
        keys: &PoolKeys,
        before: Option<i64>,
        audit: Vec<AuditEntry>,
    ) -> Result<bool, Fault> {
        self.write(documents::Put::new(documents::POOL_KEYS, pool.as_str(), keys, before, audit)?).await
    }

    async fn prune(&self) -> Result<u64, Fault> {
        self.write(sweep::Prune).await
    }
}

#[async_trait]
impl AuditStore for SqlStore {
    async fn keep_report(
        &self,
        report: &Report,
        recording: Option<String>,
        news: &[Transition],
    ) -> Result<(), Fault> {
        self.write(reports::Keep { report: report.clone(), recording, news: news.to_vec() }).await
    }

    async fn report(&self, id: &str) -> Result<Option<Report>, Fault> {
        self.read(reports::One::Id(id.to_owned())).await
    }

    async fn recording(&self, id: &str) -> Result<Option<String>, Fault> {
        self.read(reports::Recording(id.to_owned())).await
    }

    async fn last_report(&self, fqdn: &ZoneName) -> Result<Option<Report>, Fault> {
        self.read(reports::One::Last(fqdn.clone())).await
    }

    async fn reports(
        &self,
        fqdn: Option<&ZoneName>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ReportLine>, Fault> {
        self.read(reports::Page { fqdn: fqdn.cloned(), before, limit }).await
    }

    async fn least_recently_audited(&self, limit: u32) -> Result<Vec<(ZoneName, i64)>, Fault> {
        self.read(reports::LeastRecent(limit)).await
    }

    async fn prune_reports(&self, keep: Duration) -> Result<u64, Fault> {
        self.write(reports::Prune(keep)).await
    }

    async fn acknowledge(
        &self,
        fqdn: &ZoneName,
        finding: &str,
        known: Option<&Acknowledged>,
    ) -> Result<(), Fault> {
        let (fqdn, finding, known) = (fqdn.clone(), finding.to_owned(), known.cloned());
        self.write(reports::Acknowledge { fqdn, finding, known }).await
    }

    async fn acknowledged(&self, fqdn: &ZoneName) -> Result<BTreeMap<String, Acknowledged>, Fault> {
        self.read(reports::Acknowledgements(fqdn.clone())).await
    }

    async fn wrong_names(&self) -> Result<BTreeMap<ZoneName, String>, Fault> {
        self.read(reports::Wrong).await
    }

    async fn note_wrong(
        &self,
        fqdn: &ZoneName,
        wrong: Option<&str>,
        entry: AuditEntry,
        news: &Transition,
    ) -> Result<bool, Fault> {
        let (fqdn, wrong, news) = (fqdn.clone(), wrong.map(str::to_owned), news.clone());
        self.write(reports::NoteWrong { fqdn, wrong, entry, news }).await
    }

    async fn add_measurement(&self, measurement: Measurement) -> Result<(), Fault> {
        self.write(reports::Measure(measurement)).await
    }

    async fn measurements(&self, since: Timestamp) -> Result<Vec<Measurement>, Fault> {
        self.read(reports::Measured(since)).await
    }

    async fn seal(&self, limit: u32) -> Result<u64, Fault> {
        self.write(chain::Seal(limit)).await
    }

    async fn chain(&self) -> Result<ChainState, Fault> {
        self.read(chain::State).await
    }

    async fn links(&self, after: i64, limit: u32) -> Result<Vec<Link>, Fault> {
        self.read(chain::Links { after, limit }).await
    }

    async fn add_checkpoint(&self, checkpoint: &pdm_ports::audit_store::Checkpoint) -> Result<(), Fault> {
        self.write(chain::AddCheckpoint(checkpoint.clone())).await
    }

    async fn checkpoints(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<pdm_ports::audit_store::Checkpoint>, Fault> {
        self.read(chain::Checkpoints { after, limit }).await
    }
}

#[async_trait]
impl ZoneLease for SqlStore {
    async fn acquire(&self, zone: &ZoneName, holder: &str, ttl: Duration) -> Result<LeaseAnswer, Fault> {
        if self.writer.is_some() {
            // One process has the file, and in it there is one writer per zone.
            return Ok(LeaseAnswer::Granted { taken_over: false, changed_hands: false });
        }
        self.write(zone_lease::Acquire { zone: zone.clone(), holder: holder.to_owned(), ttl }).await
    }

    async fn give_back(&self, zone: &ZoneName, holder: &str) -> Result<(), Fault> {
        if self.writer.is_some() {
            return Ok(());
        }
        self.write(zone_lease::GiveBack { zone: zone.clone(), holder: holder.to_owned() }).await
    }
}
