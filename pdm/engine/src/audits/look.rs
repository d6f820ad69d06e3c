//! Looking at every Sovereign over and over: quickly at one nameserver each, another one every round; and in full, one
//! after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use pdm_model::audit::{Finding, Fix, Party, Severity, Transition, Turn};
use pdm_model::incident::Measurement;
use pdm_model::{Allocation, AuditEntry, Mode, Phase, RecordType, Timestamp, ZoneName};
use pdm_ports::audit::{Glance, GlanceRequest, Trusted};
use pdm_ports::store::Filter;
use pdm_ports::{Fault, Server};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::quiet::Quiet;
use super::round_lease::RoundLease;
use super::{Whose, told};
use crate::engine::Engine;

/// Rows read at once.
const PAGE: u32 = 200;
/// Quick looks in flight.
const LOOKS: usize = 64;
/// Names that are waited for longer when nobody answers, and how long: more than the ten seconds of mean answering time
/// that make an incident.
const SLOW_LOOKS: u32 = 4;
const SLOW: Duration = Duration::from_secs(15);
/// Names that could not be audited and are left aside for a while, at most.
const FAILED: usize = 50;

/// One round of quick looks.
struct Round<'a> {
    lease: RoundLease<'a>,
    /// The rounds before it in this process.
    number: usize,
}

/// What the looks of one round share.
struct Together {
    quiet: Quiet,
    /// Pools whose keys were read again, because a name under them looked wrong.
    doubted: Mutex<BTreeSet<ZoneName>>,
}

impl Together {
    fn new(servers: usize) -> Self {
        Self { quiet: Quiet::new(servers), doubted: Mutex::default() }
    }
}

impl Engine {
    /// Quick looks in rounds.
    pub(crate) async fn glance_for_ever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let pause = self.settings.audit.glance;
        if pause.is_zero() || self.settings.servers.is_empty() {
            return;
        }
        let mut round = Round { lease: RoundLease::new(&self, "glances", pause), number: 0 };
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => break,
            }
            if let Err(fault) = self.glance_round(&mut round).await {
                debug!(%fault, "a round of quick looks was cut short");
            }
        }
        round.lease.give_back().await;
    }

    /// One round, unless another replica makes it. Names are read and looked at as a stream: what is in memory does not
    /// grow with their number.
    async fn glance_round(&self, round: &mut Round<'_>) -> Result<(), Fault> {
        if !round.lease.take().await? {
            return Ok(());
        }
        let begun = Instant::now();
        // What was wrong before, so that only what changes is told: also by the replica that went round before this one.
        let mut known = self.parts.audits.wrong_names().await?;
        let mut seen = Measurement { at: Timestamp::default(), looks: 0, silent: 0, wrong: 0, millis: 0 };
        let (all, number) = (Together::new(self.settings.servers.len()), round.number);
        round.number = number.wrapping_add(1);
        let names = self.active_names().enumerate();
        let looks = names.map(|(n, found)| {
            let all = &all;
            async move { Ok::<_, Fault>(self.look(&found?, n + number, all).await) }
        });
        let mut looks = pin!(looks.buffer_unordered(LOOKS));
        while let Some(glance) = looks.next().await {
            let glance = glance?;
            seen.looks += 1;
            seen.silent += u32::from(glance.unasked);
            seen.wrong += u32::from(glance.wrong.is_some() && !glance.unasked);
            seen.millis += u64::from(glance.millis);
            let name = glance.fqdn.clone();
            self.note_glance(glance, &known).await?;
            known.remove(&name);
            if !round.lease.keep().await? {
                debug!("another replica goes round now");
                return Ok(());
            }
            if all.quiet.all() {
                warn!(looks = seen.looks, "no nameserver answers: the round of quick looks ends");
                known.clear();
                break;
            }
        }
        // Names that are no longer active.
        for name in known.keys() {
            self.note_wrong(name, None, "no longer active").await?;
        }
        if seen.looks > 0 && seen.silent == seen.looks {
            self.wait_longer(&mut seen).await?;
        }
        metrics::gauge!("pdm_glance_servers_silent").set(f64::from(all.quiet.count()));
        if seen.looks > 0 {
            seen.at = self.parts.store.now().await?;
            self.parts.audits.add_measurement(seen).await?;
            metrics::gauge!("pdm_glance_round_names").set(f64::from(seen.looks));
            metrics::gauge!("pdm_glance_round_seconds").set(begun.elapsed().as_secs_f64());
            metrics::counter!("pdm_glance_rounds_total").increment(1);
        }
        Ok(())
    }

    /// Nobody answered in the usual time. Whether that is an outage or only slow is told by a few names at every server,
    /// with the patience that the rules for incidents call for.
    async fn wait_longer(&self, seen: &mut Measurement) -> Result<(), Fault> {
        let filter = Filter { phase: Some(Phase::Active), limit: SLOW_LOOKS, ..Filter::default() };
        let page = self.parts.store.allocations(&filter).await?;
        let mut requests = Vec::new();
        for a in &page {
            let request = GlanceRequest { patience: Some(SLOW), ..self.glance_request(a).await };
            let at = |server: &Server| GlanceRequest { server: server.clone(), ..request.clone() };
            requests.extend(self.settings.servers.iter().map(at));
        }
        let glances = join_all(requests.iter().map(|request| self.parts.auditor.glance(request))).await;
        let mut heard: Vec<&Glance> = glances.iter().filter(|glance| !glance.unasked).collect();
        // One look a name, the quickest: a client, too, takes the first answer.
        heard.sort_by(|a, b| a.fqdn.cmp(&b.fqdn).then(a.millis.cmp(&b.millis)));
        heard.dedup_by(|a, b| a.fqdn == b.fqdn);
        for glance in heard {
            seen.silent = seen.silent.saturating_sub(1);
            seen.millis += u64::from(glance.millis);
        }
        Ok(())
    }

    /// Every active name, read page by page.
    fn active_names(&self) -> impl Stream<Item = Result<Allocation, Fault>> + '_ {
        let page = move |after: Option<Option<String>>| async move {
            let Some(after) = after else { return Ok(None) };
            let filter = Filter { phase: Some(Phase::Active), after, limit: PAGE, ..Filter::default() };
            let page = self.parts.store.allocations(&filter).await?;
            let next = page.last().map(|last| Some(last.fqdn.as_str().to_owned()));
            Ok::<_, Fault>(Some((stream::iter(page.into_iter().map(Ok::<_, Fault>)), next)))
        };
        stream::try_unfold(Some(None), page).try_flatten()
    }

    /// One name at one nameserver, another one every round; at the next when that one says nothing.
    async fn look(&self, a: &Allocation, turn: usize, all: &Together) -> Glance {
        let (quiet, mut silence) = (&all.quiet, None);
        let mut request = self.glance_request(a).await;
        for at in quiet.order(turn) {
            request.server.clone_from(&self.settings.servers[at]);
            let mut glance = self.parts.auditor.glance(&request).await;
            if !glance.unasked {
                quiet.heard(at);
                if glance.wrong.is_some() && self.trusts_otherwise(&mut request, all).await {
                    glance = self.parts.auditor.glance(&request).await;
                }
                return glance;
            }
            quiet.silent(at);
            metrics::counter!("pdm_glance_silences_total", "server" => request.server.address.to_string())
                .increment(1);
            silence = Some(glance);
        }
        let nobody = || Glance { fqdn: a.fqdn.clone(), wrong: None, unasked: true, millis: 0 };
        silence.unwrap_or_else(nobody)
    }

    /// Whether the pool's keys were others than what was known of them: read once a round when something looks wrong.
    async fn trusts_otherwise(&self, request: &mut GlanceRequest, all: &Together) -> bool {
        let Some(parent) = &mut request.parent else { return false };
        let first = all.doubted.lock().unwrap_or_else(PoisonError::into_inner).insert(parent.zone.clone());
        if first {
            self.forget_anchor(&parent.zone);
        }
        let Some(now) = self.trusted(&parent.zone).await else { return false };
        let otherwise = now != *parent;
        *parent = now;
        otherwise
    }

    /// A pool with its anchor. When PowerDNS does not tell its keys, what can be seen without them is still looked at.
    async fn trusted(&self, pool: &ZoneName) -> Option<Trusted> {
        match self.anchor(pool).await {
            Ok((anchor, _)) => Some(Trusted { zone: pool.clone(), anchor }),
            Err(fault) => {
                debug!(%pool, %fault, "quick looks go on without the keys of the pool");
                None
            }
        }
    }

    /// Delegation, DS and the six names, at the first nameserver.
    async fn glance_request(&self, a: &Allocation) -> GlanceRequest {
        // Before PowerDNS has said what it can compute, a policy's records are not known; the next round looks at them.
        let desired = self.own_rrsets(a).unwrap_or_default();
        let parent = if a.mode == Mode::Pool { self.trusted(&a.pool).await } else { None };
        GlanceRequest {
            fqdn: a.fqdn.clone(),
            ds: a.observed.ds.iter().cloned().collect(),
            rrsets: desired.into_iter().filter(|rrset| rrset.rtype != RecordType::Soa).collect(),
            server: self.settings.servers[0].clone(),
            parent,
            patience: None,
        }
    }

    /// Tell what changed; what stays as it is was told before.
    async fn note_glance(&self, glance: Glance, known: &BTreeMap<ZoneName, String>) -> Result<(), Fault> {
        let (name, wrong) = (glance.fqdn, glance.wrong);
        let outcome = match (&wrong, glance.unasked) {
            (None, _) => "good",
            (Some(_), false) => "wrong",
            (Some(_), true) => "unasked",
        };
        metrics::counter!("pdm_glances_total", "outcome" => outcome).increment(1);
        match (wrong, known.get(&name)) {
            (Some(why), _) if glance.unasked => debug!(zone = %name, why, "a quick look got no answer"),
            (Some(why), None) => {
                if self.note_wrong(&name, Some(&why), &format!("wrong: {why}")).await? {
                    warn!(zone = %name, why, "a quick look saw something wrong");
                }
            }
            (None, Some(was)) => {
                if self.note_wrong(&name, None, &format!("well again: {was}")).await? {
                    info!(zone = %name, "a quick look saw that all is well again");
                }
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        Ok(())
    }

    async fn note_wrong(&self, name: &ZoneName, wrong: Option<&str>, text: &str) -> Result<bool, Fault> {
        let since = self.parts.store.now().await?;
        let finding = Finding {
            code: "GLANCE".to_owned(),
            subject: String::new(),
            severity: Severity::Error,
            title: "a quick look saw something wrong".to_owned(),
            detail: text.to_owned(),
            who: Party::Operator,
            since,
            evidence: Vec::new(),
            fix: Some(Fix {
                what: format!("see what exactly with `pdm audit {name}`"),
                difference: Vec::new(),
                command: None,
            }),
            because_of: None,
            acknowledged: None,
        };
        let turn = if wrong.is_some() { Turn::New } else { Turn::Gone };
        let news = Transition { turn, was: None, finding };
        let entry = AuditEntry::new("pdm", "glance", name, text);
        self.parts.audits.note_wrong(name, wrong, entry, &news).await
    }

    /// Full audits, one name after the other.
    pub(crate) async fn audit_for_ever(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let pause = self.settings.audit.full;
        if pause.is_zero() {
            return;
        }
        let mut lease = RoundLease::new(&self, "audits", pause);
        // Names that could not be audited: their turn comes again when all others had theirs.
        let mut failed = BTreeSet::new();
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stop.changed() => break,
            }
            let audited =
                async { if lease.take().await? { self.audit_next(&mut failed).await } else { Ok(()) } };
            if let Err(fault) = audited.await {
                debug!(%fault, "a full audit was not made");
            }
        }
        lease.give_back().await;
    }

    /// The name or pool that was not audited for longest.
    async fn audit_next(&self, failed: &mut BTreeSet<ZoneName>) -> Result<(), Fault> {
        self.parts.audits.prune_reports(self.settings.audit.keep).await?;
        if failed.len() >= FAILED {
            failed.clear();
        }
        let Some(name) = self.least_recently_audited(failed).await? else {
            failed.clear();
            return Ok(());
        };
        // Until it is done it counts as failed: whatever ends it in between, others come first.
        failed.insert(name.clone());
        self.audit_in_turn(&name).await?;
        failed.remove(&name);
        Ok(())
    }

    async fn least_recently_audited(&self, failed: &BTreeSet<ZoneName>) -> Result<Option<ZoneName>, Fault> {
        let store = &self.parts.audits;
        let enough = u32::try_from(failed.len() + 1).unwrap_or(u32::MAX);
        let mut all = store.least_recently_audited(enough).await?;
        for pool in self.settings.pools.keys() {
            let last = store.reports(Some(pool), None, 1).await?.first().map_or(0, |line| line.seq);
            all.push((pool.clone(), last));
        }
        all.sort_by_key(|(_, seq)| *seq);
        Ok(all.into_iter().map(|(name, _)| name).find(|name| !failed.contains(name)))
    }

    async fn audit_in_turn(&self, name: &ZoneName) -> Result<(), Fault> {
        let request = if self.settings.pools.contains_key(name) {
            self.request_for_pool(name).await?
        } else {
            let Some((allocation, _)) = self.parts.store.allocation(name).await? else { return Ok(()) };
            self.request_for(&allocation, false).await?
        };
        let (report, news) = self.carry_out_audit(request, Whose::Ours, false).await?;
        self.say(name, &news);
        if !news.is_empty() {
            let detail = format!("{}: {}", report.id, told(&news).join("; "));
            self.parts.store.audit(AuditEntry::new("pdm", "audit", name, detail)).await?;
        }
        Ok(())
    }
}
