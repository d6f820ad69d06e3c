//! Waits until every nameserver's answers are as desired and validate from the trust anchor, over UDP and TCP.

use std::collections::BTreeSet;
use std::time::Duration;

use pdm_dnssec::{Dnskey, DsDigest, Name};
use pdm_lua_records::possible;
use pdm_model::{
    Allocation, ConditionKind, DsRecord, Event, NotProved, Parent, Proof, Status, StepKind, Transport, Who,
    ZoneName,
};
use pdm_ports::walk::{ParentAnswer, Security};
use pdm_ports::{Fault, ProofRequest};
use serde_json::json;
use uuid::Uuid;

use crate::engine::Engine;
use crate::reconcile::backoff::doubled;
use crate::reconcile::drive::{Outcome, Work};

/// Looks in quick succession before the wait is written down: caches of a second or two should not cost a lease.
const QUICK_LOOKS: u32 = 6;

pub(super) async fn run(work: &mut Work) -> Result<Outcome, Fault> {
    let engine = work.engine.clone();
    let attempts =
        work.operation.steps.iter().find(|s| s.kind == StepKind::AwaitChain).map_or(0, |s| s.attempts);
    let mut lacking = None;
    for look in 0..QUICK_LOOKS {
        if look > 0 {
            tokio::time::sleep(doubled(Duration::from_millis(20), Duration::from_millis(300), look)).await;
        }
        // Questions begin after the last write was answered: `now` is taken here, not before.
        match engine.prove(&work.allocation, work.operation.generation, work.now()).await? {
            Ok(proof) => return Ok(proved(work, proof)),
            Err(why) => lacking = Some(why),
        }
    }
    let Some(why) = lacking else { return Err(Fault::transient("not-asked", "no server was asked")) };
    if why.reason == "bogus" {
        engine.forget_anchor(&work.allocation.pool);
    }
    let detail = describe(&why);
    work.set(ConditionKind::ChainSecure, Status::False, &why.reason, detail.clone());
    let who = if attempts > 5 { Who::Operator } else { Who::Nobody };
    let again = doubled(Duration::from_millis(250), Duration::from_secs(15), attempts);
    Ok(Outcome::Wait { reason: why.reason, detail, who, again, from_start: true })
}

fn proved(work: &mut Work, proof: Proof) -> Outcome {
    for (kind, reason) in [
        (ConditionKind::ZonePublished, "published"),
        (ConditionKind::DelegationVisible, "delegated"),
        (ConditionKind::ChainSecure, "proved"),
        (ConditionKind::InSync, "as-desired"),
    ] {
        work.set(kind, Status::True, reason, "");
    }
    let evidence =
        json!({ "queries": proof.queries, "servers": proof.servers.len(), "anchor": proof.anchor });
    work.proof = Some(proof);
    Outcome::Done { evidence, event: Some(Event::Proved), also: None }
}

/// What is lacking, in one line.
pub(crate) fn describe(why: &NotProved) -> String {
    format!("{} over {:?} about {}: {}", why.server, why.transport, why.question, why.detail)
}

/// What a proof rests on.
struct Rest {
    parent: Option<ZoneName>,
    anchor: BTreeSet<DsRecord>,
    name: String,
}

impl Engine {
    /// The child's own DS set, as the tree vouches for it down from the root.
    async fn walked_anchor(&self, allocation: &Allocation) -> Result<Result<Rest, NotProved>, Fault> {
        let view = self.parts.walk.parent(&allocation.fqdn).await?;
        let lacking = |reason: &str, server: String, detail: String| NotProved {
            reason: reason.to_owned(),
            server,
            transport: Transport::Udp,
            question: format!("{}/DS", allocation.fqdn),
            detail,
        };
        let mut ours: BTreeSet<DsRecord> = allocation.observed.ds.iter().cloned().collect();
        let roll = allocation.observed.keys.roll.as_ref();
        // While a roll waits for whoever edits the parent, any DS of its keys will do.
        let differs = |a: &&ParentAnswer| match (a.ds.as_ref(), roll) {
            (Some((set, _)), Some(roll)) => !crate::keys::of_roll(&allocation.fqdn, roll, set),
            (set, _) => set.map(|(set, _)| set) != Some(&ours),
        };
        if let Some(other) = view.answers.iter().find(differs) {
            let detail = other.error.clone().unwrap_or_else(|| "another DS set".to_owned());
            return Ok(Err(lacking("no-ds", super::called(&other.server), detail)));
        }
        if roll.is_some() {
            ours =
                view.answers.iter().filter_map(|a| a.ds.as_ref()).flat_map(|(set, _)| set.clone()).collect();
        }
        let name = match view.security {
            Security::Secure => format!("DS at {}, validated from the root", view.parent),
            Security::Insecure { zone } => format!("DS at {}; {zone} above it is not signed", view.parent),
            Security::Bogus { zone, why } => {
                return Ok(Err(lacking("bogus", zone.to_string(), why)));
            }
            Security::Unknown { why } => return Ok(Err(lacking("no-answer", view.parent.to_string(), why))),
        };
        Ok(Ok(Rest { parent: None, anchor: ours, name }))
    }

    /// A zone that is to have no DS is proved from its own keys.
    fn own_anchor(&self, allocation: &Allocation) -> Option<BTreeSet<DsRecord>> {
        let zone = Name::from(&allocation.fqdn);
        let keys = allocation.observed.keys.known.iter().filter_map(|age| Dnskey::parse(&age.dnskey));
        let entries = keys.filter(Dnskey::is_entry_point).map(|key| key.ds(&zone, DsDigest::Sha256));
        allocation.observed.keys.insecure.then(|| entries.collect())
    }

    /// Ask every nameserver about an allocation, and validate.
    pub(crate) async fn prove(
        &self,
        allocation: &Allocation,
        generation: i64,
        now: pdm_model::Timestamp,
    ) -> Result<Result<Proof, NotProved>, Fault> {
        let own = self.own_anchor(allocation);
        let rest = match (&own, allocation.mode.parent()) {
            (Some(own), _) => Rest {
                parent: None,
                anchor: own.clone(),
                name: "the zone's own keys, without a DS at the parent".to_owned(),
            },
            (None, Parent::Ours) => {
                let (anchor, name) = self.anchor(&allocation.pool).await?;
                Rest { parent: Some(allocation.pool.clone()), anchor, name: name.to_owned() }
            }
            (None, Parent::Foreign) => match self.walked_anchor(allocation).await? {
                Ok(rest) => rest,
                Err(why) => return Ok(Err(why)),
            },
        };
        let policy = self.policy(allocation)?;
        let possible =
            policy.iter().flat_map(|p| p.record_types().into_iter().map(|t| possible(p, t))).collect();
        let request = ProofRequest {
            zone: allocation.fqdn.clone(),
            parent: rest.parent,
            anchor: rest.anchor,
            anchor_name: rest.name,
            desired: self.proved_rrsets(allocation).await?,
            possible,
            ds: own.unwrap_or_else(|| allocation.observed.ds.iter().cloned().collect()),
            soa: Some(self.settings.soa.clone()),
            random_label: format!("pdm-{}", Uuid::new_v4().simple()),
            servers: self.settings.servers.clone(),
            skipped: self.settings.skipped.clone(),
            generation,
            private_view: self.settings.private_view,
            now,
        };
        self.parts.probe.prove(&request).await
    }
}
