//! Zone, keys and records as desired.
//!
//! If the process died after the POST, the next run finds a zone with our mark and converges. A zone with our mark
//! and no SOA is what a server leaves that died inside its own POST: it is removed and made again.

use std::time::Instant;

use pdm_model::canonical::Change;
use pdm_model::keys::Denial;
use pdm_model::{ConditionKind, Event, OperationKind, RRset, RecordType, Status, StepKind, shadow};
use pdm_ports::zone::{Created, ObservedZone, Stamp, ZoneSpec};
use pdm_ports::{Class, Fault, KeyChange, Whose};
use serde_json::json;

use crate::reconcile::drive::{Outcome, Work};

pub(super) async fn run(work: &mut Work) -> Result<Outcome, Fault> {
    let zones = work.engine.parts.zones.clone();
    let name = work.allocation.fqdn.clone();
    let stamp = Stamp {
        allocation: work.allocation.id.clone(),
        owner: work.allocation.owner.clone(),
        generation: work.operation.generation,
    };
    if work.operation.steps.iter().any(|s| s.kind == StepKind::EnsureZone && s.attempts > 0) {
        // What the servers told may be what stood in the way; they are asked anew.
        work.engine.forget_lua_server().await;
    }
    work.engine.must_compute(&work.allocation).await?;
    let desired = work.engine.desired(&work.allocation).await?;
    // A first commit usually finds nothing: creating is then one call, and its answer is the observation.
    let first = work.operation.kind == OperationKind::Commit && work.allocation.observed.ds.is_empty();
    let mut wrote = "nothing";
    // Known from the answer to a POST; after any other write the next sweep reads the zone, and learns it.
    let mut serial = None;
    // Others write into a zone that is active, through the door.
    let turn = if first { None } else { Some(zones.turn(&name).await?) };
    let mut seen = if first { None } else { zones.read_zone(&name).await? };
    if let Some(zone) =
        seen.take_if(|z| z.stamp.as_ref().is_some_and(|s| s.allocation == stamp.allocation) && !has_soa(z))
    {
        drop(zone);
        zones.remove_zone(&name, &stamp.allocation).await?;
    }
    if seen.is_none() {
        match create(work, &desired, &stamp).await? {
            Created::New(there) => {
                wrote = "zone";
                serial = there;
                if first_portion(&desired).len() < desired.len() {
                    seen = zones.read_zone(&name).await?;
                }
            }
            Created::Exists => seen = zones.read_zone(&name).await?,
        }
    }
    if let Some(zone) = &seen {
        must_be_ours(zone, &stamp)?;
        if !has_soa(zone) {
            zones.remove_zone(&name, &stamp.allocation).await?;
            return Err(Fault::transient(
                "half-created-zone",
                "a zone without SOA was removed; it is made again",
            ));
        }
        let mut changes = work.engine.changes(&work.allocation, &zone.rrsets).await?;
        changes.extend(shadow::follow(&name, &zone.rrsets, &changes));
        if !changes.is_empty() || zone.stamp.as_ref() != Some(&stamp) {
            for part in portions(&changes) {
                work.hold().await?;
                zones.change_zone(&name, part, &stamp).await?;
            }
            zones.flush(&name).await?;
            wrote = if changes.is_empty() { "stamp" } else { "records" };
        }
    }
    drop(turn);
    let mut keys = zones.read_keys(&name).await?.unwrap_or_default();
    let mut made = false;
    if !signs(&keys) {
        zones.ensure_signed(&name, &stamp).await?;
        keys = zones.read_keys(&name).await?.unwrap_or_default();
        (wrote, made) = ("keys", true);
    }
    ensure_denial(work).await?;
    let now = work.now();
    work.read_keys = Some((Instant::now(), keys.clone()));
    crate::keys::acquaint(&mut work.allocation.observed.keys, &keys, made, now);
    let ds: Vec<_> = work.engine.wanted_ds(&work.allocation, &keys)?.into_iter().collect();
    if ds.is_empty() && !work.allocation.observed.keys.insecure {
        return Err(Fault::transient("no-keys", "the zone has no key that could have a DS"));
    }
    let fresh_keys = !work.allocation.observed.ds.is_empty() && work.allocation.observed.ds != ds;
    if fresh_keys && let Some(ttl) = work.allocation.observed.dnskey_ttl {
        // Caches may hold the DNSKEY RRset of the zone that was here before; a DS now would be bogus for them.
        let safe = work.now() + ttl.wait();
        let later = work.allocation.observed.ds_not_before.map_or(safe, |old| old.max(safe));
        work.allocation.observed.ds_not_before = Some(later);
    }
    work.allocation.observed.ds.clone_from(&ds);
    work.allocation.observed.serial = serial;
    work.set(ConditionKind::ZonePublished, Status::True, "published", "");
    let evidence = json!({ "wrote": wrote, "rrsets": desired.len(), "ds": ds });
    Ok(Outcome::Done { evidence, event: Some(Event::Published), also: None })
}

/// NSEC is what a new zone has; asking costs a call, so it is asked only where the policy says otherwise, and where
/// somebody gave the name a policy.
async fn ensure_denial(work: &Work) -> Result<(), Fault> {
    let engine = work.engine.clone();
    let wanted = engine.key_policy(&work.allocation)?.denial;
    if wanted == Denial::Nsec && work.allocation.keys.policy.is_none() {
        return Ok(());
    }
    let name = &work.allocation.fqdn;
    let there = engine.parts.zones.read_signing(name).await?;
    if there.is_none_or(|signing| signing.denial == wanted) {
        return Ok(());
    }
    let whose = Whose::Allocation(work.allocation.id.clone());
    engine.parts.zones.change_signing(name, &whose, &KeyChange::Deny(wanted)).await
}

async fn create(work: &Work, desired: &[RRset], stamp: &Stamp) -> Result<Created, Fault> {
    let spec = ZoneSpec {
        name: work.allocation.fqdn.clone(),
        // What does not fit into one call follows with the changes.
        rrsets: first_portion(desired),
        negative: work.engine.pool_of(&work.allocation)?.ttls.negative,
        stamp: stamp.clone(),
    };
    work.engine.parts.zones.create_zone(&spec).await
}

/// Octets of one call, about: PowerDNS refuses more than 2 MB, and JSON adds to every record.
const PORTION: usize = 400_000;

fn weight(rrset: &RRset) -> usize {
    rrset.records.iter().map(|r| r.len() + rrset.owner.len() + 100).sum()
}

/// As many sets as fit into the call that makes the zone; ours stand in front.
fn first_portion(desired: &[RRset]) -> Vec<RRset> {
    let mut left = PORTION;
    let fits = desired.iter().take_while(|rrset| {
        let weight = weight(rrset);
        let fits = weight <= left;
        left = left.saturating_sub(weight);
        fits
    });
    fits.cloned().collect()
}

/// Changes in portions of one call each, at least one: the mark is written with it.
fn portions(changes: &[Change]) -> Vec<&[Change]> {
    let (mut parts, mut begin, mut total) = (Vec::new(), 0, 0);
    for (index, change) in changes.iter().enumerate() {
        let weight = match change {
            Change::Replace(rrset) => weight(rrset),
            Change::Delete(owner, _) => owner.len() + 100,
        };
        if total + weight > PORTION && index > begin {
            parts.push(&changes[begin..index]);
            (begin, total) = (index, 0);
        }
        total += weight;
    }
    parts.push(&changes[begin..]);
    parts
}

fn has_soa(zone: &ObservedZone) -> bool {
    zone.rrsets.iter().any(|r| r.rtype == RecordType::Soa)
}

/// An entry point that is published and signs, and a published key that signs zone data.
fn signs(keys: &[pdm_ports::zone::ZoneKey]) -> bool {
    let held = crate::keys::held(keys);
    let live = |key: &pdm_dnssec::roll::Held| key.active && key.published;
    let signers = pdm_dnssec::roll::signers(held.iter());
    held.iter().any(|key| live(key) && key.dnskey.is_entry_point())
        && held
            .iter()
            .any(|key| live(key) && signers.contains(&(key.dnskey.algorithm(), key.dnskey.key_tag())))
}

/// A zone of another allocation, or of nobody we know, is never adopted.
fn must_be_ours(zone: &ObservedZone, stamp: &Stamp) -> Result<(), Fault> {
    match &zone.stamp {
        Some(found) if found.allocation == stamp.allocation => Ok(()),
        Some(found) => {
            let detail = format!("the zone belongs to allocation {}", found.allocation);
            Err(Fault::new(Class::NotOurs, "zone-not-ours", detail))
        }
        None => {
            Err(Fault::new(Class::NotOurs, "zone-not-ours", "a zone of this name exists and is not PDM's"))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;
    use pdm_model::Ttl;

    #[test]
    fn a_large_zone_is_written_in_portions_and_nothing_is_lost() {
        let set = |n: usize| {
            let text = format!("\"{}\"", "x".repeat(200));
            RRset::new(format!("n{n}.acme.com."), RecordType::Txt, Ttl::new(1), [text])
        };
        let sets: Vec<RRset> = (0..5000).map(set).collect();
        let first = first_portion(&sets);
        assert!(!first.is_empty() && first.len() < sets.len());
        let changes: Vec<Change> = sets.into_iter().map(Change::Replace).collect();
        let parts = portions(&changes);
        assert!(parts.len() > 3 && parts.iter().all(|p| !p.is_empty()));
        assert_eq!(parts.concat(), changes);
        assert_eq!(portions(&[]), [&[] as &[Change]]);
    }
}
