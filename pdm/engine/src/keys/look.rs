//! One look at everything that a roll depends on.

use std::collections::BTreeSet;

use pdm_dnssec::Dnskey;
use pdm_dnssec::roll::{ChildSeen, ParentSeen, View};
use pdm_model::{DsRecord, Parent, Timestamp, Ttl};
use pdm_ports::{Fault, KeyView, Signing};

use crate::reconcile::drive::Work;
use crate::steps::called;

/// Look at the signer, at every server of zone and parent, and at where the parent is edited. Questions begin after
/// the last write was answered.
pub(crate) async fn look(work: &Work, signing: &Signing) -> Result<View, Fault> {
    let engine = work.engine.clone();
    let (name, servers) = (&work.allocation.fqdn, &engine.settings.servers);
    let policy = engine.key_policy(&work.allocation)?;
    let (zone, child, (edited, parent)) = tokio::join!(
        engine.parts.zones.read_zone(name),
        engine.parts.probe.key_views(name, servers),
        at_parent(work, signing),
    );
    let ttls = engine.pool_of(&work.allocation)?.ttls;
    // Whatever anybody wrote into the zone is signed too.
    let zone_ttl = zone?.into_iter().flat_map(|zone| zone.rrsets).map(|rrset| rrset.ttl).max();
    Ok(View {
        held: super::held(&signing.keys),
        edited: edited?,
        cds: super::cds(signing.cds, policy.digest),
        child: child.into_iter().map(child_seen).collect(),
        parent,
        zone_ttl: zone_ttl.unwrap_or(ttls.address).max(ttls.negative),
        at: work.now(),
    })
}

/// The DS set where it is edited, and what every server of the parent answers. A foreign parent is left as it is by
/// rolls, and so counts as being as it should.
async fn at_parent(work: &Work, signing: &Signing) -> (Result<BTreeSet<DsRecord>, Fault>, Vec<ParentSeen>) {
    let engine = work.engine.clone();
    let name = &work.allocation.fqdn;
    match work.allocation.mode.parent() {
        Parent::Ours => {
            let (edited, seen) = tokio::join!(
                engine.parts.parent.observe(name),
                engine.parts.probe.ds(name, &engine.settings.servers)
            );
            let seen = seen.into_iter().map(|seen| ParentSeen {
                server: called(&seen.server),
                ds: seen.ds.map(|(set, ttl)| (set, ttl.unwrap_or(Ttl::new(0)))),
            });
            (edited.map(|there| there.ds), seen.collect())
        }
        Parent::Foreign => {
            let wanted = engine.wanted_ds(&work.allocation, &signing.keys);
            let ttl = work.allocation.observed.parent.ds_ttl.unwrap_or(Ttl::new(3600));
            let seen = wanted
                .as_ref()
                .map(|ds| ParentSeen { server: "the parent".to_owned(), ds: Some((ds.clone(), ttl)) });
            let seen = seen.into_iter().collect();
            (wanted, seen)
        }
    }
}

fn child_seen(view: KeyView) -> ChildSeen {
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
