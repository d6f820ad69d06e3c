//! Looking at every Sovereign over and over: quickly at one nameserver each, another one every round; and in full, one
//! after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use pdm_model::incident::Measurement;
use pdm_model::{Allocation, AuditEntry, Mode, Phase, RecordType, Timestamp, ZoneName};
use pdm_ports::Fault;
use pdm_ports::audit::{Glance, GlanceRequest};
use pdm_ports::store::Filter;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::told;
use crate::engine::Engine;

/// Rows read at once.
const PAGE: u32 = 500;
/// Quick looks in flight.
const LOOKS: usize = 64;

impl Engine {
    /// Quick looks in rounds.
    pub(crate) async fn glance_for_ever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let pause = self.settings.audit.glance;
        if pause.is_zero() || self.settings.servers.is_empty() {
            return;
        }
        let (mut round, mut wrong) = (0usize, BTreeMap::new());
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => return,
            }
            if let Err(fault) = self.glance_round(round, &mut wrong).await {
                debug!(%fault, "a round of quick looks was cut short");
            }
            round = round.wrapping_add(1);
        }
    }

    /// One round. `wrong` is what was wrong in the round before, so that only what changes is told.
    async fn glance_round(&self, round: usize, wrong: &mut BTreeMap<ZoneName, String>) -> Result<(), Fault> {
        let mut seen = Measurement { at: Timestamp::default(), looks: 0, silent: 0, wrong: 0, millis: 0 };
        let mut after = None;
        loop {
            let filter = Filter { phase: Some(Phase::Active), after, limit: PAGE, ..Filter::default() };
            let page = self.parts.store.allocations(&filter).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.fqdn.as_str().to_owned());
            let requests = page.iter().enumerate().map(|(n, a)| self.glance_request(a, n + round));
            let glances: Vec<Glance> = stream::iter(requests.collect::<Vec<_>>())
                .map(|request| async move { self.parts.auditor.glance(&request).await })
                .buffer_unordered(LOOKS)
                .collect()
                .await;
            for glance in glances {
                seen.looks += 1;
                seen.silent += u32::from(glance.unasked);
                seen.wrong += u32::from(glance.wrong.is_some() && !glance.unasked);
                seen.millis += u64::from(glance.millis);
                self.note_glance(glance, wrong).await?;
            }
        }
        if seen.looks > 0 {
            seen.at = self.parts.store.now().await?;
            self.parts.audits.add_measurement(seen).await?;
        }
        Ok(())
    }

    /// DS, six names and NS, at one nameserver.
    fn glance_request(&self, a: &Allocation, turn: usize) -> GlanceRequest {
        let servers = &self.settings.servers;
        // Before PowerDNS has said what it can compute, a policy's records are not known; the next turn looks at them.
        let desired = self.own_rrsets(a).unwrap_or_default();
        GlanceRequest {
            fqdn: a.fqdn.clone(),
            ds: a.observed.ds.iter().cloned().collect(),
            rrsets: desired.into_iter().filter(|rrset| rrset.rtype != RecordType::Soa).collect(),
            server: servers[turn % servers.len()].clone(),
            carries_parent: a.mode == Mode::Pool,
        }
    }

    async fn note_glance(&self, glance: Glance, wrong: &mut BTreeMap<ZoneName, String>) -> Result<(), Fault> {
        let name = glance.fqdn;
        let outcome = match (&glance.wrong, glance.unasked) {
            (None, _) => "good",
            (Some(_), false) => "wrong",
            (Some(_), true) => "unasked",
        };
        metrics::counter!("pdm_glances_total", "outcome" => outcome).increment(1);
        match (glance.wrong, wrong.contains_key(&name)) {
            (Some(why), _) if glance.unasked => debug!(zone = %name, why, "a quick look got no answer"),
            (Some(why), false) => {
                warn!(zone = %name, why, "a quick look saw something wrong");
                self.parts
                    .store
                    .audit(AuditEntry::new("pdm", "glance", &name, format!("wrong: {why}")))
                    .await?;
                wrong.insert(name, why);
            }
            (None, true) => {
                info!(zone = %name, "a quick look saw that all is well again");
                let was = wrong.remove(&name).unwrap_or_default();
                self.parts
                    .store
                    .audit(AuditEntry::new("pdm", "glance", &name, format!("well again: {was}")))
                    .await?;
            }
            (Some(_), true) | (None, false) => {}
        }
        Ok(())
    }

    /// Full audits, one name after the other.
    pub(crate) async fn audit_for_ever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let pause = self.settings.audit.full;
        if pause.is_zero() {
            return;
        }
        let mut after = None;
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => return,
            }
            match self.audit_next(after.take()).await {
                Ok(next) => after = next,
                Err(fault) => debug!(%fault, "a full audit was not made"),
            }
        }
    }

    /// The name after `after` in the order of names; from the first again after the last.
    async fn audit_next(&self, after: Option<String>) -> Result<Option<String>, Fault> {
        let filter = Filter { phase: Some(Phase::Active), after, limit: 1, ..Filter::default() };
        let Some(allocation) = self.parts.store.allocations(&filter).await?.pop() else {
            self.parts.audits.prune_reports(self.settings.audit.keep).await?;
            return Ok(None);
        };
        let name = allocation.fqdn.as_str().to_owned();
        let request = self.request_for(&allocation, false).await?;
        let (report, transitions) = self.carry_out_audit(request, false).await?;
        self.say(&allocation.fqdn, &transitions);
        let lines = told(&transitions);
        if !lines.is_empty() {
            let detail = format!("{}: {}", report.id, lines.join("; "));
            self.parts.store.audit(AuditEntry::new("pdm", "audit", &allocation.fqdn, detail)).await?;
        }
        Ok(Some(name))
    }
}
