//! A person edits the parent: every change is an instruction with the exact lines.

use async_trait::async_trait;
use pdm_dnssec::roll::Parent;
use pdm_model::byo::{Act, Instruction};
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
    let told = |action, text| Instruction {
        action,
        text,
        ns: Vec::new(),
        glue: Vec::new(),
        ds: Vec::new(),
        outdated: Vec::new(),
        dnskey: Vec::new(),
        lines: Vec::new(),
    };
    match (&change.ds, &change.ns) {
        (Some((set, _)), _) if set.is_empty() => {
            let text = format!(
                "Remove the DS of {name} {room}. Nothing else changes yet; the name stays reachable."
            );
            let ds = seen_ds(allocation);
            let lines = ds.iter().map(|ds| format!("{name}. IN DS {ds}")).collect();
            Instruction { ds, lines, ..told(Act::RemoveDs, text) }
        }
        (Some((set, ttl)), _) => {
            let ds: Vec<_> = set.iter().map(|entry| entry.ds.clone()).collect();
            let keys = set.iter().filter_map(|entry| entry.key.as_ref());
            let dnskey = keys.map(|k| format!("{} 3 {} {}", k.flags, k.algorithm, k.public_key)).collect();
            let mut lines: Vec<_> =
                ds.iter().map(|ds| format!("{name}. {} IN DS {ds}", ttl.seconds())).collect();
            let outdated: Vec<_> =
                seen_ds(allocation).into_iter().filter(|there| !ds.contains(there)).collect();
            lines.extend(outdated.iter().map(|ds| format!("; remove: {name}. IN DS {ds}")));
            let asked = if outdated.is_empty() {
                let text =
                    format!("Add this DS for {name} {room}; where keys are asked for, give the DNSKEY.");
                told(Act::AddDs, text)
            } else {
                let tags: Vec<_> = outdated.iter().map(|ds| ds.key_tag.to_string()).collect();
                let text = format!(
                    "Let {name} have exactly this DS {room}: add what is missing first, then remove {}. There is no \
                     hurry; the name stays reachable meanwhile.",
                    tags.join(", ")
                );
                told(Act::ReplaceDs, text)
            };
            Instruction { ds, dnskey, outdated, lines, ..asked }
        }
        (None, Some(NsTarget::Names { names, ttl, glue })) if !names.is_empty() => {
            let text = format!("Set these nameservers for {name} {room}, and no others.");
            let at = |(ns, set): (&ZoneName, &std::collections::BTreeSet<std::net::IpAddr>)| {
                set.iter().map(|ip| format!("{ns} {ip}")).collect::<Vec<_>>()
            };
            let lines = names.iter().map(|ns| format!("{name}. {} IN NS {ns}.", ttl.seconds())).collect();
            let ns = names.iter().cloned().collect();
            Instruction { ns, glue: glue.iter().flat_map(at).collect(), lines, ..told(Act::SetNs, text) }
        }
        (None, _) => {
            let text = format!(
                "Take our nameservers away from {name} {room}: remove the NS records, or set others."
            );
            told(Act::RemoveNs, text)
        }
    }
}

fn seen_ds(allocation: &Allocation) -> Vec<DsRecord> {
    allocation.observed.parent.ds.iter().cloned().collect()
}

/// The same change, without the DS part, when it has one; used where an API writes NS and a person writes DS.
pub(super) fn only_ds(change: &Change) -> bool {
    change.ds.is_some() && change.ns.is_none()
}
