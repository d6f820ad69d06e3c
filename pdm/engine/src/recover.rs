//! Rebuilds a store that is older than the DNS from the stamps in the zones.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use pdm_lua_records::Spec;
use pdm_model::byo::{Byo, Ownership, ProvedBy};
use pdm_model::canonical::CANONICAL_LABELS;
use pdm_model::registered::{Belongs, belongs};
use pdm_model::rrset::owner_in;
use pdm_model::{
    Allocation, AuditEntry, Delegation, Drain, Force, LoadBalancer, Mode, Observed, Parent, Phase,
    RecordType, Target, Timestamp, ZoneName,
};
use pdm_ports::Fault;
use pdm_ports::zone::{ObservedZone, Stamp};
use tracing::{info, warn};

use crate::engine::Engine;
use crate::steps::ds_of;

/// What a recovery did.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Allocations that were put back or brought forward.
    pub restored: u64,
    /// Zones with our mark that could not be read back; somebody has to look.
    pub orphans: Vec<String>,
}

impl Engine {
    /// Put back every allocation that only its zone's stamp remembers, and place new operations after the DNS's mark.
    ///
    /// # Errors
    /// The first fault of PowerDNS or the store; running it again goes on.
    pub async fn recover(&self, actor: &str) -> Result<Recovered, Fault> {
        let mut result = Recovered::default();
        for summary in self.parts.zones.list_zones().await? {
            if summary.allocation.is_none() {
                continue;
            }
            let lost = |result: &mut Recovered| result.orphans.push(summary.name.clone());
            let Ok(name) = ZoneName::parse(&summary.name) else {
                lost(&mut result);
                continue;
            };
            let in_pool = name.parent().filter(|p| self.settings.pools.contains_key(p));
            let (pool, mode) = match (in_pool, belongs(&name)) {
                (Some(pool), _) => (pool, Mode::Pool),
                // A brought domain. Who edits its parent is lost with the store; a person always can.
                (None, Belongs::Registered(registered)) => (registered, Mode::ByoManual),
                (None, Belongs::PublicSuffix) => {
                    lost(&mut result);
                    continue;
                }
            };
            let Some(zone) = self.parts.zones.read_zone(&name).await? else { continue };
            let Some(stamp) = zone.stamp.clone().filter(|s| s.generation > 0) else {
                warn!(zone = %name, "its stamp cannot be read");
                lost(&mut result);
                continue;
            };
            let keys = self.parts.zones.read_keys(&name).await?.unwrap_or_default();
            let observed = Observed {
                ds: ds_of(&keys),
                parent: self.parent_of(&name, mode).await?,
                ..Observed::default()
            };
            let Some(allocation) = rebuilt((&name, &pool, mode), stamp, &zone, observed) else {
                lost(&mut result);
                continue;
            };
            let entry =
                AuditEntry::new(actor, "recover", &name, format!("generation {}", allocation.generation));
            if self.parts.store.restore(&allocation, entry).await? {
                info!(zone = %name, "put back");
                result.restored += 1;
            }
        }
        for pool in self.settings.pools.keys() {
            if let Some(mark) = self.parts.parent.mark(pool).await? {
                self.parts.store.raise_mark(mark).await?;
            }
        }
        self.read_only.store(false, std::sync::atomic::Ordering::Relaxed);
        Ok(result)
    }
}

impl Engine {
    /// What the parent holds for a name that is put back.
    async fn parent_of(&self, name: &ZoneName, mode: Mode) -> Result<Delegation, Fault> {
        match mode.parent() {
            Parent::Ours => self.parts.parent.observe(name).await,
            // The next sweep looks.
            Parent::Foreign => Ok(Delegation::default()),
        }
    }
}

/// The policy that the LUA records carry out; none when there are none at any of the six names. What was forced down is
/// not among them any more; what was forced up is let go by the next sweep, since its end is lost with the store.
fn computed_target(
    name: &ZoneName,
    zone: &ObservedZone,
) -> Result<Option<Target>, pdm_lua_records::ReadError> {
    let at = |owner: String| zone.rrsets.iter().find(|r| r.owner == owner && r.rtype == RecordType::Lua);
    let Some(lua) = CANONICAL_LABELS.iter().find_map(|label| at(owner_in(name, label))) else {
        return Ok(None);
    };
    let contents: Vec<&str> = lua.records.iter().map(String::as_str).collect();
    let policy = pdm_lua_records::read(&contents, lua.ttl.seconds())?;
    let spec = Spec::from(policy);
    let drain = |region: &String| Drain {
        region: region.clone(),
        force: Force::Up,
        until: Timestamp::default(),
        by: "pdm store recover".to_owned(),
    };
    Ok(Some(Target {
        load_balancers: pdm_lua_records::spec::load_balancers(&spec),
        drains: spec.forced_up.iter().map(drain).collect(),
        failover: Some(spec.failover),
    }))
}

/// An allocation as its zone tells it. Active, so that the sweep compares and proves it. None when its names are computed
/// by what is no policy of ours: it goes on answering, and somebody has to look.
fn rebuilt(
    (name, pool, mode): (&ZoneName, &ZoneName, Mode),
    stamp: Stamp,
    zone: &ObservedZone,
    observed: Observed,
) -> Option<Allocation> {
    let at_apex = |rtype: RecordType| -> BTreeSet<String> {
        let dotted = name.dotted();
        let set = zone.rrsets.iter().find(|r| r.owner == dotted && r.rtype == rtype);
        set.map(|r| r.records.clone()).unwrap_or_default()
    };
    let computed = match computed_target(name, zone) {
        Ok(computed) => computed,
        Err(error) => {
            warn!(zone = %name, %error, "its LUA records are not a policy of ours");
            return None;
        }
    };
    let v4 = at_apex(RecordType::A).into_iter().filter_map(|a| a.parse::<Ipv4Addr>().ok());
    let v6 = at_apex(RecordType::Aaaa).into_iter().filter_map(|a| a.parse::<Ipv6Addr>().ok());
    let mut v6: Vec<_> = v6.collect();
    let mut load_balancers: Vec<LoadBalancer> = Vec::new();
    let plain = |ipv4, ipv6| LoadBalancer { ipv4, ipv6, ..LoadBalancer::default() };
    for ipv4 in v4 {
        let ipv6 = if v6.is_empty() { None } else { Some(v6.remove(0)) };
        load_balancers.push(plain(Some(ipv4), ipv6));
    }
    load_balancers.extend(v6.into_iter().map(|ipv6| plain(None, Some(ipv6))));
    let plain = (!load_balancers.is_empty()).then(|| Target::plain(load_balancers));
    let target = computed.or(plain);
    // A zone without addresses was suspended; its target is lost with the store and has to be given again.
    let suspended = target.is_none().then(|| "recovered without addresses".to_owned());
    Some(Allocation {
        id: stamp.allocation.clone(),
        fqdn: name.clone(),
        pool: pool.clone(),
        mode,
        owner: stamp.owner,
        phase: Phase::Active,
        generation: stamp.generation,
        committed: target.clone(),
        target,
        commit_operation: None,
        suspended,
        legacy: false,
        created_by: None,
        request_key: None,
        reserved_at: Timestamp::default(),
        expires_at: Timestamp::default(),
        quarantined_until: None,
        conditions: Vec::new(),
        observed,
        proof: None,
        updated_at: Timestamp::default(),
        byo: (mode != Mode::Pool).then(|| Byo {
            registered: pool.clone(),
            registrar: None,
            ownership: Ownership {
                by: ProvedBy::Delegation,
                at: Timestamp::default(),
                claim: stamp.allocation.clone(),
                asked: None,
            },
            yielded: false,
        }),
        keys: pdm_model::KeyIntent::default(),
    })
}
