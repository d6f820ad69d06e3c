//! What should be in a zone: the six names and the apex, joined with what was carried over.
//!
//! Until the move is over the carried records are ours to keep right. Afterwards they are their owner's: PDM holds only
//! on to who has the names that both wanted.

use std::collections::BTreeSet;

use pdm_carry_over::{CarriedZone, merge};
use pdm_model::canonical::{CANONICAL_LABELS, Change, diff};
use pdm_model::rrset::owner_in;
use pdm_model::{Allocation, Parent, Phase, RRset, RecordType};
use pdm_ports::Fault;

use crate::engine::Engine;

/// Carried sets that one proof asks for. All of them are compared with the old servers before the move; a proof is about
/// the chain, and asks every server twice.
const MAX_PROVED: usize = 100;

impl Engine {
    /// What was carried over for an allocation; a name in a pool has nothing.
    pub(crate) async fn carried(&self, allocation: &Allocation) -> Result<Option<(CarriedZone, i64)>, Fault> {
        match allocation.mode.parent() {
            Parent::Ours => Ok(None),
            Parent::Foreign => self.parts.store.carried(&allocation.id).await,
        }
    }

    /// What should be in an allocation's zone, besides SOA and keys. Ours stand in front.
    ///
    /// # Errors
    /// A fault of the store.
    pub async fn desired(&self, allocation: &Allocation) -> Result<Vec<RRset>, Fault> {
        let carried = self.carried(allocation).await?;
        self.joined(allocation, carried.as_ref().map(|(zone, _)| zone)).await
    }

    async fn joined(
        &self,
        allocation: &Allocation,
        carried: Option<&CarriedZone>,
    ) -> Result<Vec<RRset>, Fault> {
        let ours = self.own_rrsets_now(allocation).await?;
        let Some(carried) = carried else { return Ok(ours) };
        let over = match allocation.phase {
            Phase::Reserved | Phase::Provisioning | Phase::Delegating => false,
            Phase::Active | Phase::Releasing | Phase::Quarantined | Phase::Freed => true,
        };
        let mut merged = merge(&allocation.fqdn, carried, &ours);
        let six: BTreeSet<String> =
            CANONICAL_LABELS.iter().map(|label| owner_in(&allocation.fqdn, label)).collect();
        let contested: BTreeSet<String> = merged.conflicts.into_iter().map(|c| c.owner).collect();
        merged.sets.retain(|set| {
            let own = ours.iter().any(|o| o.key() == set.key());
            // A suspended Sovereign answers for none of the six, whoever had them before.
            let stopped = allocation.suspended.is_some() && six.contains(&set.owner) && leads(&set.rtype);
            own || !stopped && (!over || contested.contains(&set.owner) && leads(&set.rtype))
        });
        Ok(merged.sets)
    }

    /// What a proof asks for.
    pub(crate) async fn proved_rrsets(&self, allocation: &Allocation) -> Result<Vec<RRset>, Fault> {
        let mut all = self.desired(allocation).await?;
        all.truncate(self.own_rrsets_now(allocation).await?.len() + MAX_PROVED);
        Ok(all)
    }

    /// The difference between what is in a zone and what should be. Carried sets that are no more go out first.
    pub(crate) async fn changes(
        &self,
        allocation: &Allocation,
        observed: &[RRset],
    ) -> Result<Vec<Change>, Fault> {
        let carried = self.carried(allocation).await?;
        let desired = self.joined(allocation, carried.as_ref().map(|(zone, _)| zone)).await?;
        let retired = carried.iter().flat_map(|(zone, _)| &zone.retired);
        let gone = retired.filter(|(owner, rtype)| {
            let key = (owner.as_str(), rtype);
            observed.iter().any(|s| s.key() == key) && !desired.iter().any(|s| s.key() == key)
        });
        let mut changes: Vec<Change> =
            gone.map(|(owner, rtype)| Change::Delete(owner.clone(), rtype.clone())).collect();
        for change in diff(&allocation.fqdn, &desired, observed) {
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        Ok(changes)
    }
}

fn leads(rtype: &RecordType) -> bool {
    pdm_carry_over::CARRIED.iter().any(|t| t.leads && t.name == rtype.as_str())
}
