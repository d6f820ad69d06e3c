//! A registrar's API edits the parent. What it cannot do stands in its capability; what its owner agreed to do by hand is
//! an instruction.

use async_trait::async_trait;
use pdm_dnssec::roll::Parent;
use pdm_model::Allocation;
use pdm_model::byo::{Instruction, RegistrarChoice};
use pdm_model::handover::Ability;
use pdm_ports::registrar::{
    Applied, Cannot, Credential, CurrentState, DsForm, Glue, ModeCapability, Registrar, TaskId, TaskStatus,
};
use pdm_ports::{Class, Fault};

use super::{Ask, Editor, manual, place};
use crate::engine::Engine;

/// The code by which an owner agrees to enter DS by hand where the API takes none.
pub(crate) const DS_BY_HAND: &str = "ds-by-hand";

pub(super) struct Api;

#[async_trait]
impl Editor for Api {
    fn by_hand(&self, ask: &Ask<'_>) -> Option<Instruction> {
        let agreed = choice(ask.allocation).is_ok_and(|c| c.accepted.contains(DS_BY_HAND));
        (agreed && manual::only_ds(ask.change)).then(|| manual::instruction(ask))
    }

    fn ability(
        &self,
        engine: &Engine,
        allocation: &Allocation,
        state: Option<&CurrentState>,
    ) -> Result<Ability, Fault> {
        let registrar = engine.registrar(&choice(allocation)?.id)?;
        let can = registrar.capability().mode(place(allocation).mode()).map_err(cannot)?;
        let able = ability(can, choice(allocation)?, state);
        let scanned = engine.key_policy(allocation)?.scanned;
        Ok(Ability { no_ds: able.no_ds.filter(|_| !scanned), ..able })
    }

    fn scans(&self, engine: &Engine, allocation: &Allocation) -> bool {
        let Ok(choice) = choice(allocation) else { return false };
        let Ok(registrar) = engine.registrar(&choice.id) else { return false };
        let can = registrar.capability().mode(place(allocation).mode());
        can.is_ok_and(|can| can.ds == DsForm::CdsScanned) && !choice.accepted.contains(DS_BY_HAND)
    }

    fn key_parent(&self, engine: &Engine, allocation: &Allocation) -> Parent {
        let none = Parent { ds_max: 0, scans_only: false, by_hand: true };
        let Ok(choice) = choice(allocation) else { return none };
        let Ok(registrar) = engine.registrar(&choice.id) else { return none };
        let by_hand = choice.accepted.contains(DS_BY_HAND);
        match registrar.capability().mode(place(allocation).mode()).map(|can| (can.ds, can.ds_max)) {
            _ if by_hand => Parent { ds_max: usize::MAX, scans_only: false, by_hand: true },
            Ok((DsForm::Ds | DsForm::Dnskey, most)) => {
                Parent { ds_max: most, scans_only: false, by_hand: false }
            }
            Ok((DsForm::CdsScanned | DsForm::None, _)) | Err(_) => none,
        }
    }

    async fn read(&self, engine: &Engine, allocation: &Allocation) -> Result<Option<CurrentState>, Fault> {
        let (registrar, credential) = engine.registrar_with_credential(allocation).await?;
        registrar.read(&place(allocation), &credential).await.map(Some)
    }

    async fn write(&self, engine: &Engine, ask: &Ask<'_>) -> Result<Applied, Fault> {
        let (registrar, credential) = engine.registrar_with_credential(ask.allocation).await?;
        registrar.apply(ask.change, &credential).await
    }

    async fn follow(
        &self,
        engine: &Engine,
        allocation: &Allocation,
        task: &TaskId,
    ) -> Result<TaskStatus, Fault> {
        let (registrar, credential) = engine.registrar_with_credential(allocation).await?;
        registrar.task(&place(allocation), task, &credential).await
    }
}

/// What a vendor can do in a mode, as the planner asks it. Pure.
pub(crate) fn ability(
    can: &ModeCapability,
    choice: &RegistrarChoice,
    state: Option<&CurrentState>,
) -> Ability {
    let by_hand = choice.accepted.contains(DS_BY_HAND);
    let no_ds = match can.ds {
        DsForm::Ds | DsForm::Dnskey => None,
        DsForm::CdsScanned => Some("the parent takes DS by scanning only".to_owned()),
        DsForm::None => Some(can.ds_cannot.map_or("the API takes no DS".to_owned(), |c| said(&c))),
    };
    Ability {
        ns: can.ns_min..=can.ns_max,
        no_ds: no_ds
            .filter(|_| !by_hand)
            .map(|why| format!("{why}; or accept {DS_BY_HAND} and enter it yourself")),
        no_glue: (can.glue == Glue::None).then(|| {
            "the API takes no addresses of nameservers inside the name; enter them by hand".to_owned()
        }),
        no_withdrawal: can.withdraw_cannot.map(|c| said(&c)),
        blocked: state.and_then(|s| s.lock.blocks_changes.clone()),
    }
}

pub(crate) fn said(cannot: &Cannot) -> String {
    format!("{}; {}", cannot.reason, cannot.way_out)
}

fn cannot(cannot: Cannot) -> Fault {
    Fault::new(Class::Unsupported, "capability-missing", said(&cannot))
}

fn choice(allocation: &Allocation) -> Result<&RegistrarChoice, Fault> {
    let choice = allocation.byo.as_ref().and_then(|b| b.registrar.as_ref());
    choice.ok_or_else(|| Fault::new(Class::Bug, "no-registrar", "no registrar was chosen for this name"))
}

impl Engine {
    /// A registrar by its id.
    pub(crate) fn registrar(&self, id: &str) -> Result<&std::sync::Arc<dyn Registrar>, Fault> {
        self.parts.registrars.get(id).ok_or_else(|| {
            Fault::new(Class::Unsupported, "unsupported-registrar", format!("{id:?} is not served here"))
        })
    }

    async fn registrar_with_credential(
        &self,
        allocation: &Allocation,
    ) -> Result<(&std::sync::Arc<dyn Registrar>, Credential), Fault> {
        let id = &choice(allocation)?.id;
        let registrar = self.registrar(id)?;
        let stored = self.parts.store.credential(&allocation.id).await?;
        let fields = self.vault.open(&allocation.id, id, stored.as_ref()).await?.ok_or_else(|| {
            let detail =
                format!("give the credential of {id} by PUT /v1/allocations/{}/credential", allocation.fqdn);
            Fault::new(Class::Credential, "credential-needed", detail)
        })?;
        Ok((registrar, Credential::parse(registrar.credential_fields(), fields)?))
    }
}
