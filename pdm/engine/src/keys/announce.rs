//! A parent is told that CDS changed, where it invites that (RFC 9859). A hint: nothing waits for it.
//!
//! That it is told is written down before, so that whoever dies over it sends no more than one in vain.

use std::collections::BTreeSet;

use pdm_dnssec::roll::{Cds, ds_of_held};
use pdm_dnssec::{Name, dsync};
use pdm_model::keys::{Heard, KeyPolicy, KeyState};
use pdm_model::{ConditionKind, Parent, Status, Timestamp, ZoneName};
use pdm_ports::{Announcement, Fault, Signing};
use tracing::{debug, info};

use crate::engine::Engine;
use crate::reconcile::drive::Work;
use crate::steps::foreign;

/// Tell the parent of a brought domain, if that is due.
pub(crate) async fn announce(work: &mut Work, signing: &Signing) -> Result<(), Fault> {
    let engine = work.engine.clone();
    let policy = engine.key_policy(&work.allocation)?;
    if !policy.cds || work.allocation.mode.parent() == Parent::Ours {
        return Ok(());
    }
    let (zone, now) = (work.allocation.fqdn.clone(), work.now());
    if !is_due(&mut work.allocation.observed.keys, &zone, signing, &policy, now) {
        return Ok(());
    }
    work.hold().await?;
    let (heard, detail) = foreign::holding(work, tell_parent(&engine, &zone)).await?;
    let status = if heard == Heard::Taken { Status::True } else { Status::False };
    work.set(ConditionKind::ParentTold, status, heard.as_str(), detail);
    keep(&mut work.allocation.observed.keys, heard);
    Ok(())
}

/// Whether a NOTIFY is due; if so it counts as sent from now on.
pub(crate) fn is_due(
    state: &mut KeyState,
    zone: &ZoneName,
    signing: &Signing,
    policy: &KeyPolicy,
    now: Timestamp,
) -> bool {
    let told: BTreeSet<String> = match super::cds(signing.cds, policy.digest) {
        Cds::Publish => {
            let ds = ds_of_held(&Name::from(zone), policy, &super::held(&signing.keys));
            ds.iter().map(ToString::to_string).collect()
        }
        Cds::Delete => BTreeSet::from(["delete".to_owned()]),
        Cds::Off | Cds::Other => BTreeSet::new(),
    };
    let due = dsync::due(state.announced.as_ref(), &told, now);
    let is_due = due.is_some();
    state.announced = due.or(state.announced.take());
    is_due
}

/// What came back.
pub(crate) fn keep(state: &mut KeyState, heard: Heard) {
    if let Some(announced) = &mut state.announced {
        announced.heard = Some(heard);
    }
}

/// Send it; what came back, and the same for people. A parent that cannot be asked whom to tell stays silent.
pub(crate) async fn tell_parent(engine: &Engine, zone: &ZoneName) -> (Heard, String) {
    let (heard, detail) = match engine.parts.announcer.announce_cds(zone).await {
        Ok(Announcement::NotInvited) => {
            (Heard::NotInvited, "the parent names nobody who wants to be told (DSYNC)".to_owned())
        }
        Ok(Announcement::Sent(receivers)) => of_all(&receivers),
        Err(fault) => (Heard::Silent, fault.to_string()),
    };
    metrics::counter!("pdm_notify_cds_total", "heard" => heard.as_str()).increment(1);
    match heard {
        Heard::NotInvited => debug!(%zone, "CDS changed, and the parent invites no NOTIFY"),
        _ => info!(%zone, heard = heard.as_str(), detail, "the parent was told that CDS changed"),
    }
    (heard, detail)
}

/// One that took it is enough.
fn of_all(receivers: &[(String, Heard)]) -> (Heard, String) {
    let lines: Vec<String> =
        receivers.iter().map(|(who, heard)| format!("{who}: {}", heard.as_str())).collect();
    let taken = receivers.iter().find(|(_, heard)| *heard == Heard::Taken);
    let refused = || receivers.iter().find(|(_, heard)| matches!(heard, Heard::Refused(_)));
    let heard = taken.or_else(refused).map_or(Heard::Silent, |(_, heard)| heard.clone());
    (heard, lines.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_receiver_that_takes_it_is_enough() {
        let all = |heard: &[Heard]| {
            let all: Vec<_> = heard.iter().map(|heard| ("r".to_owned(), heard.clone())).collect();
            of_all(&all).0
        };
        assert_eq!(all(&[Heard::Silent, Heard::Refused(5), Heard::Taken]), Heard::Taken);
        assert_eq!(all(&[Heard::Silent, Heard::Refused(5)]), Heard::Refused(5));
        assert_eq!(all(&[Heard::Silent]), Heard::Silent);
    }
}
