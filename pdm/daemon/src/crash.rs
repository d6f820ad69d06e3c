//! Crash points for fault tests: around every write to the store and every call to PowerDNS.
//!
//! Always compiled, active only when `PDM_CRASH_TRACE=FILE` (write down every point that is passed) or
//! `PDM_CRASH_AT=POINT:N` (abort the process at the N-th passing, counted from 1) is set. A point is `before:` or
//! `after:` and the call, as in `after:zones.create_zone`. After `before:` nothing was done; after `after:` everything
//! was, and nobody knows.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pdm_carry_over::CarriedZone;
use pdm_model::canonical::Change;
use pdm_model::pool_keys::PoolKeys;
use pdm_model::{
    Allocation, AuditEntry, Claim, Delegation, DsRecord, Operation, Proof, Refusal, Timestamp, ZoneName,
};
use pdm_ports::parent::{LeaseAnswer, ZoneLease};
use pdm_ports::registrar::{
    self as registrars, Applied, Capability, Credential, CredentialField, CurrentState, Passport, Place,
    Registrar, TaskId, TaskStatus,
};
use pdm_ports::store::{
    Checkpoint, Count, Decided, Decision, Filter, Freeze, Held, Lease, Queue, Remembered, SealedCredential,
    StoredEvent, Wanted,
};
use pdm_ports::zone::{Created, Turn};
use pdm_ports::{
    DelegationChange, Fault, KeyChange, LuaServer, ObservedZone, ParentSide, Signing, Stamp, Store, Whose,
    ZoneBackend, ZoneKey, ZoneSpec, ZoneSummary,
};
use serde_json::Value;

/// Where the process dies, and what it wrote down before.
#[derive(Default)]
pub struct Points {
    trace: Option<Mutex<File>>,
    at: Option<(String, u64)>,
    passed: Mutex<HashMap<String, u64>>,
}

impl Points {
    /// From the environment; none when no crash point is asked for.
    ///
    /// # Errors
    /// A variable that cannot be followed.
    pub fn from_env() -> Result<Option<Arc<Self>>, String> {
        let (trace, at) = (std::env::var("PDM_CRASH_TRACE").ok(), std::env::var("PDM_CRASH_AT").ok());
        if trace.is_none() && at.is_none() {
            return Ok(None);
        }
        let open = |path: String| {
            let file = OpenOptions::new().create(true).append(true).open(&path);
            file.map(Mutex::new).map_err(|e| format!("PDM_CRASH_TRACE: cannot open {path}: {e}"))
        };
        let trace = trace.map(open).transpose()?;
        let at = at.as_deref().map(parse).transpose()?;
        Ok(Some(Arc::new(Self { trace, at, passed: Mutex::default() })))
    }

    /// Pass a point; dies when it is the one.
    pub fn pass(&self, side: &str, call: &str) {
        let point = format!("{side}:{call}");
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let times = passed.entry(point.clone()).or_default();
        *times += 1;
        let times = *times;
        if let Some(trace) = &self.trace {
            let mut file = trace.lock().unwrap_or_else(PoisonError::into_inner);
            // One write, so that lines of replicas that share a file do not mix. A lost line fails the test that reads it.
            let _ = file.write_all(format!("{point}\n").as_bytes());
        }
        if self.at.as_ref().is_some_and(|(at, n)| *at == point && *n == times) {
            std::process::abort();
        }
    }
}

fn parse(text: &str) -> Result<(String, u64), String> {
    let wrong = || format!("PDM_CRASH_AT={text}: write POINT:N, as in after:store.decide:1");
    let (point, n) = text.rsplit_once(':').ok_or_else(wrong)?;
    let known = point.split_once(':').is_some_and(|(side, call)| {
        (side == "before" || side == "after") && CALLS.iter().any(|calls| calls.contains(&call))
    });
    match n.parse() {
        Ok(n) if n > 0 && known => Ok((point.to_owned(), n)),
        _ => Err(wrong()),
    }
}

/// Every call that has points, by port.
pub const CALLS: [&[&str]; 6] =
    [store::CALLS, lease::CALLS, zones::CALLS, parent::CALLS, registrar::CALLS, &[PREPARE]];

/// Making or taking over a pool zone: several calls to PowerDNS that pass no port.
pub const PREPARE: &str = "pools.prepare";

/// A port with crash points around it.
pub struct Crash<T: ?Sized> {
    inner: Arc<T>,
    points: Arc<Points>,
}

impl<T: ?Sized> Crash<T> {
    /// Wrap a port.
    pub fn new(inner: Arc<T>, points: Arc<Points>) -> Arc<Self> {
        Arc::new(Self { inner, points })
    }
}

/// `point` calls are traced, `plain` ones (reads of the store) are passed through, `say` ones tell what never changes.
macro_rules! port {
    ($module:ident $port:path { $($kind:ident $name:ident($($arg:ident: $ty:ty),*) -> $answer:ty;)* }
     $(say { $($told:ident -> $what:ty;)* })?) => {
        mod $module {
            use super::*;

            /// The calls that have points.
            pub const CALLS: &[&str] = &[$(name!($kind $module $name)),*];

            #[async_trait]
            impl $port for Crash<dyn $port> {
                $($(fn $told(&self) -> $what {
                    self.inner.$told()
                })*)?
                $(async fn $name(&self, $($arg: $ty),*) -> $answer {
                    let call = name!($kind $module $name);
                    if !call.is_empty() {
                        self.points.pass("before", call);
                    }
                    let answer = self.inner.$name($($arg),*).await;
                    if !call.is_empty() {
                        self.points.pass("after", call);
                    }
                    answer
                })*
            }
        }
    };
}

macro_rules! name {
    (point $module:ident $name:ident) => {
        concat!(stringify!($module), ".", stringify!($name))
    };
    (plain $module:ident $name:ident) => {
        ""
    };
}

type Answer<T> = Result<T, Fault>;

port! { store Store {
    plain now() -> Answer<Timestamp>;
    point decide(name: &ZoneName, wanted: Wanted, decision: Decision) -> Answer<Result<Decided, Refusal>>;
    plain holder(name: &ZoneName, pool: &ZoneName, look: &str) -> Answer<Option<Held>>;
    point lease(token: &str, ttl: Duration, limit: u32) -> Answer<Vec<Lease>>;
    point checkpoint(operation: &str, token: &str, checkpoint: Checkpoint) -> Answer<Timestamp>;
    point let_go(token: &str) -> Answer<()>;
    point hurry(operation: &str) -> Answer<bool>;
    point expire(limit: u32) -> Answer<u64>;
    point note(allocation: &Allocation, proof: Option<Proof>, audit: Vec<AuditEntry>) -> Answer<bool>;
    plain allocation(name: &ZoneName) -> Answer<Option<(Allocation, Option<Operation>)>>;
    plain allocations(filter: &Filter) -> Answer<Vec<Allocation>>;
    plain operation(id: &str) -> Answer<Option<Operation>>;
    plain open_operations(limit: u32) -> Answer<Vec<Operation>>;
    plain events(operation: &str, after: i64) -> Answer<Vec<StoredEvent>>;
    plain counts() -> Answer<Vec<Count>>;
    plain queue() -> Answer<Queue>;
    plain audit_log(fqdn: Option<&ZoneName>, actor: Option<&str>, before: Option<i64>, limit: u32) -> Answer<Vec<AuditEntry>>;
    point audit(entry: AuditEntry) -> Answer<()>;
    point remember(key: &str, body_digest: &str) -> Answer<Remembered>;
    point answer(key: &str, answer: Option<(u16, Value)>) -> Answer<()>;
    plain freezes() -> Answer<Vec<Freeze>>;
    point set_freeze(pool: Option<&ZoneName>, on: bool, actor: &str) -> Answer<()>;
    plain mark() -> Answer<i64>;
    point raise_mark(mark: i64) -> Answer<()>;
    point restore(allocation: &Allocation, audit: AuditEntry) -> Answer<bool>;
    plain claims(name: &ZoneName) -> Answer<Vec<Claim>>;
    point put_credential(credential: &SealedCredential) -> Answer<()>;
    plain credential(allocation: &str) -> Answer<Option<SealedCredential>>;
    point forget_credential(allocation: &str) -> Answer<()>;
    plain credentials() -> Answer<Vec<SealedCredential>>;
    plain carried(allocation: &str) -> Answer<Option<(CarriedZone, i64)>>;
    point put_carried(allocation: &str, zone: &CarriedZone, before: Option<i64>, audit: Option<AuditEntry>) -> Answer<bool>;
    plain pool_keys(pool: &ZoneName) -> Answer<Option<(PoolKeys, i64)>>;
    point put_pool_keys(pool: &ZoneName, keys: &PoolKeys, before: Option<i64>, audit: Vec<AuditEntry>) -> Answer<bool>;
    point prune() -> Answer<u64>;
} }

port! { lease ZoneLease {
    point acquire(zone: &ZoneName, holder: &str, ttl: Duration) -> Answer<LeaseAnswer>;
    point give_back(zone: &ZoneName, holder: &str) -> Answer<()>;
} }

port! { zones ZoneBackend {
    point create_zone(spec: &ZoneSpec) -> Answer<Created>;
    point read_zone(name: &ZoneName) -> Answer<Option<ObservedZone>>;
    point read_keys(name: &ZoneName) -> Answer<Option<Vec<ZoneKey>>>;
    point change_zone(name: &ZoneName, changes: &[Change], stamp: &Stamp) -> Answer<()>;
    point ensure_signed(name: &ZoneName, stamp: &Stamp) -> Answer<()>;
    point read_signing(name: &ZoneName) -> Answer<Option<Signing>>;
    point change_signing(name: &ZoneName, whose: &Whose, change: &KeyChange) -> Answer<()>;
    point change_signals(zone: &ZoneName, changes: &[Change]) -> Answer<()>;
    point remove_zone(name: &ZoneName, allocation: &str) -> Answer<()>;
    point list_zones() -> Answer<Vec<ZoneSummary>>;
    point flush(name: &ZoneName) -> Answer<()>;
    point lua_server() -> Answer<LuaServer>;
    point health() -> Answer<String>;
    plain turn(name: &ZoneName) -> Answer<Turn>;
} }

port! { parent ParentSide {
    point observe(child: &ZoneName) -> Answer<Delegation>;
    point observe_lately(child: &ZoneName) -> Answer<Delegation>;
    point apply(child: &ZoneName, change: DelegationChange, deadline: Instant) -> Answer<()>;
    point mark(pool: &ZoneName) -> Answer<Option<i64>>;
    point foreign_names(pool: &ZoneName) -> Answer<BTreeSet<ZoneName>>;
    point each_delegation(pool: &ZoneName, each: &mut (dyn FnMut(ZoneName, Delegation) + Send)) -> Answer<()>;
    point foreign_serial(pool: &ZoneName) -> Answer<u32>;
    point pool_ds(pool: &ZoneName) -> Answer<BTreeSet<DsRecord>>;
} }

port! { registrar Registrar {
    point validate(domain: &ZoneName, credential: &Credential) -> Answer<Passport>;
    point read(place: &Place, credential: &Credential) -> Answer<CurrentState>;
    point apply(change: &registrars::Change, credential: &Credential) -> Answer<Applied>;
    point task(place: &Place, task: &TaskId, credential: &Credential) -> Answer<TaskStatus>;
} say {
    id -> &'static str;
    name -> &'static str;
    capability -> &'static Capability;
    credential_fields -> &'static [CredentialField];
    recipe -> &'static str;
} }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_to_powerdns_and_every_writing_call_to_the_store_has_points() {
        let methods = |text: &str, port: &str| {
            let body = text.split(&format!("pub trait {port}:")).nth(1).unwrap().split("\n}").next().unwrap();
            body.matches("async fn ").count()
        };
        let (zone, parent) =
            (include_str!("../../ports/src/zone.rs"), include_str!("../../ports/src/parent.rs"));
        assert_eq!(zones::CALLS.len(), methods(zone, "ZoneBackend"));
        assert_eq!(super::parent::CALLS.len(), methods(parent, "ParentSide"));
        assert_eq!(lease::CALLS.len(), methods(parent, "ZoneLease"));
        let vendors = include_str!("../../ports/src/registrar.rs");
        assert_eq!(super::registrar::CALLS.len(), methods(vendors, "Registrar"));
        // The reads that have none, by name: whoever adds a method decides here.
        let reads = "now holder allocation allocations operation open_operations events counts queue audit_log freezes mark claims credential \
                     credentials carried pool_keys";
        let traced = store::CALLS.iter().filter(|c| !c.is_empty()).count();
        let all = methods(include_str!("../../ports/src/store.rs"), "Store");
        assert_eq!(traced + reads.split(' ').count(), all);
    }

    #[test]
    fn a_point_is_a_side_a_call_and_a_number() {
        assert_eq!(parse("after:store.decide:2").unwrap(), ("after:store.decide".into(), 2));
        for bad in
            ["", "after:store.decide", "after:store.decide:0", "during:store.decide:1", "after:store.now:1"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn points_are_counted_and_written_down() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("trace");
        let trace = Some(Mutex::new(File::create(&file).unwrap()));
        let points = Points { trace, at: Some(("before:x".into(), 3)), passed: Mutex::default() };
        points.pass("before", "x");
        points.pass("after", "x");
        points.pass("before", "x");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "before:x\nafter:x\nbefore:x\n");
    }
}
