//! Every zone's keys as PowerDNS holds them, beside what the store knows and what the parent has: one look by which a
//! restored database is checked.

use std::collections::BTreeSet;

use pdm_dnssec::{Dnskey, Name};
use pdm_model::keys::{KeyAge, KeyState};
use pdm_model::pool_keys::DsStanding;
use pdm_model::{Allocation, DsRecord, Phase, RollKind, Stage, Timestamp, ZoneName};
use pdm_ports::store::Filter;
use pdm_ports::{Fault, Signing};

use crate::caller::{Caller, Right};
use crate::engine::Engine;
use crate::intents::IntentError;

/// Rows read at once.
const PAGE: u32 = 200;

/// One key of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryKey {
    /// Key tag.
    pub tag: u16,
    /// Algorithm number.
    pub algorithm: u8,
    /// A KSK or CSK.
    pub entry_point: bool,
    /// Signs.
    pub active: bool,
    /// In the DNSKEY RRset.
    pub published: bool,
    /// Since when PDM has known it; none for one that nobody asked for.
    pub since: Option<Timestamp>,
    /// DNSKEY RDATA.
    pub dnskey: String,
}

/// One zone.
#[derive(Debug, Clone)]
pub struct InventoryZone {
    /// Its apex.
    pub zone: ZoneName,
    /// True for a pool, false for a Sovereign.
    pub pool: bool,
    /// The roll under way.
    pub roll: Option<(RollKind, Stage)>,
    /// Its keys.
    pub keys: Vec<InventoryKey>,
    /// DS that the parent is to hold.
    pub ds: BTreeSet<DsRecord>,
    /// DS where the parent is edited; none where PDM does not edit it.
    pub parent: Option<BTreeSet<DsRecord>>,
    /// What is wrong, by stable code, with a sentence.
    pub findings: Vec<(&'static str, String)>,
}

impl Engine {
    /// Look at every zone's keys.
    ///
    /// # Errors
    /// A refusal, or the first fault of PowerDNS or the store.
    pub async fn key_inventory(
        &self,
        caller: &Caller,
        pool: Option<&ZoneName>,
    ) -> Result<Vec<InventoryZone>, IntentError> {
        caller.must(Right::Audit)?;
        let mut zones = Vec::new();
        let scope = caller.pool.as_ref().or(pool).cloned();
        if caller.owner.is_none() {
            for own in self.settings.pools.keys().filter(|own| scope.as_ref().is_none_or(|s| s == *own)) {
                zones.push(self.pool_line(own).await?);
            }
        }
        let mut after = None;
        loop {
            let filter = Filter {
                pool: scope.clone(),
                owner: caller.owner.clone(),
                after: after.clone(),
                limit: PAGE,
                ..Filter::default()
            };
            let page = self.parts.store.allocations(&filter).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.fqdn.as_str().to_owned());
            for allocation in page.iter().filter(|a| a.phase == Phase::Active || a.phase == Phase::Releasing)
            {
                zones.push(self.sovereign_line(allocation).await?);
            }
        }
        Ok(zones)
    }

    async fn pool_line(&self, pool: &ZoneName) -> Result<InventoryZone, Fault> {
        let signing = self.parts.zones.read_signing(pool).await?;
        let kept = self.pool_keys(pool).await?.unwrap_or_default();
        let (roll, known) = known_keys(&kept.state);
        let ds = match roll {
            Some(_) => kept.ds,
            None => self.parts.parent.pool_ds(pool).await.unwrap_or_default(),
        };
        let seen = kept.at_parent.filter(|seen| seen.standing != DsStanding::Unknown);
        let mut line =
            line(pool, true, roll, &known, signing, ds, seen.as_ref().map(|seen| seen.seen.clone()));
        if let Some(seen) = seen.filter(|seen| seen.standing == DsStanding::Missing) {
            line.findings.push(("ds-missing", seen.detail));
        }
        Ok(line)
    }

    async fn sovereign_line(&self, allocation: &Allocation) -> Result<InventoryZone, Fault> {
        let signing = self.parts.zones.read_signing(&allocation.fqdn).await?;
        let keys = signing.as_ref().map(|s| s.keys.clone()).unwrap_or_default();
        let ds = self.wanted_ds(allocation, &keys)?;
        let parent = match allocation.mode.parent() {
            pdm_model::Parent::Ours => self.parts.parent.observe(&allocation.fqdn).await?.ds,
            // As it was last seen from outside.
            pdm_model::Parent::Foreign => allocation.observed.parent.ds.clone(),
        };
        let (roll, known) = known_keys(&allocation.observed.keys);
        Ok(line(&allocation.fqdn, false, roll, &known, signing, ds, Some(parent)))
    }
}

/// The roll under way, and every key that is known or was made for it.
fn known_keys(state: &KeyState) -> (Option<(RollKind, Stage)>, Vec<KeyAge>) {
    let mut known = state.known.clone();
    if let Some(roll) = &state.roll {
        known.extend(roll.new.iter().map(|dnskey| KeyAge { dnskey: dnskey.clone(), since: roll.started_at }));
    }
    (state.roll.as_ref().map(|roll| (roll.kind, roll.stage)), known)
}

fn line(
    zone: &ZoneName,
    pool: bool,
    roll: Option<(RollKind, Stage)>,
    known: &[KeyAge],
    signing: Option<Signing>,
    ds: BTreeSet<DsRecord>,
    parent: Option<BTreeSet<DsRecord>>,
) -> InventoryZone {
    let mut findings = Vec::new();
    let Some(signing) = signing else {
        findings.push(("zone-missing", "the zone is not in PowerDNS".to_owned()));
        return InventoryZone { zone: zone.clone(), pool, roll, keys: Vec::new(), ds, parent, findings };
    };
    let since = |text: &str| known.iter().find(|age| age.dnskey == text).map(|age| age.since);
    let keys: Vec<InventoryKey> = signing
        .keys
        .iter()
        .filter_map(|key| {
            let dnskey = Dnskey::parse(&key.dnskey)?;
            Some(InventoryKey {
                tag: dnskey.key_tag(),
                algorithm: dnskey.algorithm(),
                entry_point: dnskey.is_entry_point(),
                active: key.active,
                published: key.published,
                since: since(&key.dnskey),
                dnskey: key.dnskey.clone(),
            })
        })
        .collect();
    for key in keys.iter().filter(|key| !known.is_empty() && key.since.is_none()) {
        findings.push(("key-unexpected", format!("nobody asked for the key {}", key.tag)));
    }
    for age in known.iter().filter(|age| !signing.keys.iter().any(|key| key.dnskey == age.dnskey)) {
        let tag = Dnskey::parse(&age.dnskey).map(|key| key.key_tag()).unwrap_or_default();
        findings.push(("key-missing", format!("the key {tag} is gone from PowerDNS")));
    }
    if let Some(parent) = &parent {
        let apex = Name::from(zone);
        let held: Vec<Dnskey> = signing
            .keys
            .iter()
            .filter(|key| key.active && key.published)
            .filter_map(|key| Dnskey::parse(&key.dnskey))
            .collect();
        let matches = |ds: &DsRecord| held.iter().any(|key| key.matches(&apex, ds));
        if !parent.is_empty() && !parent.iter().any(matches) {
            findings.push((
                "ds-without-key",
                "no DS of the parent belongs to a key that signs: bogus".to_owned(),
            ));
        } else if *parent != ds {
            findings.push(("ds-differs", "the parent holds another DS set than it should".to_owned()));
        }
    }
    InventoryZone { zone: zone.clone(), pool, roll, keys, ds, parent, findings }
}
