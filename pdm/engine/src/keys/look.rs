//! One look at everything that a roll depends on.

use std::collections::BTreeSet;

use pdm_dnssec::Dnskey;
use pdm_dnssec::roll::{ChildSeen, ParentSeen, View, needs_parent};
use pdm_model::{DsRecord, Parent, Roll, Timestamp, Ttl};
use pdm_ports::{Fault, KeyView, Signing};

use crate::reconcile::drive::Work;
use crate::steps::{called, foreign};

/// Look at the signer, at every server of zone and parent, and at where the parent is edited. Questions begin after
/// the last write was answered.
pub(crate) async fn look(work: &mut Work, roll: &Roll, signing: &Signing) -> Result<View, Fault> {
    let engine = work.engine.clone();
    let name = work.allocation.fqdn.clone();
    let policy = engine.key_policy(&work.allocation)?;
    let (zone, child, at_parent) = tokio::join!(
        engine.parts.zones.read_zone(&name),
        engine.parts.probe.key_views(&name, &engine.settings.servers),
        at_parent(work, roll, signing),
    );
    let (edited, parent) = at_parent?;
    let ttls = engine.pool_of(&work.allocation)?.ttls;
    // Whatever anybody wrote into the zone is signed too.
    let zone_ttl = zone?.into_iter().flat_map(|zone| zone.rrsets).map(|rrset| rrset.ttl).max();
    Ok(View {
        held: super::held(&signing.keys),
        edited,
        cds: super::cds(signing.cds, policy.digest),
        child: child.into_iter().map(child_seen).collect(),
        parent,
        zone_ttl: zone_ttl.unwrap_or(ttls.address).max(ttls.negative),
        at: work.now(),
    })
}

/// The DS set where it is edited, and what every server of the parent answers.
async fn at_parent(
    work: &mut Work,
    roll: &Roll,
    signing: &Signing,
) -> Result<(BTreeSet<DsRecord>, Vec<ParentSeen>), Fault> {
    let engine = work.engine.clone();
    let name = work.allocation.fqdn.clone();
    if work.allocation.mode.parent() == Parent::Ours {
        let (edited, seen) = tokio::join!(
            engine.parts.parent.observe(&name),
            engine.parts.probe.ds(&name, &engine.settings.servers)
        );
        let seen = seen.into_iter().map(|seen| ParentSeen {
            server: called(&seen.server),
            ds: seen.ds.map(|(set, ttl)| (set, ttl.unwrap_or(Ttl::new(0)))),
        });
        return Ok((edited?.ds, seen.collect()));
    }
    let wanted = engine.wanted_ds(&work.allocation, &signing.keys)?;
    if !needs_parent(roll.kind) {
        // Keys that the parent does not vouch for come and go whatever it holds.
        let ttl = work.allocation.observed.parent.ds_ttl.unwrap_or(Ttl::new(0));
        let seen = ParentSeen { server: "the parent".to_owned(), ds: Some((wanted.clone(), ttl)) };
        return Ok((wanted, vec![seen]));
    }
    let seen = foreign::parents(work).await?;
    let edited = edited_of(seen.iter().filter_map(|p| p.ds.as_ref().map(|(set, _)| set)), &wanted);
    Ok((edited, seen.into_iter().map(|p| ParentSeen { server: p.server, ds: p.ds }).collect()))
}

/// What a parent holds that shows only in its servers' answers: whoever edits it has done what is wanted as soon as one
/// server shows it; the others are waited for.
pub(crate) fn edited_of<'a>(
    sets: impl Iterator<Item = &'a BTreeSet<DsRecord>> + Clone,
    wanted: &BTreeSet<DsRecord>,
) -> BTreeSet<DsRecord> {
    let exactly = sets.clone().find(|set| *set == wanted);
    let more = || sets.clone().find(|set| set.is_superset(wanted));
    exactly.or_else(more).or_else(|| sets.clone().next()).cloned().unwrap_or_default()
}

pub(crate) fn child_seen(view: KeyView) -> ChildSeen {
    // A key that we cannot read is one that we did not make: it keeps the set from being what it should be.
    let read = |texts: BTreeSet<String>| -> Option<BTreeSet<Dnskey>> {
        texts.iter().map(|text| Dnskey::parse(text)).collect()
    };
    ChildSeen {
        server: called(&view.server),
        keys: view.keys.and_then(|(texts, ttl)| Some((read(texts)?, ttl))),
        signers: view.signers,
    }
}

/// When the first signature expires that a server answered.
pub(crate) fn signatures_until(views: &[KeyView]) -> Option<Timestamp> {
    views.iter().filter_map(|view| view.expires).min()
}
