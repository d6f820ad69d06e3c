//! Who edits a parent that is not ours: a person, or a vendor's API. One trait; which one is a row of the map that
//! [`editors`] makes, never a branch in a step.

mod api;
mod manual;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use pdm_dnssec::roll::Parent;
use pdm_model::byo::Instruction;
use pdm_model::handover::Ability;
use pdm_model::{Allocation, Mode, ZoneName};
use pdm_ports::Fault;
use pdm_ports::registrar::{Applied, Change, CurrentState, Mode as PlaceMode, Place, TaskId, TaskStatus};

use crate::engine::Engine;

pub(crate) use api::said;

/// A change that is wanted now.
pub(crate) struct Ask<'a> {
    pub allocation: &'a Allocation,
    pub change: &'a Change,
}

/// Who edits the parent.
#[async_trait]
pub(crate) trait Editor: Send + Sync {
    /// What a person has to do for this change; none when it is written by [`Editor::write`].
    fn by_hand(&self, ask: &Ask<'_>) -> Option<Instruction>;
    /// What it is able to do, before anything is asked of it.
    fn ability(
        &self,
        engine: &Engine,
        allocation: &Allocation,
        state: Option<&CurrentState>,
    ) -> Result<Ability, Fault>;
    /// Whether the parent takes its DS from CDS and from nobody.
    fn scans(&self, engine: &Engine, allocation: &Allocation) -> bool;
    /// What it can do for a roll of keys.
    fn key_parent(&self, engine: &Engine, allocation: &Allocation) -> Parent;
    /// What it holds, where it can be asked.
    async fn read(&self, engine: &Engine, allocation: &Allocation) -> Result<Option<CurrentState>, Fault>;
    /// Bring the parent to the change.
    async fn write(&self, engine: &Engine, ask: &Ask<'_>) -> Result<Applied, Fault>;
    /// How a change that goes on stands.
    async fn follow(
        &self,
        engine: &Engine,
        allocation: &Allocation,
        task: &TaskId,
    ) -> Result<TaskStatus, Fault>;
}

/// The editor of each mode with a foreign parent.
pub(crate) fn editors() -> BTreeMap<Mode, Arc<dyn Editor>> {
    let manual: Arc<dyn Editor> = Arc::new(manual::Manual);
    BTreeMap::from([(Mode::ByoManual, manual), (Mode::ByoApi, Arc::new(api::Api) as Arc<dyn Editor>)])
}

/// Which delegation is meant.
pub(crate) fn place(allocation: &Allocation) -> Place {
    let chosen = allocation.byo.as_ref().and_then(|b| b.registrar.as_ref()).map(|r| r.mode.as_str());
    let apex = allocation.fqdn == allocation.pool;
    match chosen.and_then(place_mode).unwrap_or(natural_mode(apex)) {
        PlaceMode::RegistryApex => Place::RegistryApex { domain: allocation.pool.clone() },
        PlaceMode::HostedParent => {
            let seen = allocation.observed.foreign.as_ref().and_then(|f| f.zone.clone());
            let inside = |zone: &ZoneName| zone.is_at_or_below(&allocation.pool);
            let zone = seen.filter(inside).unwrap_or_else(|| allocation.pool.clone());
            Place::HostedParent { zone, child: allocation.fqdn.clone() }
        }
    }
}

/// The mode named by a word.
pub(crate) fn place_mode(word: &str) -> Option<PlaceMode> {
    serde_json::from_value(serde_json::Value::from(word)).ok()
}

/// The registry for a registered domain, a hosted zone for a name inside one.
pub(crate) fn natural_mode(apex: bool) -> PlaceMode {
    if apex { PlaceMode::RegistryApex } else { PlaceMode::HostedParent }
}
