//! A person edits the parent: every change is an instruction with the exact lines.

use async_trait::async_trait;
use pdm_dnssec::roll::Parent;
use pdm_model::byo::Instruction;
use pdm_model::handover::Ability;
use pdm_model::{Allocation, DsRecord, ZoneName};
use pdm_ports::registrar::{Applied, Change, CurrentState, NsTarget, Place, TaskId, TaskStatus};
use pdm_ports::{Class, Fault};

use super::{Ask, Editor};
use crate::engine::Engine;

pub(super) struct Manual;

#[async_trait]
impl Editor for Manual {
    fn by_hand(&self, ask: &Ask<'_>) -> Option<Instruction> {
        Some(instruction(ask))
    }

    fn ability(&self, _: &Engine, _: &Allocation, _: Option<&CurrentState>) -> Result<Ability, Fault> {
        Ok(Ability::default())
    }

    fn scans(&self, _: &Engine, _: &Allocation) -> bool {
        // Nobody knows; the policy says so.
        false
    }

    fn key_parent(&self, _: &Engine, _: &Allocation) -> Parent {
        Parent { ds_max: usize::MAX, scans_only: false, by_hand: true }
    }

    async fn read(&self, _: &Engine, _: &Allocation) -> Result<Option<CurrentState>, Fault> {
        Ok(None)
    }

    async fn write(&self, _: &Engine, _: &Ask<'_>) -> Result<Applied, Fault> {
        Err(Fault::new(Class::Bug, "by-hand", "a person writes here, and nobody else"))
    }

    async fn follow(&self, _: &Engine, _: &Allocation, _: &TaskId) -> Result<TaskStatus, Fault> {
        Ok(TaskStatus::Done)
    }
}

/// The change in words and lines. Pure.
pub(super) fn instruction(ask: &Ask<'_>) -> Instruction {
    let Ask { allocation, change } = ask;
    let name = &allocation.fqdn;
    let room = match &change.place {
        Place::RegistryApex { domain } => format!("at the registrar of {domain}"),
        Place::HostedParent { zone, .. } => format!("in the zone {zone}"),
    };
    let mut made = Instruction {
        action: String::new(),
        text: String::new(),
        ns: Vec::new(),
        glue: Vec::new(),
        ds: Vec::new(),
        outdated: Vec::new(),
        dnskey: Vec::new(),
        lines: Vec::new(),
    };
    if let Some((set, ttl)) = &change.ds {
        made.ds = set.iter().map(|entry| entry.ds.clone()).collect();
        made.lines = made.ds.iter().map(|ds| format!("{name}. {} IN DS {ds}", ttl.seconds())).collect();
        if set.is_empty() {
            made.action = "remove-ds".to_owned();
            made.ds = seen_ds(allocation);
            made.lines = made.ds.iter().map(|ds| format!("{name}. IN DS {ds}")).collect();
            made.text = format!(
                "Remove the DS of {name} {room}. Nothing else changes yet; the name stays reachable."
            );
            return made;
        }
        let keys = set.iter().filter_map(|entry| entry.key.as_ref());
        made.dnskey = keys.map(|k| format!("{} 3 {} {}", k.flags, k.algorithm, k.public_key)).collect();
        made.outdated = seen_ds(allocation).into_iter().filter(|ds| !made.ds.contains(ds)).collect();
        if made.outdated.is_empty() {
            made.action = "add-ds".to_owned();
            made.text = format!("Add this DS for {name} {room}; where keys are asked for, give the DNSKEY.");
            return made;
        }
        made.lines.extend(made.outdated.iter().map(|ds| format!("; remove: {name}. IN DS {ds}")));
        let tags: Vec<_> = made.outdated.iter().map(|ds| ds.key_tag.to_string()).collect();
        made.action = "replace-ds".to_owned();
        made.text = format!(
            "Let {name} have exactly this DS {room}: add what is missing first, then remove {}. There is no hurry; the \
             name stays reachable meanwhile.",
            tags.join(", ")
        );
        return made;
    }
    match &change.ns {
        Some(NsTarget::Names { names, ttl, glue }) if !names.is_empty() => {
            made.ns = names.iter().cloned().collect();
            let at = |(ns, set): (&ZoneName, &std::collections::BTreeSet<std::net::IpAddr>)| {
                set.iter().map(|ip| format!("{ns} {ip}")).collect::<Vec<_>>()
            };
            made.glue = glue.iter().flat_map(at).collect();
            made.lines = names.iter().map(|ns| format!("{name}. {} IN NS {ns}.", ttl.seconds())).collect();
            made.action = "set-ns".to_owned();
            made.text = format!("Set these nameservers for {name} {room}, and no others.");
        }
        Some(NsTarget::Names { .. } | NsTarget::Vendor(_)) | None => {
            made.action = "remove-ns".to_owned();
            made.text = format!(
                "Take our nameservers away from {name} {room}: remove the NS records, or set others."
            );
        }
    }
    made
}

fn seen_ds(allocation: &Allocation) -> Vec<DsRecord> {
    allocation.observed.parent.ds.iter().cloned().collect()
}

/// The same change, without the DS part, when it has one; used where an API writes NS and a person writes DS.
pub(super) fn only_ds(change: &Change) -> bool {
    change.ds.is_some() && change.ns.is_none()
}
