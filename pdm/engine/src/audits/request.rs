//! What an audit is told: what should be, what PDM holds, and where the view starts.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};

use pdm_model::byo::ProvedBy;
use pdm_model::{Allocation, Delegation, DsRecord, Mode, Phase, RRset, RecordType, Timestamp, Ttl, ZoneName};
use pdm_ports::Fault;
use pdm_ports::audit::{Above, AuditRequest, Editor, Intent, PoolFacts, Registration};
use pdm_ports::store::Filter;
use uuid::Uuid;

use crate::engine::Engine;

/// Rows read at once.
const PAGE: u32 = 500;
/// Records of a pool that point to other names, at most.
const POINTING: usize = 500;
/// Names that are asked about again, at most.
const AGAIN: usize = 50;

fn editor(mode: Mode) -> Editor {
    match mode {
        Mode::Pool => Editor::Pool,
        Mode::ByoManual => Editor::ByoManual,
        Mode::ByoApi => Editor::ByoApi,
    }
}

/// Seconds since somebody looked for the proof of ownership. What is delegated to us proves itself.
fn proved_ago(a: &Allocation, now: Timestamp) -> Option<u64> {
    let ownership = &a.byo.as_ref()?.ownership;
    match ownership.by {
        ProvedBy::Txt | ProvedBy::IssuedNames => Some(now.since(ownership.at).as_secs()),
        ProvedBy::Delegation => None,
    }
}

impl Engine {
    /// A Sovereign.
    pub(super) async fn request_for(&self, a: &Allocation, undelegated: bool) -> Result<AuditRequest, Fault> {
        let (zone, parent) =
            tokio::join!(self.parts.zones.read_zone(&a.fqdn), self.parts.parent.observe(&a.fqdn));
        // What cannot be read is not known; the report says so.
        let held = zone.ok().map(|zone| zone.map(|zone| zone.rrsets).unwrap_or_default());
        let ttls = self.settings.pools.get(&a.pool).map(|pool| pool.ttls).unwrap_or_default();
        let intent = Intent {
            editor: editor(a.mode),
            active: a.phase == Phase::Active || undelegated,
            ns: self.settings.nameservers.iter().cloned().collect(),
            ds: a.observed.ds.iter().cloned().collect(),
            rrsets: self.desired(a).await?,
            soa: self.settings.soa.clone(),
            ttls,
            held,
            // A foreign parent is seen in the DNS only.
            parent_held: parent.ok().filter(|_| editor(a.mode) == Editor::Pool),
            kept: self.carried_mail(a).await?,
            proved_ago: proved_ago(a, self.parts.store.now().await?),
            ca: self.settings.audit.ca.clone(),
        };
        let above = match editor(a.mode) {
            Editor::Pool if self.settings.private_view => Some(self.above(&a.pool).await?),
            Editor::Pool | Editor::ByoManual | Editor::ByoApi => None,
        };
        Ok(AuditRequest { intent: Some(intent), above, undelegated, ..self.request_about(&a.fqdn) })
    }

    /// A name that PDM does not keep.
    pub(super) fn request_for_stranger(&self, name: &ZoneName) -> AuditRequest {
        AuditRequest { servers: Vec::new(), ..self.request_about(name) }
    }

    /// A pool, with what belongs to nobody in it.
    pub(super) async fn request_for_pool(&self, pool: &ZoneName) -> Result<AuditRequest, Fault> {
        let facts = self.pool_facts(pool).await?;
        let above = if self.settings.private_view { Some(self.above(pool).await?) } else { None };
        Ok(AuditRequest { pool: Some(facts), above, ..self.request_about(pool) })
    }

    fn request_about(&self, name: &ZoneName) -> AuditRequest {
        AuditRequest {
            id: Uuid::now_v7().to_string(),
            fqdn: name.clone(),
            intent: None,
            pool: None,
            above: None,
            public: false,
            servers: self.settings.servers.clone(),
            undelegated: false,
            random_label: format!("pdm-{}", Uuid::new_v4().simple()),
            excused: self.settings.audit.excused.clone(),
            registration: Registration::Unknown(
                "audit.rdap does not say where to ask for registration data".to_owned(),
            ),
            networks: self.settings.audit.networks.clone(),
        }
    }

    async fn above(&self, pool: &ZoneName) -> Result<Above, Fault> {
        let (anchor, _) = self.anchor(pool).await?;
        Ok(Above { zone: pool.clone(), servers: self.settings.servers.clone(), anchor })
    }

    async fn pool_facts(&self, pool: &ZoneName) -> Result<PoolFacts, Fault> {
        let ours: BTreeSet<ZoneName> = self.settings.nameservers.iter().cloned().collect();
        // Of a DS set only enough to see whether another is the same.
        let (digests, mut delegations) = (RandomState::new(), BTreeMap::new());
        let mut elsewhere = Vec::new();
        let mut keep = |name: ZoneName, there: Delegation| {
            if !there.ns.is_empty() && there.ns.is_disjoint(&ours) {
                elsewhere.push(apex_ns(&name, &there.ns));
            }
            delegations.insert(name, digests.hash_one(&there.ds));
        };
        let (zones, (), held) = tokio::try_join!(
            self.parts.zones.list_zones(),
            self.parts.parent.each_delegation(pool, &mut keep),
            self.parts.zones.read_zone(pool),
        )?;
        // There may be very many rows: little of each is kept.
        let mut rows: BTreeMap<ZoneName, (String, Phase)> = BTreeMap::new();
        let mut doubtful = Vec::new();
        let mut after = None;
        loop {
            let filter = Filter { pool: Some(pool.clone()), after, limit: PAGE, ..Filter::default() };
            let page = self.parts.store.allocations(&filter).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.fqdn.as_str().to_owned());
            for row in page {
                let ds: BTreeSet<DsRecord> = row.observed.ds.into_iter().collect();
                let there = delegations.get(&row.fqdn).filter(|_| row.phase == Phase::Active);
                if there.is_some_and(|there| *there != digests.hash_one(&ds)) && doubtful.len() < AGAIN {
                    doubtful.push((row.fqdn.clone(), ds));
                }
                rows.insert(row.fqdn, (row.id, row.phase));
            }
        }
        let ids: BTreeSet<&str> = rows.values().map(|(id, _)| id.as_str()).collect();
        let orphan_zones = zones.iter().filter(|zone| {
            let ours = zone.allocation.as_deref().is_some_and(|id| !ids.contains(id));
            ours && ZoneName::parse(&zone.name).is_ok_and(|name| name != *pool && name.is_at_or_below(pool))
        });
        let in_phase = |phase| rows.iter().filter(move |(_, row)| row.1 == phase).map(|(name, _)| name);
        let expects = |name: &ZoneName| rows.get(name).is_some_and(|row| row.1 != Phase::Quarantined);
        let orphan_delegations = delegations.keys().filter(|name| !expects(name));
        let released: BTreeSet<&ZoneName> = in_phase(Phase::Quarantined).collect();
        let below = |name: &str| {
            let there = ZoneName::parse(name).ok().filter(|name| name != pool && name.is_at_or_below(pool));
            there.filter(|name| !self.settings.pools.contains_key(name))
        };
        let foreign_zones = zones.iter().filter(|zone| {
            let lent = below(&zone.name).is_none_or(|name| rows.contains_key(&name));
            zone.allocation.is_none() && !lent
        });
        let there: BTreeSet<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
        let active = || in_phase(Phase::Active);
        let zoneless: Vec<&ZoneName> =
            active().filter(|name| !there.contains(name.as_str())).take(AGAIN).collect();
        let undelegated: Vec<&ZoneName> =
            active().filter(|name| !delegations.contains_key(*name)).take(AGAIN).collect();
        let rrsets = held.map(|zone| zone.rrsets).unwrap_or_default();
        Ok(PoolFacts {
            orphan_zones: orphan_zones.map(|zone| zone.name.clone()).collect(),
            foreign_zones: foreign_zones.map(|zone| zone.name.clone()).collect(),
            missing_zones: self.still_without_zone(&zoneless).await?,
            orphan_delegations: orphan_delegations.map(ToString::to_string).collect(),
            missing_delegations: self.still_undelegated(&undelegated).await?,
            elsewhere,
            wrong_ds: self.still_wrong(doubtful).await?,
            referenced: referenced(&rrsets, &released),
            pointing: rrsets.into_iter().filter(points).take(POINTING).collect(),
        })
    }

    /// The lists are of one moment and the rows of another: whoever is said to lack something is asked about again.
    async fn still_without_zone(&self, names: &[&ZoneName]) -> Result<Vec<String>, Fault> {
        let mut missing = Vec::new();
        for name in names {
            if self.parts.zones.read_keys(name).await?.is_none() {
                missing.push(name.to_string());
            }
        }
        Ok(missing)
    }

    /// Name, DS in the pool, and DS as it should be.
    async fn still_wrong(
        &self,
        doubtful: Vec<(ZoneName, BTreeSet<DsRecord>)>,
    ) -> Result<Vec<(String, String, String)>, Fault> {
        let mut wrong = Vec::new();
        for (name, wanted) in doubtful {
            let there = self.parts.parent.observe(&name).await?.ds;
            if there != wanted {
                wrong.push((name.to_string(), listed(&there), listed(&wanted)));
            }
        }
        Ok(wrong)
    }

    async fn still_undelegated(&self, names: &[&ZoneName]) -> Result<Vec<String>, Fault> {
        let mut missing = Vec::new();
        for name in names {
            if self.parts.parent.observe(name).await?.ns.is_empty() {
                missing.push(name.to_string());
            }
        }
        Ok(missing)
    }
}

/// A delegation as an RRset.
fn apex_ns(name: &ZoneName, ns: &BTreeSet<ZoneName>) -> RRset {
    RRset::new(name.dotted(), RecordType::Ns, Ttl::new(0), ns.iter().map(ZoneName::dotted))
}

/// It makes somebody else answer for a name.
fn points(rrset: &RRset) -> bool {
    matches!(rrset.rtype.as_str(), "CNAME" | "MX" | "SRV")
}

fn listed(ds: &BTreeSet<DsRecord>) -> String {
    if ds.is_empty() {
        return "nothing".to_owned();
    }
    ds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Records that point to a released name or below it.
fn referenced(rrsets: &[RRset], released: &BTreeSet<&ZoneName>) -> Vec<(String, String)> {
    let targets = |rrset: &RRset| -> Vec<ZoneName> {
        let last = |content: &String| content.split_ascii_whitespace().last().map(ZoneName::parse);
        rrset.records.iter().filter_map(last).flatten().collect()
    };
    rrsets
        .iter()
        .filter(|rrset| points(rrset) || rrset.rtype == RecordType::Ns)
        .flat_map(|rrset| {
            let hit =
                targets(rrset).into_iter().filter(|t| released.iter().any(|name| t.is_at_or_below(name)));
            hit.map(|t| (format!("{} {}", rrset.owner, rrset.rtype), t.to_string())).collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_point_to_released_names_are_named() {
        let gone = ZoneName::parse("gone.omani.works").unwrap();
        let set = |owner: &str, kind: &str, content: &str| {
            RRset::new(owner, RecordType::from(kind.to_owned()), Ttl::new(60), [content])
        };
        let rrsets = [
            set("www.omani.works.", "CNAME", "api.gone.omani.works."),
            set("mail.omani.works.", "MX", "10 gone.omani.works."),
            set("other.omani.works.", "CNAME", "begone.omani.works."),
            set("text.omani.works.", "TXT", "\"gone.omani.works.\""),
        ];
        let found = referenced(&rrsets, &BTreeSet::from([&gone]));
        let owners: Vec<&str> = found.iter().map(|(record, _)| record.as_str()).collect();
        assert_eq!(owners, ["www.omani.works. CNAME", "mail.omani.works. MX"]);
    }
}
