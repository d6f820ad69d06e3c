//! The engine's parts in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use pdm_model::{Allocation, DsRecord, Mode, Pool, ZoneName};
use pdm_ports::audit::Auditor;
use pdm_ports::audit_store::AuditStore;
use pdm_ports::parent::ZoneLease;
use pdm_ports::registrar::Registrar;
use pdm_ports::store::Freeze;
use pdm_ports::walk::DelegationWalk;
use pdm_ports::{Announcer, Class, DnsProbe, Fault, LuaServer, ParentSide, Store, ZoneBackend, ZoneGather};
use tokio::sync::{Mutex, Notify, Semaphore};
use uuid::Uuid;

use crate::audits::Signer;
use crate::editor::{self, Editor};
use crate::failover::LuaKnown;
use crate::settings::Settings;
use crate::token::TokenKey;
use crate::vault::Vault;
use crate::waiters::{Keyed, Waiters};

/// What the engine works with.
#[derive(Clone)]
pub struct Parts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The servers that carry our zones.
    pub zones: Arc<dyn ZoneBackend>,
    /// Who edits the parents.
    pub parent: Arc<dyn ParentSide>,
    /// Asks real nameservers.
    pub probe: Arc<dyn DnsProbe>,
    /// Walks the real delegation tree.
    pub walk: Arc<dyn DelegationWalk>,
    /// Tells parents that CDS changed.
    pub announcer: Arc<dyn Announcer>,
    /// Reads zones from the servers that carry them today.
    pub gather: Arc<dyn ZoneGather>,
    /// Registrars and DNS hosts by id.
    pub registrars: BTreeMap<String, Arc<dyn Registrar>>,
    /// Audits.
    pub auditor: Arc<dyn Auditor>,
    /// Keeps what audits leave behind.
    pub audits: Arc<dyn AuditStore>,
    /// Which replica goes round.
    pub lease: Arc<dyn ZoneLease>,
}

/// Intents, workers and sweeps over one set of parts.
pub struct Engine {
    pub(crate) settings: Settings,
    pub(crate) parts: Parts,
    pub(crate) tokens: TokenKey,
    /// Credentials of registrars.
    pub(crate) vault: Vault,
    /// Who edits foreign parents, by mode.
    pub(crate) editors: BTreeMap<Mode, Arc<dyn Editor>>,
    pub(crate) signer: Signer,
    /// Audits on demand that run at once.
    pub(crate) audits: Semaphore,
    /// This process among replicas: its lease tokens begin with it.
    pub(crate) holder: String,
    pub(crate) waiters: Waiters,
    /// Rung when there may be work.
    pub(crate) bell: Notify,
    /// Rung when the keys of a pool are to be looked at.
    pub(crate) pool_bell: Notify,
    /// One permit for each operation driven at once.
    pub(crate) slots: Arc<Semaphore>,
    /// Set at a graceful stop: drives end at the next step.
    pub(crate) stopping: AtomicBool,
    /// Set once the store was found not to be older than the DNS; no write happens before.
    pub(crate) trusted: AtomicBool,
    pub(crate) read_only: AtomicBool,
    /// One drive at a time for an allocation: a superseded one may still have a call in flight.
    pub(crate) busy: Keyed,
    pub(crate) freezes: RwLock<Vec<Freeze>>,
    /// Sweeps so far.
    pub(crate) sweeps: std::sync::atomic::AtomicU64,
    /// The pool's own DS, read once; a roll of the pool's key clears it through a failed proof.
    pub(crate) anchors: RwLock<BTreeMap<ZoneName, BTreeSet<DsRecord>>>,
    /// What the servers told of how they compute LUA records: to read at any time, and to ask for one at a time.
    pub(crate) lua: RwLock<Option<LuaServer>>,
    pub(crate) lua_refresh: Mutex<LuaKnown>,
    /// Names with a failover policy, to look at between sweeps.
    pub(crate) policies: RwLock<BTreeSet<ZoneName>>,
    /// The longest timeout of their checks, in seconds.
    pub(crate) slowest_check: AtomicU8,
}

impl Engine {
    /// An engine that does nothing until [`Engine::run`].
    #[must_use]
    pub fn new(settings: Settings, parts: Parts, tokens: TokenKey, vault: Vault) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(settings.parallel));
        Arc::new(Self {
            settings,
            parts,
            signer: tokens.signer(),
            audits: Semaphore::new(4),
            tokens,
            vault,
            editors: editor::editors(),
            holder: Uuid::new_v4().simple().to_string(),
            waiters: Waiters::default(),
            bell: Notify::new(),
            pool_bell: Notify::new(),
            slots,
            stopping: AtomicBool::new(false),
            trusted: AtomicBool::new(false),
            read_only: AtomicBool::new(false),
            busy: Keyed::default(),
            freezes: RwLock::default(),
            sweeps: std::sync::atomic::AtomicU64::default(),
            anchors: RwLock::default(),
            lua: RwLock::default(),
            lua_refresh: Mutex::default(),
            policies: RwLock::default(),
            slowest_check: AtomicU8::default(),
        })
    }

    /// A fresh fence for leases of this process.
    pub(crate) fn lease_token(&self) -> String {
        format!("{}-{}", self.holder, Uuid::new_v4().simple())
    }

    /// What it was told at start.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.parts.store
    }

    /// The servers that carry our zones.
    #[must_use]
    pub fn zones(&self) -> &Arc<dyn ZoneBackend> {
        &self.parts.zones
    }

    /// Registrars and DNS hosts by id.
    #[must_use]
    pub fn registrars(&self) -> &BTreeMap<String, Arc<dyn Registrar>> {
        &self.parts.registrars
    }

    /// Who edits the parents.
    #[must_use]
    pub fn parent(&self) -> &Arc<dyn ParentSide> {
        &self.parts.parent
    }

    /// True when the store is older than the DNS: nothing is changed until `pdm store recover`.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// The rules of an allocation. A pool that left the configuration is a fault, not a panic.
    pub(crate) fn pool_of(&self, allocation: &Allocation) -> Result<&Pool, Fault> {
        self.settings.rules(allocation).map_err(|_| {
            Fault::new(
                Class::Rejected,
                "pool-not-configured",
                format!("{} is no longer a pool here", allocation.pool),
            )
        })
    }

    /// Where proofs in a pool start: the configured anchor, or the pool's own key as PowerDNS holds it.
    pub(crate) async fn anchor(&self, pool: &ZoneName) -> Result<(BTreeSet<DsRecord>, &'static str), Fault> {
        if let Some(anchor) = self.settings.anchors.get(pool) {
            return Ok((anchor.clone(), "configured anchor"));
        }
        let known = self.anchors.read().unwrap_or_else(PoisonError::into_inner).get(pool).cloned();
        if let Some(known) = known {
            return Ok((known, "pool key"));
        }
        let ds = self.parts.parent.pool_ds(pool).await?;
        self.anchors.write().unwrap_or_else(PoisonError::into_inner).insert(pool.clone(), ds.clone());
        Ok((ds, "pool key"))
    }

    /// Read the pool's key again at the next proof.
    pub(crate) fn forget_anchor(&self, pool: &ZoneName) {
        self.anchors.write().unwrap_or_else(PoisonError::into_inner).remove(pool);
    }

    /// Whether writes for this pool are stopped. Known within one poll on every replica.
    pub(crate) fn is_frozen(&self, pool: &ZoneName) -> bool {
        let freezes = self.freezes.read().unwrap_or_else(PoisonError::into_inner);
        freezes.iter().any(|f| f.pool.as_ref().is_none_or(|p| p == pool))
    }

    pub(crate) async fn refresh_freezes(&self) -> Result<(), Fault> {
        let now = self.parts.store.freezes().await?;
        *self.freezes.write().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(())
    }

    /// What this process needs, and whether it answers, each by name.
    pub async fn ready(&self) -> Vec<(&'static str, Result<String, String>)> {
        let ask = async |what: &'static str, answer: Result<String, Fault>| {
            (what, answer.map_err(|f| f.to_string()))
        };
        let patience = Duration::from_secs(3);
        let late = |what: &str| Fault::transient("no-answer", format!("{what} did not answer within 3 s"));
        let store = tokio::time::timeout(patience, self.parts.store.now());
        let zones = tokio::time::timeout(patience, self.parts.zones.health());
        let (store, zones) = tokio::join!(store, zones);
        let store = store.unwrap_or_else(|_| Err(late("the store"))).map(|now| now.to_string());
        let zones = zones.unwrap_or_else(|_| Err(late("PowerDNS")));
        let age = if self.read_only() {
            Err(Fault::new(
                Class::Rejected,
                "read-only",
                "the store is older than the DNS; run `pdm store recover`",
            ))
        } else {
            Ok("not older than the DNS".to_owned())
        };
        vec![ask("store", store).await, ask("powerdns", zones).await, ask("store-age", age).await]
    }
}
