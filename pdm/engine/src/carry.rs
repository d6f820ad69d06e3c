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

    /// Mail as the old zone had it, as far as it is served by us now and by nobody's choice taken over: what must go on for
    /// as long as the domain is with us.
    pub(crate) async fn carried_mail(&self, allocation: &Allocation) -> Result<Vec<RRset>, Fault> {
        let Some((carried, _)) = self.carried(allocation).await? else { return Ok(Vec::new()) };
        let ours = self.own_rrsets_now(allocation).await?;
        let merged = merge(&allocation.fqdn, &carried, &ours).sets;
        let old = merged.into_iter().filter(|set| !ours.iter().any(|own| own.key() == set.key()));
        Ok(mail(&old.collect::<Vec<_>>()))
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

/// The sets that mail needs: MX and the addresses behind it, SPF, DKIM, DMARC, and what says how to deliver.
fn mail(sets: &[RRset]) -> Vec<RRset> {
    let exchanges: BTreeSet<&str> = sets
        .iter()
        .filter(|set| set.rtype.as_str() == "MX")
        .flat_map(|set| set.records.iter().filter_map(|content| content.split_ascii_whitespace().last()))
        .collect();
    let named = |owner: &str| {
        owner.contains("._domainkey.")
            || ["_dmarc.", "_mta-sts.", "_smtp._tls."].iter().any(|l| owner.starts_with(l))
    };
    let is_mail = |set: &&RRset| match set.rtype.as_str() {
        "MX" => true,
        "TXT" => named(&set.owner) || set.records.iter().any(|text| text.starts_with("\"v=spf1")),
        "CNAME" => named(&set.owner),
        "A" | "AAAA" => exchanges.contains(set.owner.as_str()),
        _ => false,
    };
    sets.iter().filter(is_mail).cloned().collect()
}

fn leads(rtype: &RecordType) -> bool {
    pdm_carry_over::CARRIED.iter().any(|t| t.leads && t.name == rtype.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::Ttl;

    #[test]
    fn mail_is_told_from_the_rest_of_a_zone() {
        let set = |owner: &str, kind: &str, content: &str| {
            RRset::new(owner, RecordType::from(kind.to_owned()), Ttl::new(60), [content])
        };
        let sets = [
            set("acme.com.", "MX", "10 mx.acme.com."),
            set("mx.acme.com.", "A", "192.0.2.7"),
            set("www.acme.com.", "A", "192.0.2.8"),
            set("acme.com.", "TXT", "\"v=spf1 mx -all\""),
            set("s1._domainkey.acme.com.", "CNAME", "s1.vendor.example."),
            set("_dmarc.acme.com.", "TXT", "\"v=DMARC1; p=none\""),
            set("shop.acme.com.", "CNAME", "shop.vendor.example."),
            set("note.acme.com.", "TXT", "\"hello\""),
        ];
        let owners: Vec<String> = mail(&sets).into_iter().map(|set| set.owner).collect();
        let wanted =
            ["acme.com.", "mx.acme.com.", "acme.com.", "s1._domainkey.acme.com.", "_dmarc.acme.com."];
        assert_eq!(owners, wanted);
    }
}
