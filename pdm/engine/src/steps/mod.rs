//! The steps. Every `ensure` observes, compares, writes and observes; every `await` only looks.

pub(crate) mod await_chain;
mod await_ds_gone;
mod ensure_failover;
mod ensure_parent;
mod ensure_zone;
pub(crate) mod foreign;
mod remove;
mod roll_keys;
mod withdraw_ds;

pub(crate) use foreign::carry::how;

use std::collections::BTreeSet;

use pdm_model::{DsRecord, StepKind};
use pdm_ports::zone::ZoneKey;
use pdm_ports::{Fault, Server};

use crate::reconcile::drive::{Outcome, Work};

/// Run one step.
pub(crate) async fn run(step: StepKind, work: &mut Work) -> Result<Outcome, Fault> {
    match step {
        StepKind::WithdrawStaleDs => withdraw_ds::stale(work).await,
        StepKind::EnsureZone => ensure_zone::run(work).await,
        StepKind::EnsureParentNs => ensure_parent::ns(work).await,
        StepKind::EnsureParentDs => ensure_parent::ds(work).await,
        StepKind::EnsureFailover => ensure_failover::run(work).await,
        StepKind::AwaitChain => await_chain::run(work).await,
        StepKind::RollKeys => roll_keys::run(work).await,
        StepKind::WithdrawParentDs => withdraw_ds::all(work).await,
        StepKind::AwaitDsGone => await_ds_gone::run(work).await,
        StepKind::RemoveDelegationAndZone => remove::run(work).await,
        StepKind::LookAtParent => foreign::ns::look_at_parent(work).await,
        StepKind::AwaitAuthoritative => foreign::ns::authoritative(work).await,
        StepKind::AwaitCarryOver => foreign::carry::settled(work).await,
        StepKind::WithdrawForeignDs => foreign::ds::withdraw_foreign(work).await,
        StepKind::AwaitForeignDsGone => foreign::ds::foreign_gone(work).await,
        StepKind::EnsureDelegation => foreign::ns::ensure(work).await,
        StepKind::AwaitDelegation => foreign::ns::delegated(work).await,
        StepKind::AwaitOldCaches => foreign::ns::old_out(work).await,
        StepKind::EnsureDelegationDs => foreign::ds::ensure(work).await,
        StepKind::AwaitDelegationDs => foreign::ds::visible(work).await,
        StepKind::WithdrawDelegationDs => foreign::ds::withdraw_all(work).await,
        StepKind::AwaitDelegationDsGone => foreign::ds::all_gone(work).await,
        StepKind::ReturnDelegation => foreign::back::return_delegation(work).await,
        StepKind::AwaitDelegationGone => foreign::back::gone(work).await,
        StepKind::RemoveZone => foreign::back::remove_zone(work).await,
        StepKind::RestoreDelegationDs => foreign::restore::restore(work).await,
        StepKind::AwaitRestoredDs => foreign::restore::visible(work).await,
        StepKind::ForgetCredential => foreign::back::forget_credential(work).await,
    }
}

/// The DS set that a zone's keys call for: entry points that are published and sign.
pub(crate) fn ds_of(keys: &[ZoneKey]) -> Vec<DsRecord> {
    let set: BTreeSet<_> =
        keys.iter().filter(|k| k.active && k.published).filter_map(|k| k.ds.clone()).collect();
    set.into_iter().collect()
}

/// Nameserver names of a server, for people.
pub(crate) fn called(server: &Server) -> String {
    format!("{} ({})", server.names.join(", "), server.address)
}
