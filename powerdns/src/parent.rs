//! The parent's side of the operator's own pools: the pool zone on the same servers.
//!
//! Reads that a decision rests on are made when they are asked for. Changes go to the pool's one writer
//! ([`crate::writer`]), which holds the zone's lease, compares, and writes everything that waits in one PATCH.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pdm_model::{Delegation, DsRecord, Ttls, ZoneName};
use pdm_ports::parent::ZoneLease;
use pdm_ports::{Class, DelegationChange, Fault, ParentSide, ZoneBackend};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::answer::ApiError;
use crate::backend::PowerDns;
use crate::client::Request;
use crate::head;
use crate::view::{self, ChildZone, View};
use crate::writer::{self, Job, Memory, Room, Waiter};

/// How old a look at the whole pool may be that answers for one name.
const LATELY: Duration = Duration::from_millis(250);

/// A nameserver of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolNameserver {
    /// Its name.
    pub name: ZoneName,
    /// Its addresses, needed as glue when its name lies in the pool.
    pub addresses: Vec<IpAddr>,
}

/// A pool zone as it should be.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The zone.
    pub zone: ZoneName,
    /// Its nameservers; the first is its SOA MNAME.
    pub nameservers: Vec<PoolNameserver>,
    /// TTLs of what PDM writes into it.
    pub ttls: Ttls,
}

/// The parent's side of all configured pools.
pub struct PoolParent {
    pools: BTreeMap<ZoneName, Pool>,
}

struct Pool {
    room: Arc<Room>,
    jobs: mpsc::Sender<Job>,
}

impl std::fmt::Debug for PoolParent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.pools.keys()).finish()
    }
}

impl PoolParent {
    /// Start one writer for each pool, on the current Tokio runtime. Nothing is called yet. The writers end when this
    /// is dropped.
    #[must_use]
    pub fn new(dns: Arc<PowerDns>, pools: Vec<PoolConfig>, lease: Arc<dyn ZoneLease>) -> Self {
        let holder = uuid::Uuid::new_v4().to_string();
        let pools = pools
            .into_iter()
            .map(|config| {
                let zone = config.zone.clone();
                let room = Arc::new(Room {
                    dns: dns.clone(),
                    usual: config.nameservers.iter().map(|server| server.name.clone()).collect(),
                    config,
                    lease: lease.clone(),
                    holder: holder.clone(),
                    memory: Mutex::new(Memory::default()),
                });
                let (jobs, queue) = mpsc::channel(writer::QUEUE);
                tokio::spawn(writer::run(room.clone(), queue));
                (zone, Pool { room, jobs })
            })
            .collect();
        Self { pools }
    }

    fn pool(&self, zone: &ZoneName) -> Result<&Pool, Fault> {
        self.pools.get(zone).ok_or_else(|| {
            Fault::new(Class::Rejected, "pool-unknown", format!("{zone} is not a configured pool"))
        })
    }

    /// The pool's own room, for preparing its zone.
    pub(crate) fn room(&self, zone: &ZoneName) -> Result<&Room, Fault> {
        self.pool(zone).map(|pool| &*pool.room)
    }

    /// The pool right above a child. Deeper names are refused: without rectifying, the names in between would not
    /// exist, and resolvers would deny the real one too.
    fn above(&self, child: &ZoneName) -> Result<&Pool, Fault> {
        child.parent().and_then(|zone| self.pools.get(&zone)).ok_or_else(|| {
            let text = format!("{child} is not one label below a configured pool");
            Fault::new(Class::Rejected, "not-a-pool-child", text)
        })
    }

    /// Look at one pool's contents as they are now.
    async fn look<T>(&self, zone: &ZoneName, read: impl FnOnce(&View, &Memory) -> T) -> Result<T, Fault> {
        let pool = self.pool(zone)?;
        let mut memory = pool.room.memory.lock().await;
        pool.room.refresh(&mut memory).await?;
        if memory.rectify_due {
            // Writing is the writer's; if its queue is full it will find out by itself.
            let _ = pool.jobs.try_send(Job::Nudge);
        }
        let view = memory.view.as_ref().ok_or_else(|| writer::pool_missing(zone))?;
        Ok(read(view, &memory))
    }

    async fn read_owner(&self, pool: &Room, owner: &str, rtype: Option<&str>) -> Result<Vec<u8>, Fault> {
        let zone = pool.config.zone.dotted();
        let rtype = rtype.map(|rtype| format!("&rrset_type={rtype}")).unwrap_or_default();
        let path = format!("/zones/{zone}?rrset_name={owner}{rtype}");
        match pool.dns.instances.primary().call(Request::get("get-rrset", path)).await {
            Ok(reply) => Ok(reply.body),
            Err(ApiError::Missing) => Err(writer::pool_missing(&pool.config.zone)),
            Err(error) => Err(error.into_fault()),
        }
    }
}

#[async_trait]
impl ParentSide for PoolParent {
    async fn observe(&self, child: &ZoneName) -> Result<Delegation, Fault> {
        let pool = self.above(child)?;
        let owner = child.dotted();
        let body = self.read_owner(&pool.room, &owner, None).await?;
        let mut found = Delegation::default();
        head::read(&body, &mut |rrset| view::delegation(&owner, rrset, &mut found))?;
        Ok(found)
    }

    async fn observe_lately(&self, child: &ZoneName) -> Result<Delegation, Fault> {
        let pool = self.above(child)?;
        // Whoever writes at this moment holds the memory, and leaves it as true as an answer of the server would be.
        if let Ok(memory) = tokio::time::timeout(LATELY, pool.room.memory.lock()).await
            && let Some(view) = memory.lately(LATELY)
            && let Some(known) = view.known(child.first_label())
        {
            return Ok(known);
        }
        self.observe(child).await
    }

    async fn apply(
        &self,
        child: &ZoneName,
        change: DelegationChange,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let pool = self.above(child)?;
        let (answer, answered) = oneshot::channel();
        let trace = pdm_ports::trace::traceparent();
        let waiter = Waiter { label: child.first_label().into(), change, deadline, trace, answer };
        let gone = || Fault::new(Class::Bug, "pool-writer-gone", "the pool's writer has ended");
        pool.jobs.send(Job::Apply(waiter)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    async fn mark(&self, pool: &ZoneName) -> Result<Option<i64>, Fault> {
        let room = self.room(pool)?;
        let owner = view::mark_owner(pool);
        let body = self.read_owner(room, &owner, Some(view::MARK_TYPE)).await?;
        let mut mark = None;
        head::read(&body, &mut |rrset| {
            if rrset.name == owner {
                mark = mark.max(view::read_mark(rrset));
            }
        })?;
        Ok(mark)
    }

    async fn foreign_names(&self, pool: &ZoneName) -> Result<BTreeSet<ZoneName>, Fault> {
        let room = self.room(pool)?;
        let unproved = self.look(pool, |view, _| view.unproved().next().is_some()).await?;
        let mut zones: BTreeMap<String, ChildZone> = BTreeMap::new();
        if unproved {
            // One list instead of a question for each delegation.
            room.dns
                .each_zone(&mut |name, account, _| {
                    if let Some(label) = name.strip_suffix(pool.as_str()).and_then(|l| l.strip_suffix('.')) {
                        zones.insert(label.to_owned(), writer::child_zone(account));
                    }
                })
                .await?;
        }
        let mut memory = room.memory.lock().await;
        let view = memory.view.as_mut().ok_or_else(|| writer::pool_missing(pool))?;
        Ok(view.foreign_names(&room.usual, &zones))
    }

    async fn each_delegation(
        &self,
        pool: &ZoneName,
        each: &mut (dyn FnMut(ZoneName, Delegation) + Send),
    ) -> Result<(), Fault> {
        self.look(pool, |view, _| view.delegations().for_each(|(name, there)| each(name, there))).await
    }

    async fn foreign_serial(&self, pool: &ZoneName) -> Result<u32, Fault> {
        self.look(pool, |_, memory| memory.foreign_serial).await
    }

    async fn pool_ds(&self, pool: &ZoneName) -> Result<BTreeSet<DsRecord>, Fault> {
        let room = self.room(pool)?;
        let keys = room.dns.read_keys(pool).await?.ok_or_else(|| writer::pool_missing(pool))?;
        Ok(keys.into_iter().filter(|key| key.active && key.published).filter_map(|key| key.ds).collect())
    }
}
