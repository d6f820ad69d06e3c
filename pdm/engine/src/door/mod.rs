//! The tenant-safe door to the zones: what a certificate client or external-dns may read and write of one Sovereign's
//! zone, in place of the key to PowerDNS.
//!
//! A change is judged, put into the audit log and written at once, in the zone's turn; there is no operation, because
//! the client waits for the record and looks for it itself. If the process dies after the audit entry, the client asks
//! again: every change is a whole RRset, so twice is once. What the door writes lies at names that are never PDM's, so it
//! is no drift; the copies that keep names alive under the wildcard are `pdm_model::shadow`'s.

mod change;
mod record;
mod scope;

use std::sync::Arc;

use pdm_model::{Allocation, AuditEntry, Phase, RRset, Refusal, ZoneName, shadow};
use pdm_ports::{Class, Fault, ObservedZone, Stamp};

pub use change::{Edit, EditKind};
pub use scope::{DoorScope, Kind, must_be_labels};

use crate::caller::{Caller, Right};
use crate::engine::Engine;
use crate::intents::{IntentError, not_found};

/// What a token sees of its zone.
#[derive(Debug, Clone)]
pub struct DoorView {
    /// The zone.
    pub zone: ZoneName,
    /// Its serial.
    pub serial: u32,
    /// The token's own names.
    pub rrsets: Vec<RRset>,
}

impl Engine {
    /// The one zone of a door token, once its Sovereign is active.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn door_zone(&self, caller: &Caller) -> Result<ZoneName, IntentError> {
        let scope = scope(caller)?;
        Ok(self.open_to(caller, scope).await?.fqdn)
    }

    /// The token's own names in the zone that was asked for.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn door_view(&self, caller: &Caller, zone: &str) -> Result<DoorView, IntentError> {
        let scope = of_zone(caller, zone)?;
        let allocation = self.open_to(caller, scope).await?;
        let seen = self.door_read(&allocation).await?;
        let copies = shadow::shadows(&scope.zone, &seen.rrsets);
        let own = |r: &RRset| scope.owns(&r.owner, &r.rtype) && !copies.contains(&r.owner);
        let rrsets = seen.rrsets.iter().filter(|r| own(r)).cloned().collect();
        Ok(DoorView { zone: scope.zone.clone(), serial: seen.serial, rrsets })
    }

    /// Change the token's own names; all of it or nothing.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn door_change(
        self: &Arc<Self>,
        caller: &Caller,
        zone: &str,
        edits: &[Edit],
    ) -> Result<(), IntentError> {
        let scope = of_zone(caller, zone)?;
        self.must_trust_store()?;
        let allocation = self.open_to(caller, scope).await?;
        if self.is_frozen(&allocation.pool) {
            return Err(Refusal::new("frozen", "an operator stopped every change").retry_after(60).into());
        }
        let allowed = &self.settings.rules(&allocation)?.allow_addresses;
        let zones = &self.parts.zones;
        let turn = zones.turn(&scope.zone).await.map_err(of_dns)?;
        let seen = self.door_read(&allocation).await?;
        let changes = change::plan(scope, allowed, edits, &seen.rrsets)?;
        if changes.is_empty() {
            return Ok(());
        }
        let (what, copies) =
            (change::described(&changes), shadow::follow(&scope.zone, &seen.rrsets, &changes));
        let changes = change::in_order(changes, copies);
        self.parts.store.audit(AuditEntry::new(&caller.actor, "dns-write", &scope.zone, what)).await?;
        let stamp = Stamp {
            allocation: allocation.id.clone(),
            ..seen.stamp.unwrap_or_else(|| stamp_of(&allocation))
        };
        zones.change_zone(&scope.zone, &changes, &stamp).await.map_err(of_dns)?;
        zones.flush(&scope.zone).await.map_err(of_dns)?;
        drop(turn);
        metrics::counter!("pdm_door_changes_total", "kind" => scope.kind.as_str()).increment(1);
        Ok(())
    }

    async fn open_to(&self, caller: &Caller, scope: &DoorScope) -> Result<Allocation, IntentError> {
        let allocation = self.visible(caller, &scope.zone).await?;
        if allocation.phase != Phase::Active {
            let detail = format!("{} is {} and not active", scope.zone, allocation.phase.as_str());
            return Err(Refusal::new("not-acceptable-state", detail).into());
        }
        Ok(allocation)
    }

    async fn door_read(&self, allocation: &Allocation) -> Result<ObservedZone, IntentError> {
        let seen = self.parts.zones.read_zone(&allocation.fqdn).await.map_err(of_dns)?;
        let ours = |zone: &ObservedZone| zone.stamp.as_ref().is_some_and(|s| s.allocation == allocation.id);
        let gone = || Refusal::new("dns-unavailable", "the zone is not as PDM made it; it is being repaired");
        Ok(seen.filter(ours).ok_or_else(|| gone().retry_after(10))?)
    }
}

fn scope(caller: &Caller) -> Result<&DoorScope, Refusal> {
    caller.must(Right::Door)?;
    caller.door.as_ref().ok_or_else(|| Refusal::new("forbidden", "this token has no zone to write into"))
}

fn of_zone<'a>(caller: &'a Caller, typed: &str) -> Result<&'a DoorScope, Refusal> {
    let scope = scope(caller)?;
    let asked = ZoneName::parse(typed.trim_end_matches('.')).map_err(|_| not_found())?;
    if asked == scope.zone { Ok(scope) } else { Err(not_found()) }
}

fn stamp_of(allocation: &Allocation) -> Stamp {
    Stamp {
        allocation: allocation.id.clone(),
        owner: allocation.owner.clone(),
        generation: allocation.generation,
    }
}

/// A fault of the servers, as the client may know it.
fn of_dns(fault: Fault) -> IntentError {
    match fault.class {
        // PowerDNS names the record and the rule; the records are the client's own.
        Class::Rejected => Refusal::new("invalid-rrset", fault.detail).into(),
        _ => {
            tracing::warn!(%fault, "a change through the door could not be written");
            Refusal::new("dns-unavailable", "the servers did not take it; repeat it").retry_after(2).into()
        }
    }
}
