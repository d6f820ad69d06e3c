//! A pool's own keys. The same tables move them as a Sovereign's; the parent is edited by nobody here, so that a DS is
//! asked for, and waited for, at the registrar of the pool. What is kept stands in one row of the store, and one
//! process drives it at a time.
//!
//! If the process dies before an action, the next one finds the same stage and decides again; after it, it finds it done.

mod roll;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pdm_dnssec::roll::{Held, Parent, Setting, ds_in_roll, ds_of_held};
use pdm_dnssec::{Dnskey, Name};
use pdm_model::keys::{KeyPolicy, Layout, RollKind};
use pdm_model::pool_keys::PoolKeys;
use pdm_model::{AuditEntry, Pool, Timestamp, Who, ZoneName};
use pdm_ports::{Class, Fault, Signing};
use tokio::sync::watch as told;
use tracing::{debug, error};

use crate::engine::Engine;

/// What an editor who is a person can do.
const BY_HAND: Parent = Parent { ds_max: usize::MAX, scans_only: false, by_hand: true };

/// One pool being driven.
struct Turn {
    engine: Arc<Engine>,
    pool: ZoneName,
    keys: PoolKeys,
    version: Option<i64>,
    /// The store's time when the turn began, and when that was.
    now: (Timestamp, Instant),
    audit: Vec<AuditEntry>,
}

impl Turn {
    /// The store's time, carried forward by our own monotonic clock.
    fn now(&self) -> Timestamp {
        self.now.0 + self.now.1.elapsed()
    }

    fn name(&self) -> Name {
        Name::from(&self.pool)
    }

    fn tell(&mut self, action: &str, detail: impl Into<String>) {
        self.audit.push(AuditEntry::new("pdm", action, &self.pool, detail.into()));
    }

    /// Write down what was learnt. Whoever asked for something meanwhile, or drives now, is not overwritten.
    async fn keep(&mut self) -> Result<(), Fault> {
        let store = &self.engine.parts.store;
        let audit = std::mem::take(&mut self.audit);
        if !store.put_pool_keys(&self.pool, &self.keys, self.version, audit).await? {
            return Err(Fault::new(Class::Fenced, "pool-keys-changed", "the pool's keys changed meanwhile"));
        }
        self.version = Some(self.version.map_or(1, |version| version + 1));
        Ok(())
    }

    fn policy(&self, held: &[Held]) -> Result<KeyPolicy, Fault> {
        Ok(policy(self.engine.own_pool(&self.pool)?, &self.keys, held))
    }

    fn setting(&self, policy: &KeyPolicy) -> Setting {
        let state = &self.keys.state;
        let back = state.roll.as_ref().is_some_and(|roll| roll.kind == RollKind::Secure);
        Setting {
            digest: policy.digest,
            cds: policy.cds,
            secure: !state.insecure || back,
            ds_by: Who::Operator,
        }
    }

    /// The DS set that the parent is to hold now.
    fn wanted(&self, policy: &KeyPolicy, held: &[Held]) -> BTreeSet<pdm_model::DsRecord> {
        let setting = self.setting(policy);
        match &self.keys.state.roll {
            Some(roll) => ds_in_roll(&self.name(), roll, &setting, held),
            None if !setting.secure => BTreeSet::new(),
            None => ds_of_held(&self.name(), policy, held),
        }
    }
}

/// The policy of a pool's own zone: as somebody gave it, or as the zone is, with the age of ZSKs of the names in it. So
/// nothing changes in a zone that was there before, but for its ZSK growing young again.
fn policy(pool: &Pool, keys: &PoolKeys, held: &[Held]) -> KeyPolicy {
    if let Some(own) = &keys.intent.policy {
        return own.clone();
    }
    let split = held.iter().any(|key| !key.dnskey.is_entry_point());
    let algorithm = held.iter().find(|key| key.dnskey.is_entry_point()).map(|key| key.dnskey.algorithm());
    let layout = match (held.is_empty(), split) {
        // Nobody has looked yet.
        (true, _) => pool.keys.layout,
        (false, true) => Layout::Split,
        (false, false) => Layout::Csk,
    };
    KeyPolicy {
        layout,
        algorithm: algorithm.unwrap_or(pool.keys.algorithm),
        ksk_lifetime: 0,
        cds: false,
        double_ds: false,
        ..pool.keys.clone()
    }
}

impl Engine {
    pub(crate) fn own_pool(&self, name: &ZoneName) -> Result<&Pool, Fault> {
        let gone =
            || Fault::new(Class::Rejected, "pool-not-configured", format!("{name} is no longer a pool here"));
        self.settings.pools.get(name).ok_or_else(gone)
    }

    /// The policy that a pool's own keys follow now.
    pub(crate) fn pool_key_policy(&self, name: &ZoneName, keys: &PoolKeys) -> Result<KeyPolicy, Fault> {
        let known = keys.state.known.iter().filter_map(|age| Dnskey::parse(&age.dnskey));
        let held: Vec<Held> = known.map(|dnskey| Held { dnskey, active: true, published: true }).collect();
        Ok(policy(self.own_pool(name)?, keys, &held))
    }

    /// Drive the keys of every pool until `stop`. The first look comes after one sweep.
    pub(crate) async fn pool_keys_for_ever(self: Arc<Self>, mut stop: told::Receiver<bool>) {
        let mut looks: BTreeMap<ZoneName, Instant> = BTreeMap::new();
        let mut pause = self.settings.sweep;
        while !*stop.borrow() {
            let asked = tokio::select! {
                () = tokio::time::sleep(pause) => false,
                () = self.pool_bell.notified() => true,
                _ = stop.changed() => return,
            };
            pause = self.settings.sweep;
            if !self.may_work() {
                continue;
            }
            for pool in self.settings.pools.keys().cloned().collect::<Vec<_>>() {
                let every = self.settings.pool_ds;
                let due = !every.is_zero() && looks.get(&pool).is_none_or(|at| at.elapsed() >= every);
                let look_at_parent = due && looks.contains_key(&pool);
                match self.clone().pool_turn(&pool, asked, look_at_parent).await {
                    Ok(again) => pause = pause.min(again),
                    Err(fault) if fault.class == Class::Fenced => pause = pause.min(Duration::from_secs(1)),
                    Err(fault) => {
                        metrics::counter!("pdm_pool_key_faults_total", "pool" => pool.to_string())
                            .increment(1);
                        debug!(%pool, %fault, "the pool's keys were not looked at");
                    }
                }
                if due {
                    looks.insert(pool, Instant::now());
                }
            }
        }
    }

    /// One look at a pool's keys, and whatever is due; answers when to look again. A roll that rests is left alone until
    /// its time comes, somebody `asked` for something, or the parent is looked at anyway.
    async fn pool_turn(
        self: Arc<Self>,
        pool: &ZoneName,
        asked: bool,
        look_at_parent: bool,
    ) -> Result<Duration, Fault> {
        let sweep = self.settings.sweep;
        let now = self.parts.store.now().await?;
        let (mut keys, version) = match self.parts.store.pool_keys(pool).await? {
            Some((keys, version)) => (keys, Some(version)),
            None => (PoolKeys::default(), None),
        };
        let before = keys.clone();
        // Long enough for the longest call to a server; who dies meanwhile is followed after it.
        if !keys.take(&self.holder, now, now + self.settings.lease) {
            return Ok(sweep);
        }
        let mut turn = Turn {
            engine: self.clone(),
            pool: pool.clone(),
            keys,
            version,
            now: (now, Instant::now()),
            audit: Vec::new(),
        };
        let missing = || Fault::transient("zone-missing", "the pool's zone is not in PowerDNS");
        let signing = self.parts.zones.read_signing(pool).await?.ok_or_else(missing)?;
        turn.get_acquainted(&signing);
        let rests = turn.keys.wait.as_ref().is_some_and(|wait| wait.until > now) && !asked && !look_at_parent;
        let goes_on = turn.keys.state.roll.is_some() || turn.is_due(&signing)?;
        if version.is_none() || goes_on && !rests {
            turn.keep().await?;
            turn.drive().await?;
        }
        if look_at_parent && turn.keys.state.roll.is_none() {
            turn.look_at_parent(&signing).await?;
        }
        turn.figures();
        let again = turn.keys.wait.as_ref().map_or(sweep, |wait| wait.until.since(turn.now()));
        turn.keys.driver = None;
        let same = PoolKeys { driver: None, ..before };
        if turn.keys != same || turn.version != version {
            turn.keep().await?;
        }
        Ok(again.max(Duration::from_millis(200)))
    }
}

impl Turn {
    /// Learn which keys are there. One that is gone is told once; nothing can bring it back.
    fn get_acquainted(&mut self, signing: &Signing) {
        let now = self.now();
        let lost: Vec<String> = self
            .keys
            .state
            .known
            .iter()
            .filter(|age| !signing.keys.iter().any(|key| key.dnskey == age.dnskey))
            .filter_map(|age| Dnskey::parse(&age.dnskey).map(|key| key.key_tag().to_string()))
            .collect();
        super::acquaint(&mut self.keys.state, &signing.keys, false, now);
        if !lost.is_empty() && self.keys.state.roll.is_none() {
            let detail = format!("keys {} are gone from PowerDNS", lost.join(", "));
            error!(pool = %self.pool, detail, "a pool lost keys");
            self.tell("pool-key-lost", detail);
        }
        let held = super::held(&signing.keys);
        if let Ok(policy) = self.policy(&held) {
            self.keys.ds = self.wanted(&policy, &held);
        }
    }

    fn figures(&self) {
        let (pool, now, state) = (self.pool.to_string(), self.now(), &self.keys.state);
        metrics::gauge!("pdm_pool_looked_timestamp_seconds", "pool" => pool.clone())
            .set(now.0 as f64 / 1000.0);
        let oldest = state.known.iter().map(|age| now.since(age.since).as_secs_f64()).fold(0.0, f64::max);
        metrics::gauge!("pdm_pool_key_oldest_seconds", "pool" => pool.clone()).set(oldest);
        let waits = state.rests.as_ref().map(|rests| (rests.who, now.since(rests.since).as_secs_f64()));
        for who in Who::ALL {
            let seconds = waits.filter(|(whose, _)| *whose == who).map_or(0.0, |(_, seconds)| seconds);
            metrics::gauge!("pdm_pool_roll_waiting_seconds", "pool" => pool.clone(), "who" => who.as_str())
                .set(seconds);
        }
        if let Some(until) = state.signatures_until {
            metrics::gauge!("pdm_pool_signature_expiry_seconds", "pool" => pool.clone())
                .set(until.since(now).as_secs_f64());
        }
        if let Some(seen) = &self.keys.at_parent {
            for standing in pdm_model::pool_keys::DsStanding::ALL {
                let here = f64::from(u8::from(standing == seen.standing));
                metrics::gauge!("pdm_pool_ds", "pool" => pool.clone(), "standing" => standing.as_str())
                    .set(here);
            }
        }
    }
}
