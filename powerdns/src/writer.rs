//! The one writer of a pool zone.
//!
//! Concurrent PATCHes of one zone fail (SQLite) or lose serials and leave duplicate records (PostgreSQL), whichever
//! PDM process or PowerDNS process they come through. So: one task per zone in the process, one lease per zone across
//! processes, and everything that waits goes into one PATCH. One round of it:
//!
//! 1. who waited past its deadline is answered `Fenced`, and nothing is sent for it;
//! 2. the lease is asked for; when the one before did not give it back, or when our own last call was lost, a call may
//!    still land: wait one call's time and read the zone anew;
//! 3. the zone's serial is compared with what our last write left; when it differs the zone is read anew, and
//!    rectified once, because records of others may need it and ours never do;
//! 4. who agrees already is answered, who is refused is told why, the rest is one PATCH with the high-water mark.
//!
//! If the process dies before the PATCH nothing has happened; after it, the next reader sees it done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use pdm_model::{DsRecord, ZoneName};
use pdm_ports::parent::{LeaseAnswer, ZoneLease};
use pdm_ports::{Class, DelegationChange, Fault};
use reqwest::Method;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::answer::ApiError;
use crate::backend::PowerDns;
use crate::client::Request;
use crate::head;
use crate::ownership;
use crate::parent::PoolConfig;
use crate::retry::Tries;
use crate::view::{self, ChildZone, Entry, Verdict, View};
use crate::wire::{self, RrsetOut};

/// Changes that may wait in the queue before callers wait to enter it.
pub(crate) const QUEUE: usize = 1024;
/// Children in one PATCH.
const CHILDREN: usize = 200;
/// Bytes of one PATCH, about; PowerDNS refuses more than 2 MB.
const BYTES: usize = 900_000;
/// How long one process may keep the lease while others may want it.
const TURN: Duration = Duration::from_secs(2);
/// How often a lease that another process holds is asked for.
const HELD_PAUSE: Duration = Duration::from_millis(40);

/// What a writer is asked to do.
pub(crate) enum Job {
    /// Change a delegation.
    Apply(Waiter),
    /// Look after the zone: somebody else changed it.
    Nudge,
}

/// One caller who waits.
pub(crate) struct Waiter {
    pub(crate) label: Box<str>,
    pub(crate) change: DelegationChange,
    pub(crate) deadline: Instant,
    /// The trace of the caller.
    pub(crate) trace: Option<String>,
    pub(crate) answer: oneshot::Sender<Result<(), Fault>>,
}

impl Waiter {
    fn tell(self, outcome: Result<(), Fault>) {
        // A caller that went away does not want to know.
        let _ = self.answer.send(outcome);
    }

    fn bytes(&self) -> usize {
        let ns = self.change.ns.as_ref().map_or(0, |(ns, _)| ns.iter().map(|n| n.as_str().len() + 20).sum());
        let ds = self
            .change
            .ds
            .as_ref()
            .map_or(0, |(ds, _)| ds.iter().map(|ds: &DsRecord| ds.digest.len() + 40).sum());
        400 + ns + ds
    }
}

/// What a process remembers of a pool zone.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) view: Option<View>,
    /// The zone may have changed without a trace in the serial that we expect: read it anew.
    pub(crate) stale: bool,
    /// When the view was last known to be true: the question began then.
    pub(crate) checked: Option<Instant>,
    /// The serial that somebody else's last change left.
    pub(crate) foreign_serial: u32,
    /// Others' records may lack their ordering.
    pub(crate) rectify_due: bool,
    /// A call may still land until then.
    pub(crate) pause: Option<Instant>,
}

impl Memory {
    /// The view, if it was true so short a while ago.
    pub(crate) fn lately(&self, age: Duration) -> Option<&View> {
        let fresh = !self.stale && self.pause.is_none() && self.checked.is_some_and(|at| at.elapsed() < age);
        self.view.as_ref().filter(|_| fresh)
    }
}

/// One pool and all that its writer needs.
pub(crate) struct Room {
    pub(crate) dns: Arc<PowerDns>,
    pub(crate) config: PoolConfig,
    /// The pool's nameserver names.
    pub(crate) usual: BTreeSet<ZoneName>,
    pub(crate) lease: Arc<dyn ZoneLease>,
    pub(crate) holder: String,
    pub(crate) memory: Mutex<Memory>,
}

/// The callers who wait, as the writer sees them.
#[derive(Default)]
struct Desk {
    waiting: VecDeque<Waiter>,
    nudged: bool,
    /// A PATCH was refused as a whole: so many changes go one by one, to find the one that is to blame.
    singly: usize,
    holding_since: Option<Instant>,
}

/// One PATCH.
#[derive(Default)]
struct Batch {
    members: Vec<Waiter>,
    entries: BTreeMap<Box<str>, Entry>,
    mark: Option<i64>,
}

/// The pool zone is not there. Somebody removed it, or it was never prepared.
pub(crate) fn pool_missing(zone: &ZoneName) -> Fault {
    Fault::transient("pool-zone-missing", format!("the pool zone {zone} is not on the PowerDNS server"))
}

/// Whose zone an account says it is.
pub(crate) fn child_zone(account: &str) -> ChildZone {
    if ownership::allocation(account).is_some() { ChildZone::Ours } else { ChildZone::Others }
}

fn again(fault: &Fault) -> Fault {
    Fault { retry_after: fault.retry_after, ..Fault::new(fault.class, fault.code, fault.detail.clone()) }
}

/// Serve one pool until nobody can ask any more.
pub(crate) async fn run(room: Arc<Room>, mut jobs: mpsc::Receiver<Job>) {
    let mut desk = Desk::default();
    loop {
        if desk.is_idle() {
            room.give_back(&mut desk).await;
            match jobs.recv().await {
                Some(job) => desk.take(job),
                None => return,
            }
        }
        desk.drain(&mut jobs);
        room.round(&mut desk, &mut jobs).await;
        if desk.holding_since.is_some_and(|since| since.elapsed() > TURN) {
            room.give_back(&mut desk).await;
        }
    }
}

impl Desk {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.nudged
    }

    fn take(&mut self, job: Job) {
        match job {
            Job::Apply(waiter) => self.waiting.push_back(waiter),
            Job::Nudge => self.nudged = true,
        }
    }

    fn drain(&mut self, jobs: &mut mpsc::Receiver<Job>) {
        while self.waiting.len() < QUEUE
            && let Ok(job) = jobs.try_recv()
        {
            self.take(job);
        }
    }

    /// Answer who waited too long, forget who went away.
    fn expire(&mut self) {
        let now = Instant::now();
        for waiter in std::mem::take(&mut self.waiting) {
            if waiter.deadline <= now {
                waiter.tell(Err(ApiError::TooLate.into_fault()));
            } else if !waiter.answer.is_closed() {
                self.waiting.push_back(waiter);
            }
        }
    }

    fn fail(&mut self, fault: &Fault) {
        self.nudged = false;
        for waiter in self.waiting.drain(..) {
            waiter.tell(Err(again(fault)));
        }
    }

    fn put_back(&mut self, members: Vec<Waiter>) {
        for waiter in members.into_iter().rev() {
            self.waiting.push_front(waiter);
        }
    }

    /// Sleep, but not past the first deadline.
    async fn pause(&self, until: Instant) {
        let until = self.waiting.iter().map(|waiter| waiter.deadline).fold(until, Instant::min);
        tokio::time::sleep_until(until.into()).await;
    }
}

impl Room {
    fn zone(&self) -> &ZoneName {
        &self.config.zone
    }

    /// A third of it is longer than one call, so a call that went out under the lease has ended or timed out before
    /// the lease can be another's.
    pub(crate) fn lease_time(&self) -> Duration {
        self.dns.instances.timeout() * 4
    }

    async fn give_back(&self, desk: &mut Desk) {
        if desk.holding_since.take().is_some()
            && let Err(fault) = self.lease.give_back(self.zone(), &self.holder).await
        {
            // It runs out by itself; the next one then waits a little longer.
            tracing::warn!(pool = %self.zone(), code = fault.code, "the pool's lease was not given back");
        }
    }

    /// Become the zone's one writer. False: not now.
    pub(crate) async fn acquire(&self, memory: &mut Memory) -> Result<bool, Fault> {
        match self.lease.acquire(self.zone(), &self.holder, self.lease_time()).await? {
            LeaseAnswer::Held => Ok(false),
            LeaseAnswer::Granted { taken_over, changed_hands } => {
                memory.stale |= changed_hands || taken_over;
                if taken_over {
                    // The one before may have died, or may only be slow: what it sent can land for one call's time.
                    memory.pause = Some(Instant::now() + self.dns.instances.timeout());
                }
                Ok(true)
            }
        }
    }

    /// Make the view true: one cheap call when nobody else changed the zone.
    pub(crate) async fn refresh(&self, memory: &mut Memory) -> Result<(), Fault> {
        let asked = Instant::now();
        if let (Some(view), false) = (&memory.view, memory.stale) {
            let Some(head) = self.dns.head(self.zone()).await? else {
                memory.view = None;
                return Err(pool_missing(self.zone()));
            };
            if head.serial == view.serial {
                memory.checked = Some(asked);
                return Ok(());
            }
            tracing::info!(pool = %self.zone(), serial = head.serial, "somebody else changed the pool zone");
            memory.rectify_due = true;
        }
        let mut view = self.load().await?;
        if let Some(old) = memory.view.take() {
            view.keep_proofs(&old);
        }
        memory.foreign_serial = view.serial;
        memory.stale = false;
        memory.checked = Some(asked);
        memory.view = Some(view);
        Ok(())
    }

    async fn load(&self) -> Result<View, Fault> {
        let request = Request::get("get-pool", format!("/zones/{}", self.zone().dotted())).patient();
        let reply = match self.dns.instances.primary().call(request).await {
            Ok(reply) => reply,
            Err(ApiError::Missing) => return Err(pool_missing(self.zone())),
            Err(error) => return Err(error.into_fault()),
        };
        let mut view = View::new(self.zone().clone());
        let head = head::read(&reply.body, &mut |rrset| view.add(rrset))?;
        view.settle(head.serial, head.soa_edit_api == "EPOCH");
        Ok(view)
    }

    /// Put the order of others' records right. A failure is not the waiting callers' affair.
    pub(crate) async fn rectify(&self, memory: &mut Memory) -> Result<(), Fault> {
        let _permit = self.dns.instances.write_permit().await?;
        let path = format!("/zones/{}/rectify", self.zone().dotted());
        let request = Request::write("rectify-pool", Method::PUT, path, Some(b"{}".to_vec())).patient();
        self.dns.instances.primary().call(request).await.map_err(ApiError::into_fault)?;
        memory.rectify_due = false;
        Ok(())
    }

    async fn round(&self, desk: &mut Desk, jobs: &mut mpsc::Receiver<Job>) {
        desk.expire();
        if desk.is_idle() {
            return;
        }
        let mut memory = self.memory.lock().await;
        if let Some(until) = memory.pause {
            if until > Instant::now() {
                drop(memory);
                return desk.pause(until).await;
            }
            memory.pause = None;
        }
        match self.acquire(&mut memory).await {
            Ok(true) => {
                desk.holding_since.get_or_insert_with(Instant::now);
            }
            Ok(false) => {
                drop(memory);
                return desk.pause(Instant::now() + HELD_PAUSE).await;
            }
            Err(fault) => return desk.fail(&fault),
        }
        if memory.pause.is_some() {
            return;
        }
        let since = Instant::now();
        if let Err(fault) = self.write_waiting(desk, jobs, &mut memory, since).await {
            desk.fail(&fault);
        }
    }

    /// Everything under the lease. An error is everybody's.
    async fn write_waiting(
        &self,
        desk: &mut Desk,
        jobs: &mut mpsc::Receiver<Job>,
        memory: &mut Memory,
        since: Instant,
    ) -> Result<(), Fault> {
        self.refresh(memory).await?;
        if memory.rectify_due
            && let Err(fault) = self.rectify(memory).await
        {
            tracing::warn!(pool = %self.zone(), code = fault.code, "the pool zone could not be rectified");
        }
        desk.nudged = false;
        if desk.waiting.is_empty() {
            return Ok(());
        }
        let zones = self.ask(memory, desk).await?;
        // Everybody who comes while we wait for our turn to write goes along.
        let permit = self.dns.instances.write_permit().await?;
        desk.drain(jobs);
        desk.expire();
        if since.elapsed() > self.lease_time() / 3 {
            // That took long: ask for the lease again first.
            return Ok(());
        }
        let Some(view) = &memory.view else { return Err(pool_missing(self.zone())) };
        let batch = desk.compose(view, &self.usual, &zones);
        if !batch.members.is_empty() {
            self.send(desk, memory, batch).await;
        }
        drop(permit);
        Ok(())
    }

    /// Ask whose the child zones are, where there is a delegation that we do not remember writing.
    async fn ask(&self, memory: &mut Memory, desk: &Desk) -> Result<BTreeMap<Box<str>, ChildZone>, Fault> {
        let Some(view) = &mut memory.view else { return Err(pool_missing(self.zone())) };
        let labels: BTreeSet<Box<str>> = desk
            .waiting
            .iter()
            .filter(|waiter| {
                let verdict = view.judge(&waiter.label, &waiter.change, &self.usual, None, None);
                matches!(verdict, Verdict::Ask)
            })
            .map(|waiter| waiter.label.clone())
            .take(CHILDREN)
            .collect();
        let zones: BTreeMap<Box<str>, ChildZone> = stream::iter(labels)
            .map(|label| async move {
                let Ok(child) = ZoneName::parse(&format!("{label}.{}", self.zone())) else {
                    return Ok::<_, Fault>((label, ChildZone::Others));
                };
                let head = self.dns.head(&child).await?;
                Ok((label, head.map_or(ChildZone::Missing, |head| child_zone(&head.account))))
            })
            .buffer_unordered(4)
            .try_collect()
            .await?;
        for (label, _) in zones.iter().filter(|(_, zone)| **zone == ChildZone::Ours) {
            view.owned(label);
        }
        Ok(zones)
    }

    /// Send one PATCH and answer its members.
    async fn send(&self, desk: &mut Desk, memory: &mut Memory, batch: Batch) {
        let Some(view) = &mut memory.view else { return desk.put_back(batch.members) };
        let mut rrsets = Vec::with_capacity(batch.entries.len() * 2 + 1);
        for (label, next) in &batch.entries {
            view.rrsets(label, next, &mut rrsets);
        }
        let answer = |members: Vec<Waiter>, outcome: Result<(), &Fault>| {
            for member in members {
                member.tell(outcome.map_err(again));
            }
        };
        if rrsets.is_empty() {
            // Made and taken back within one batch.
            return answer(batch.members, Ok(()));
        }
        let mark = batch.mark.filter(|mark| view.mark.is_none_or(|known| *mark > known));
        if let Some(mark) = mark {
            let owner = view::mark_owner(self.zone());
            rrsets.push(RrsetOut::comment(owner, view::MARK_TYPE, format!("mark {mark}")));
        }
        let body = match wire::patch(&rrsets) {
            Ok(body) => body,
            Err(fault) => return answer(batch.members, Err(&fault)),
        };
        metrics::histogram!("pdm_powerdns_parent_batch_children").record(batch.entries.len() as f64);
        let deadline = batch.members.iter().map(|member| member.deadline).min();
        let path = format!("/zones/{}", self.zone().dotted());
        // One change for many callers can be shown below one of them.
        let trace = batch.members.iter().find_map(|member| member.trace.clone());
        let mut tries = Tries::within(self.dns.instances.timeout());
        loop {
            let request = Request::write("patch-pool", Method::PATCH, path.clone(), Some(body.clone()));
            let request = request.before(deadline).traced(trace.clone());
            let asked = Instant::now();
            match self.dns.instances.primary().call(request).await {
                Ok(reply) => {
                    for (label, next) in batch.entries {
                        view.wrote(&label, next);
                    }
                    view.mark = view.mark.max(mark);
                    if view.follow(reply.serial) {
                        memory.checked = Some(asked);
                    } else {
                        // Another write came between our look and our PATCH, or the server did not say.
                        memory.stale = true;
                        memory.rectify_due |= reply.serial.is_some();
                    }
                    self.dns.instances.flush_others(self.zone()).await;
                    return answer(batch.members, Ok(()));
                }
                // The first deadline has passed in the queue: who is late is told so, the others go again.
                Err(ApiError::TooLate) => return desk.put_back(batch.members),
                Err(ApiError::Busy(fault)) => {
                    // Rolled back. What it was composed from must still be true before it goes out again.
                    let same = tries.again().await
                        && matches!(self.dns.head(self.zone()).await, Ok(Some(head)) if head.serial == view.serial);
                    if !same {
                        memory.stale = true;
                        return answer(batch.members, Err(&fault));
                    }
                }
                Err(ApiError::Lost(fault)) => {
                    // It may have been done, or be done later: nothing is sent until it cannot land any more.
                    memory.stale = true;
                    memory.pause = Some(Instant::now() + self.dns.instances.timeout());
                    return answer(batch.members, Err(&fault));
                }
                Err(ApiError::Missing) => {
                    memory.view = None;
                    return answer(batch.members, Err(&pool_missing(self.zone())));
                }
                Err(error) => {
                    let fault = error.into_fault();
                    if fault.class == Class::Rejected && batch.entries.len() > 1 {
                        desk.singly = batch.members.len();
                        return desk.put_back(batch.members);
                    }
                    return answer(batch.members, Err(&fault));
                }
            }
        }
    }
}

impl Desk {
    /// Sort the waiting: answer who agrees or is refused, keep who needs another question, and take the rest along.
    fn compose(
        &mut self,
        view: &View,
        usual: &BTreeSet<ZoneName>,
        zones: &BTreeMap<Box<str>, ChildZone>,
    ) -> Batch {
        let mut batch = Batch::default();
        let mut bytes = 0;
        let mut later = VecDeque::new();
        let most = if self.singly > 0 { 1 } else { CHILDREN };
        while let Some(waiter) = self.waiting.pop_front() {
            let pending = batch.entries.get(&waiter.label);
            let known = pending.is_some();
            let zone = zones.get(&waiter.label).copied();
            match view.judge(&waiter.label, &waiter.change, usual, zone, pending) {
                Verdict::Agrees if !known => waiter.tell(Ok(())),
                // It agrees with what this PATCH makes: it is answered with it.
                Verdict::Agrees => batch.members.push(waiter),
                Verdict::Refuse(fault) => waiter.tell(Err(fault)),
                Verdict::Ask => later.push_back(waiter),
                Verdict::Write(_)
                    if !known && (batch.entries.len() >= most || bytes + waiter.bytes() > BYTES) =>
                {
                    later.push_back(waiter);
                    break;
                }
                Verdict::Write(next) => {
                    bytes += waiter.bytes();
                    batch.mark = batch.mark.max(Some(waiter.change.mark));
                    batch.entries.insert(waiter.label.clone(), next);
                    batch.members.push(waiter);
                }
            }
        }
        self.singly = self.singly.saturating_sub(batch.members.len());
        later.append(&mut self.waiting);
        self.waiting = later;
        batch
    }
}
