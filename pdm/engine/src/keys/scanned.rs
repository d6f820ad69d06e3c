//! What scanning parents are told outside of rolls: the entry points once the DS step is due, nothing before, and
//! nothing any more before a DS is withdrawn: a parent that scans would put it back.

use pdm_dnssec::roll::Cds;
use pdm_ports::{Fault, KeyChange, Whose};

use crate::reconcile::drive::Work;

/// Tell scanning parents of this zone, where its policy tells them at all. A zone that is gone tells nobody.
pub(crate) async fn tell(work: &Work, cds: Cds) -> Result<(), Fault> {
    let engine = work.engine.clone();
    let policy = engine.key_policy(&work.allocation)?;
    if !policy.cds {
        return Ok(());
    }
    let name = &work.allocation.fqdn;
    let Some(signing) = engine.parts.zones.read_signing(name).await? else { return Ok(()) };
    if super::cds(signing.cds, policy.digest) == cds {
        return Ok(());
    }
    let whose = Whose::Allocation(work.allocation.id.clone());
    let change = KeyChange::Tell(super::told(cds, policy.digest));
    engine.parts.zones.change_signing(name, &whose, &change).await
}
