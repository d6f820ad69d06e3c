//! The records that move with a domain: shown, read, uploaded, decided about.

use std::collections::BTreeSet;

use pdm_carry_over::{CarriedZone, Choice, Conflict, Question, Source, Waiver, locked, merge, read};
use pdm_model::{Allocation, AuditEntry, Parent, Phase, Refusal, Timestamp, ZoneName};
use pdm_ports::Fault;
use uuid::Uuid;

use super::IntentError;
use crate::caller::{Caller, Right};
use crate::engine::Engine;

/// Times that a decision is made again because somebody else was faster.
const TRIES: u32 = 5;

/// What was carried over, and what still stands in the way.
#[derive(Debug, Clone)]
pub struct Carried {
    /// The records and the decisions.
    pub zone: CarriedZone,
    /// Names that both want.
    pub conflicts: Vec<Conflict>,
    /// What keeps NS from moving, with why.
    pub locked: Vec<(Question, &'static str)>,
}

/// Decisions of a person.
#[derive(Debug, Clone, Default)]
pub struct Decisions {
    /// Names that may differ.
    pub waive: BTreeSet<String>,
    /// Names that go to the load balancers.
    pub take: BTreeSet<String>,
    /// Names that keep their old answers.
    pub keep: BTreeSet<String>,
    /// There may be more records than were found.
    pub accept_incomplete: bool,
}

impl Engine {
    /// What was carried over for a name.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn carry_over(&self, caller: &Caller, fqdn: &str) -> Result<Carried, IntentError> {
        let allocation = self.brought(caller, fqdn).await?;
        let Some((zone, _)) = self.carried(&allocation).await? else {
            let detail = "nothing was carried over for this name yet: gather it, or upload the zone";
            return Err(Refusal::new("not-found", detail).into());
        };
        Ok(self.shown(&allocation, zone, self.parts.store.now().await?)?)
    }

    /// Read the old zone again.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn gather_carry_over(&self, caller: &Caller, fqdn: &str) -> Result<Carried, IntentError> {
        let allocation = self.still_moving(caller, fqdn).await?;
        let names = self.servers_before(&allocation).await?;
        let old = self.parts.walk.addresses(&names).await?;
        let (label, now) = (format!("pdm-{}", Uuid::new_v4().simple()), self.parts.store.now().await?);
        let zone =
            self.parts.gather.gather(&allocation.fqdn, &old, &label, now).await.map_err(
                |fault| match fault.code {
                    "zone-silent" | "zone-too-large" => {
                        IntentError::from(Refusal::new(fault.code, fault.detail))
                    }
                    _ => fault.into(),
                },
            )?;
        self.replace_carried(caller, &allocation, zone).await
    }

    /// Take the zone from a file.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn upload_carry_over(
        &self,
        caller: &Caller,
        fqdn: &str,
        text: &str,
    ) -> Result<Carried, IntentError> {
        let allocation = self.still_moving(caller, fqdn).await?;
        let now = self.parts.store.now().await?;
        let zone = read(&allocation.fqdn, text)
            .map_err(|e| Refusal::new("zone-file-malformed", e.to_string()).field("zoneFile"))?
            .finish(Source::Upload, now);
        self.replace_carried(caller, &allocation, zone).await
    }

    /// Decide about names, one by one.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn decide_carry_over(
        &self,
        caller: &Caller,
        fqdn: &str,
        decisions: Decisions,
    ) -> Result<Carried, IntentError> {
        let allocation = self.still_moving(caller, fqdn).await?;
        let now = self.parts.store.now().await?;
        let dotted = |names: &BTreeSet<String>| owners(&allocation.fqdn, names);
        let (waive, take, keep) =
            (dotted(&decisions.waive)?, dotted(&decisions.take)?, dotted(&decisions.keep)?);
        let told = format!(
            "waive {waive:?}, take {take:?}, keep {keep:?}, incomplete accepted: {}",
            decisions.accept_incomplete
        );
        for _ in 0..TRIES {
            let Some((mut zone, version)) = self.carried(&allocation).await? else {
                return Err(Refusal::new("not-found", "nothing was carried over for this name yet").into());
            };
            let known: BTreeSet<&str> = zone.sets.iter().map(|s| s.owner.as_str()).collect();
            if let Some(unknown) =
                waive.iter().chain(&take).chain(&keep).find(|n| !known.contains(n.as_str()))
            {
                let detail = format!("{unknown} is not among the carried names");
                return Err(Refusal::new("invalid-parameter", detail).field("names").into());
            }
            let waiver = Waiver { by: caller.actor.clone(), at: now };
            zone.waived.extend(waive.iter().map(|name| (name.clone(), waiver.clone())));
            zone.choices.extend(take.iter().map(|name| (name.clone(), Choice::Take)));
            zone.choices.extend(keep.iter().map(|name| (name.clone(), Choice::Keep)));
            zone.asked.retain(|a| !take.contains(&a.owner) && !keep.contains(&a.owner));
            if decisions.accept_incomplete {
                zone.incomplete_accepted = Some(waiver);
            }
            let entry = AuditEntry::new(&caller.actor, "carry-over", &allocation.fqdn, told.clone());
            if self.parts.store.put_carried(&allocation.id, &zone, Some(version), Some(entry)).await? {
                self.go_on(&allocation.fqdn).await?;
                return Ok(self.shown(&allocation, zone, now)?);
            }
        }
        Err(busy().into())
    }

    async fn replace_carried(
        &self,
        caller: &Caller,
        allocation: &Allocation,
        zone: CarriedZone,
    ) -> Result<Carried, IntentError> {
        for _ in 0..TRIES {
            let (before, version) = self.carried(allocation).await?.unzip();
            let zone = zone.clone().succeeding(before);
            let told = format!("{} record sets by {}", zone.sets.len(), crate::steps::how(&zone));
            let entry = AuditEntry::new(&caller.actor, "carry-over", &allocation.fqdn, told);
            if self.parts.store.put_carried(&allocation.id, &zone, version, Some(entry)).await? {
                self.go_on(&allocation.fqdn).await?;
                let now = zone.gathered_at;
                return Ok(self.shown(allocation, zone, now)?);
            }
        }
        Err(busy().into())
    }

    /// A step that waits looks again.
    async fn go_on(&self, name: &ZoneName) -> Result<(), Fault> {
        if let Some((_, Some(operation))) = self.parts.store.allocation(name).await? {
            self.parts.store.hurry(&operation.id).await?;
            self.bell.notify_one();
        }
        Ok(())
    }

    fn shown(&self, allocation: &Allocation, zone: CarriedZone, now: Timestamp) -> Result<Carried, Fault> {
        let merged = merge(&allocation.fqdn, &zone, &self.own_rrsets(allocation)?);
        Ok(Carried { conflicts: merged.conflicts, locked: locked(&zone, now), zone })
    }

    /// A name that its owner brought.
    async fn brought(&self, caller: &Caller, fqdn: &str) -> Result<Allocation, IntentError> {
        let (name, _) = super::parse_fqdn(fqdn)?;
        let allocation = self.visible(caller, &name).await?;
        match allocation.mode.parent() {
            Parent::Foreign => Ok(allocation),
            Parent::Ours => {
                Err(Refusal::new("not-acceptable-state", "a name in a pool has no old zone").into())
            }
        }
    }

    /// One whose records may still be replaced. After the move they are their owner's to edit.
    async fn still_moving(&self, caller: &Caller, fqdn: &str) -> Result<Allocation, IntentError> {
        caller.must(Right::Commit)?;
        self.must_trust_store()?;
        let allocation = self.brought(caller, fqdn).await?;
        match allocation.phase {
            Phase::Reserved | Phase::Provisioning | Phase::Delegating => Ok(allocation),
            Phase::Active | Phase::Releasing | Phase::Quarantined | Phase::Freed => {
                let detail =
                    format!("the name is {}: its records are in the zone", allocation.phase.as_str());
                Err(Refusal::new("not-acceptable-state", detail).into())
            }
        }
    }

    /// The nameservers that the parent delegates to and that are not ours.
    async fn servers_before(&self, allocation: &Allocation) -> Result<BTreeSet<ZoneName>, IntentError> {
        let view = self.parts.walk.parent(&allocation.fqdn).await?;
        let mut names: BTreeSet<ZoneName> =
            view.answers.into_iter().filter_map(|a| a.ns).flat_map(|(set, _)| set).collect();
        names.retain(|name| !self.settings.nameservers.contains(name));
        if names.is_empty() {
            let detail = "the parent delegates this name to nobody else: there is nothing to read";
            return Err(Refusal::new("zone-silent", detail).into());
        }
        Ok(names)
    }
}

fn busy() -> Refusal {
    Refusal::new("idempotency-in-progress", "somebody else changes the same records").retry_after(1)
}

/// Names as people write them, dotted: `@` is the apex, what does not end in the zone's name lies below it.
fn owners(zone: &ZoneName, names: &BTreeSet<String>) -> Result<BTreeSet<String>, Refusal> {
    let apex = zone.dotted();
    let one = |typed: &String| {
        let name = typed.trim().to_ascii_lowercase();
        if name.is_empty() || name.len() > 254 {
            return Err(Refusal::new("invalid-parameter", "a name is empty or too long").field("names"));
        }
        let dotted = if name.ends_with('.') { name } else { format!("{name}.") };
        Ok(match dotted.as_str() {
            "@." => apex.clone(),
            same if same == apex || same.ends_with(&format!(".{apex}")) => dotted,
            label => format!("{label}{apex}"),
        })
    };
    names.iter().map(one).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // it is a test
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_as_people_write_them() {
        let zone = ZoneName::parse("acme.com").unwrap();
        let typed: BTreeSet<String> = ["@", "WWW", "mx.acme.com", "a.acme.com."].map(str::to_owned).into();
        let all: Vec<_> = owners(&zone, &typed).unwrap().into_iter().collect();
        assert_eq!(all, ["a.acme.com.", "acme.com.", "mx.acme.com.", "www.acme.com."]);
        assert!(owners(&zone, &BTreeSet::from([" ".to_owned()])).is_err());
    }
}
