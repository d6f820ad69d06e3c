//! Signalling records (RFC 9615): CDS and CDNSKEY of a child that has no DS yet, under the names of its nameservers, where
//! a parent that scans can believe them. They stand from the moment when the DS step is due until the DS is seen.

use pdm_dnssec::roll::digest_of;
use pdm_dnssec::{Dnskey, Name};
use pdm_model::canonical::Change;
use pdm_model::{RRset, RecordType, Ttl, ZoneName};
use pdm_ports::Fault;
use tracing::warn;

use crate::reconcile::drive::Work;

/// The owner of a signal, and the zone that it is written into; none for a nameserver inside the child, and for one whose
/// zone is not among those that may be written.
fn place<'a>(
    child: &ZoneName,
    nameserver: &ZoneName,
    zones: &'a [ZoneName],
) -> Option<(&'a ZoneName, String)> {
    let zone =
        zones.iter().filter(|zone| nameserver.is_at_or_below(zone)).max_by_key(|zone| zone.as_str().len())?;
    let outside = !nameserver.is_at_or_below(child);
    outside.then(|| (zone, format!("_dsboot.{child}._signal.{}", nameserver.dotted())))
}

fn cds() -> RecordType {
    RecordType::Other("CDS".to_owned())
}

fn cdnskey() -> RecordType {
    RecordType::Other("CDNSKEY".to_owned())
}

/// The two RRsets of a child's entry points.
fn signals(
    owner: &str,
    child: &ZoneName,
    keys: &[Dnskey],
    digest: pdm_dnssec::DsDigest,
    ttl: Ttl,
) -> Vec<Change> {
    let ds = keys.iter().map(|key| key.ds(&Name::from(child), digest).to_string());
    let texts = keys.iter().map(ToString::to_string);
    vec![
        Change::Replace(RRset::new(owner, cds(), ttl, ds)),
        Change::Replace(RRset::new(owner, cdnskey(), ttl, texts)),
    ]
}

/// Write the signals of this child, or take them out. A zone that cannot be written is told and left: the DS can be
/// entered without them.
pub(crate) async fn signal(work: &mut Work, on: bool) -> Result<(), Fault> {
    let engine = work.engine.clone();
    let policy = engine.key_policy(&work.allocation)?;
    let stands = work.allocation.observed.foreign.as_ref().is_some_and(|foreign| foreign.signalled);
    if stands == on || on && !policy.cds || engine.settings.signal_zones.is_empty() {
        return Ok(());
    }
    let child = work.allocation.fqdn.clone();
    let held = engine.parts.zones.read_keys(&child).await?.unwrap_or_default();
    let keys: Vec<Dnskey> = super::held(&held)
        .into_iter()
        .filter(|key| key.active && key.published && key.dnskey.is_entry_point())
        .map(|key| key.dnskey)
        .collect();
    let ttl = engine.pool_of(&work.allocation)?.ttls.negative;
    for nameserver in &engine.settings.nameservers {
        let Some((zone, owner)) = place(&child, nameserver, &engine.settings.signal_zones) else { continue };
        let changes = if on {
            signals(&owner, &child, &keys, digest_of(policy.digest), ttl)
        } else {
            vec![Change::Delete(owner.clone(), cds()), Change::Delete(owner.clone(), cdnskey())]
        };
        if let Err(fault) = engine.parts.zones.change_signals(zone, &changes).await {
            warn!(%child, %zone, %fault, "signalling records could not be changed");
        }
    }
    work.allocation.observed.foreign.get_or_insert_with(Box::default).signalled = on;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;

    #[test]
    fn a_signal_stands_under_each_nameserver_outside_of_the_child() {
        let name = |text: &str| ZoneName::parse(text).unwrap();
        let zones = [name("openova.io"), name("ns1.openova.io")];
        let at = |child: &str, ns: &str| {
            place(&name(child), &name(ns), &zones).map(|(zone, owner)| (zone.to_string(), owner))
        };
        assert_eq!(
            at("acme.com", "ns1.openova.io"),
            Some(("ns1.openova.io".into(), "_dsboot.acme.com._signal.ns1.openova.io.".into()))
        );
        assert_eq!(
            at("acme.co.uk", "ns2.openova.io"),
            Some(("openova.io".into(), "_dsboot.acme.co.uk._signal.ns2.openova.io.".into()))
        );
        assert_eq!(at("openova.io", "ns1.openova.io"), None);
        assert_eq!(at("acme.com", "ns1.elsewhere.net"), None);
    }
}
