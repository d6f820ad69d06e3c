//! Observe, compare, write, observe: the one way in which every adapter applies a change.
//!
//! If the process dies anywhere here, the next call reads first and writes what is still missing. A write whose
//! outcome is unknown is settled by reading: it counts as done when the vendor holds what was asked for.

use std::sync::Arc;

use async_trait::async_trait;
use pdm_model::ZoneName;
use pdm_ports::registrar::{
    Applied, Capability, Change, Credential, CredentialField, CurrentState, DsForm, Glue, ModeCapability,
    NsTarget, Passport, Place, Registrar, TaskId, TaskStatus,
};
use pdm_ports::{Class, Fault};

use crate::Made;
use crate::admit::{admit, agrees, cannot, check_place};
use crate::http::Http;
use crate::kind::Kind;

/// What a vendor is, as data.
pub(crate) struct About {
    /// Stable kebab-case id.
    pub(crate) id: &'static str,
    /// Its name for people.
    pub(crate) name: &'static str,
    /// What it can do.
    pub(crate) capability: Capability,
    /// The fields of its credential.
    pub(crate) fields: &'static [CredentialField],
    /// How to make a credential that can do this and no more.
    pub(crate) recipe: &'static str,
}

/// What a nameserver of somebody's own takes.
pub(crate) const OWN_SERVER: ModeCapability = ModeCapability {
    ttl: Some((1, 604_800)),
    ds: DsForm::Ds,
    ds_max: 8,
    glue: Glue::Both,
    ..ModeCapability::LEAST
};

/// What a write brought.
#[derive(Default)]
pub(crate) struct Written {
    /// The task to follow.
    pub(crate) task: Option<TaskId>,
    /// Side effects.
    pub(crate) notes: Vec<String>,
}

/// What only a vendor's own file knows; [`Adapter`] makes a registrar of it.
#[async_trait]
pub(crate) trait Vendor: Send + Sync {
    /// What a credential is good for. Reads only.
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault>;
    /// What is there now, at a place that makes sense. Reads only.
    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault>;
    /// How a task stands. Where nothing goes on behind a call, a task can only be one that somebody made up.
    async fn task(&self, _: &Place, _: &TaskId, _: &Credential) -> Result<TaskStatus, Fault> {
        Err(Fault::new(Class::Rejected, "no-such-task", "this registrar has no tasks"))
    }
    /// Refuse what only this vendor knows to be impossible. No calls.
    fn refuse(&self, _change: &Change, _credential: &Credential) -> Result<(), Fault> {
        Ok(())
    }
    /// Whether a state is ours to finish even though it agrees.
    fn unfinished(&self, _state: &CurrentState) -> bool {
        false
    }
    /// Write the difference between `before` and the change.
    async fn write(
        &self,
        change: &Change,
        before: &CurrentState,
        credential: &Credential,
    ) -> Result<Written, Fault>;
}

/// A vendor as a registrar.
pub(crate) struct Adapter<V> {
    about: &'static About,
    /// What all adapters share; it makes a call the only writer of a zone.
    http: Arc<Http>,
    vendor: V,
}

/// What every `make` ends with.
pub(crate) fn made<V: Vendor + 'static>(about: &'static About, http: &Arc<Http>, vendor: V) -> Made {
    Ok(Arc::new(Adapter { about, http: Arc::clone(http), vendor }))
}

#[async_trait]
impl<V: Vendor> Registrar for Adapter<V> {
    fn id(&self) -> &'static str {
        self.about.id
    }
    fn name(&self) -> &'static str {
        self.about.name
    }
    fn capability(&self) -> &'static Capability {
        &self.about.capability
    }
    fn credential_fields(&self) -> &'static [CredentialField] {
        self.about.fields
    }
    fn recipe(&self) -> &'static str {
        self.about.recipe
    }
    async fn validate(&self, domain: &ZoneName, credential: &Credential) -> Result<Passport, Fault> {
        self.vendor.validate(domain, credential).await
    }
    async fn read(&self, place: &Place, credential: &Credential) -> Result<CurrentState, Fault> {
        check_place(place)?;
        self.vendor.read(place, credential).await
    }
    async fn task(&self, place: &Place, task: &TaskId, credential: &Credential) -> Result<TaskStatus, Fault> {
        self.vendor.task(place, task, credential).await
    }

    async fn apply(&self, change: &Change, credential: &Credential) -> Result<Applied, Fault> {
        let About { id, name, capability, .. } = self.about;
        let vendor = &self.vendor;
        let change = admit(name, capability, change)?;
        vendor.refuse(&change, credential)?;
        let mode = capability.mode(change.place.mode()).map_err(|why| cannot("mode-unsupported", why))?;
        let _only_writer = self.http.hold(id, change.place.zone().as_str()).await;

        let before = vendor.read(&change.place, credential).await?;
        let unfinished = vendor.unfinished(&before);
        if agrees(mode, &change, &before) && !unfinished {
            return Ok(untouched(before, true));
        }
        if before.task.is_some() && !unfinished {
            // Follow what is under way; a second change on top of it is refused by some vendors and lost by others.
            return Ok(untouched(before, false));
        }
        check_ground(&change, &before)?;

        let written = vendor.write(&change, &before, credential).await;
        self.settle(mode, &change, credential, written).await
    }
}

fn untouched(state: CurrentState, agrees: bool) -> Applied {
    Applied { wrote: false, task: state.task.clone(), read_back: state, agrees, notes: Vec::new() }
}

impl<V: Vendor> Adapter<V> {
    async fn settle(
        &self,
        mode: &ModeCapability,
        change: &Change,
        credential: &Credential,
        written: Result<Written, Fault>,
    ) -> Result<Applied, Fault> {
        let (vendor, registrar) = (&self.vendor, self.about.id);
        let written = match written {
            Ok(written) => written,
            Err(fault) if matches!(fault.class, Class::Transient | Class::Protocol) => {
                let Ok(state) = vendor.read(&change.place, credential).await else { return Err(fault) };
                let done = agrees(mode, change, &state) && !vendor.unfinished(&state);
                let under_way = state.task.is_some() && !vendor.unfinished(&state);
                if !done && !under_way {
                    return Err(fault);
                }
                tracing::info!(registrar, zone = %change.place.zone(), child = %change.place.child(),
                    code = fault.code, "a write whose outcome was unknown has taken place");
                return Ok(Applied { wrote: true, ..untouched(state, done) });
            }
            Err(fault) => return Err(fault),
        };
        tracing::info!(registrar, zone = %change.place.zone(), child = %change.place.child(), "delegation written");
        let state = vendor.read(&change.place, credential).await?;
        let agrees = agrees(mode, change, &state) && !vendor.unfinished(&state);
        Ok(Applied {
            wrote: true,
            task: written.task.or_else(|| state.task.clone()),
            agrees,
            read_back: state,
            notes: written.notes,
        })
    }
}

/// What must hold there before anything is written.
fn check_ground(change: &Change, before: &CurrentState) -> Result<(), Fault> {
    if let Some(why) = &before.lock.blocks_changes {
        return Err(Kind::DomainLocked.fault(format!("{} cannot be changed: {why}", change.place.zone())));
    }
    let Place::HostedParent { zone, child } = &change.place else { return Ok(()) };
    if before.hosted == Some(false) {
        let detail = format!("{zone} is not served by this vendor now; records there would have no effect");
        return Err(Fault::new(Class::Rejected, "zone-not-hosted", detail));
    }
    let (adds, removes) = match &change.ns {
        Some(NsTarget::Names { names, .. }) => (!names.is_empty(), names.is_empty()),
        Some(NsTarget::Vendor(_)) | None => (false, false),
    };
    if adds && before.ns.is_empty() && !before.other_types.is_empty() {
        let types: Vec<_> = before.other_types.iter().map(String::as_str).collect();
        let detail = format!("{child} has records ({}) that a delegation would hide", types.join(", "));
        return Err(Kind::Conflict.fault(detail));
    }
    let keeps_ds = match &change.ds {
        Some((entries, _)) => !entries.is_empty(),
        None => before.ds.as_ref().is_some_and(|held| !held.is_empty()),
    };
    let without_ns = removes || (before.ns.is_empty() && !adds);
    if keeps_ds && without_ns {
        let detail = format!("{child} would have a DS without NS; remove the DS first");
        return Err(Fault::new(Class::Rejected, "ds-without-ns", detail));
    }
    Ok(())
}
