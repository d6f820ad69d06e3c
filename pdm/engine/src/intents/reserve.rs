//! Reserve and extend: rows only. The DNS learns of a name when it is committed.

use std::sync::Arc;

use pdm_model::lifecycle::{Event, next_phase};
use pdm_model::{Allocation, AuditEntry, Mode, Observed, Phase, Refusal, Timestamp};
use pdm_ports::store::{Facts, Held, Wanted as WantedFacts, Write};
use uuid::Uuid;

use super::check::held_refusal;
use super::{IntentError, ReserveRequest, Reserved};
use crate::caller::{Caller, Right};
use crate::engine::Engine;

impl Engine {
    /// Hold a name until a deadline.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn reserve(&self, caller: &Caller, request: ReserveRequest) -> Result<Reserved, IntentError> {
        caller.must(Right::Reserve)?;
        self.must_trust_store()?;
        let wanted = self.wanted(caller, &request.pool, &request.subdomain)?;
        let owner = caller.owner_for(request.owner.as_deref())?;
        let counted = (wanted.pool.quota > 0).then(|| owner.clone());
        let facts = WantedFacts {
            reservation: Some((wanted.pool.domain.clone(), wanted.look.clone(), counted)),
            ..WantedFacts::default()
        };
        let fresh = Allocation {
            id: Uuid::now_v7().to_string(),
            fqdn: wanted.fqdn.clone(),
            pool: wanted.pool.domain.clone(),
            mode: Mode::Pool,
            owner,
            phase: Phase::Reserved,
            generation: 1,
            target: None,
            committed: None,
            commit_operation: None,
            suspended: None,
            legacy: request.legacy,
            created_by: request
                .created_by
                .map(|label| label.chars().filter(|c| !c.is_control()).take(200).collect()),
            request_key: request.request_key,
            reserved_at: Timestamp::default(),
            expires_at: Timestamp::default(),
            quarantined_until: None,
            conditions: Vec::new(),
            observed: Observed::default(),
            proof: None,
            updated_at: Timestamp::default(),
            byo: None,
            keys: pdm_model::KeyIntent::default(),
        };
        let actor = caller.actor.clone();
        let (ttl, quota) = (wanted.pool.reservation_ttl, wanted.pool.quota);
        let decision = Arc::new(move |facts: &Facts| decide_reserve(&fresh, ttl, quota, &actor, facts));
        let decided = self.parts.store.decide(&wanted.fqdn, facts, decision).await??;
        let allocation = decided.allocation.ok_or_else(|| super::lost("reserve"))?;
        let token = self.tokens.token(&allocation.id);
        Ok(Reserved { allocation, token, challenge: None })
    }

    /// Move a reservation's deadline to a full period from now.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn extend(&self, caller: &Caller, fqdn: &str, token: &str) -> Result<Allocation, IntentError> {
        caller.must(Right::Reserve)?;
        self.must_trust_store()?;
        let (name, _) = super::parse_fqdn(fqdn)?;
        // A claim is bound to its end, which no call moves.
        if let Some(claim) = self.claim_of(caller, &name, Some(token)).await? {
            return Ok(claim.as_allocation());
        }
        let before = self.visible(caller, &name).await?;
        let fits = self.tokens.fits(&before.id, token);
        let ttl = self.settings.rules(&before)?.reservation_ttl;
        let (actor, id) = (caller.actor.clone(), before.id.clone());
        let decision = Arc::new(move |facts: &Facts| {
            let mut live = super::same(facts, &id)?;
            super::must_fit(fits)?;
            super::must_not_be_expired(&live, facts.now)?;
            live.phase = super::moved(&live, Event::Extend)?;
            live.expires_at = facts.now + ttl;
            let audit =
                vec![AuditEntry::new(&actor, "extend", &live.fqdn, format!("until {}", live.expires_at))];
            Ok(Write { allocations: vec![live], audit, ..Write::default() })
        });
        let decided = self.parts.store.decide(&name, WantedFacts::default(), decision).await??;
        decided.allocation.ok_or_else(|| super::lost("extend"))
    }
}

/// Who gets the name. Pure.
fn decide_reserve(
    fresh: &Allocation,
    ttl: std::time::Duration,
    quota: u32,
    actor: &str,
    facts: &Facts,
) -> Result<Write, Refusal> {
    let mut write = Write::default();
    let mut row = fresh.clone();
    row.reserved_at = facts.now;
    row.expires_at = facts.now + ttl;
    let mut verb = "reserve";
    if let Some(live) = &facts.live {
        let expired = live.phase == Phase::Reserved && live.expires_at <= facts.now;
        let quarantine_over = live.quarantined_until.is_none_or(|until| until <= facts.now);
        let same_owner = live.owner == fresh.owner;
        let repeated = live.phase == Phase::Reserved && !expired && same_owner && fresh.request_key.is_some();
        if repeated && live.request_key == fresh.request_key {
            return Ok(write);
        }
        let held = Held {
            fqdn: live.fqdn.clone(),
            phase: live.phase,
            owner: live.owner.clone(),
            until: if live.phase == Phase::Reserved { Some(live.expires_at) } else { live.quarantined_until },
        };
        match live.phase {
            Phase::Reserved if expired && quarantine_over => {
                write.allocations.push(ended(live, Event::Expire)?)
            }
            Phase::Quarantined if quarantine_over => {
                write.allocations.push(ended(live, Event::QuarantineOver)?)
            }
            // The former owner has the name back, row and all, so that the quarantine's date is not lost should the
            // new reservation lapse. A reclaimed reservation that lapsed is still in its quarantine.
            Phase::Quarantined | Phase::Reserved
                if (live.phase == Phase::Quarantined || expired) && same_owner =>
            {
                row = reclaimed(live, &row);
                verb = "reclaim";
            }
            Phase::Reserved if expired => {
                let kept = Held { phase: Phase::Quarantined, until: live.quarantined_until, ..held };
                return Err(held_refusal(&fresh.fqdn, &kept));
            }
            Phase::Reserved
            | Phase::Provisioning
            | Phase::Delegating
            | Phase::Active
            | Phase::Releasing
            | Phase::Quarantined
            | Phase::Freed => return Err(held_refusal(&fresh.fqdn, &held)),
        }
    }
    if let Some(other) = &facts.similar {
        let detail = format!("it looks like {other}, which is in use");
        return Err(Refusal::new("name-look-alike", detail).field("subdomain"));
    }
    if quota > 0 && facts.owner_count >= quota {
        return Err(Refusal::new(
            "quota-reached",
            format!("{} has {} of {quota}", fresh.owner, facts.owner_count),
        ));
    }
    write.audit.push(AuditEntry::new(
        actor,
        verb,
        &row.fqdn,
        format!("for {} until {}", row.owner, row.expires_at),
    ));
    write.allocations.push(row);
    Ok(write)
}

fn ended(live: &Allocation, event: Event) -> Result<Allocation, Refusal> {
    let phase = next_phase(live.phase, event).map_err(|e| Refusal::new("internal", e.to_string()))?;
    Ok(Allocation { phase, ..live.clone() })
}

fn reclaimed(live: &Allocation, fresh: &Allocation) -> Allocation {
    Allocation {
        phase: Phase::Reserved,
        generation: live.generation + 1,
        target: None,
        committed: None,
        commit_operation: None,
        suspended: None,
        legacy: fresh.legacy,
        created_by: fresh.created_by.clone(),
        request_key: fresh.request_key.clone(),
        reserved_at: fresh.reserved_at,
        expires_at: fresh.expires_at,
        conditions: Vec::new(),
        proof: None,
        ..live.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pdm_model::ZoneName;
    use std::time::Duration;

    const TTL: Duration = Duration::from_secs(60);

    fn fresh(owner: &str) -> Allocation {
        Allocation {
            id: Uuid::now_v7().to_string(),
            fqdn: ZoneName::parse("omantel.omani.works").unwrap(),
            pool: ZoneName::parse("omani.works").unwrap(),
            mode: Mode::Pool,
            owner: owner.into(),
            phase: Phase::Reserved,
            generation: 1,
            target: None,
            committed: None,
            commit_operation: None,
            suspended: None,
            legacy: false,
            created_by: None,
            request_key: None,
            reserved_at: Timestamp(0),
            expires_at: Timestamp(60_000),
            quarantined_until: None,
            conditions: vec![],
            observed: Observed::default(),
            proof: None,
            updated_at: Timestamp(0),
            byo: None,
            keys: pdm_model::KeyIntent::default(),
        }
    }

    fn facts(live: Option<Allocation>, now: i64) -> Facts {
        Facts { now: Timestamp(now), live, ..Facts::default() }
    }

    fn decide(owner: &str, live: Option<Allocation>, now: i64) -> Result<Write, Refusal> {
        decide_reserve(&fresh(owner), TTL, 0, "token:t", &facts(live, now))
    }

    #[test]
    fn a_live_reservation_holds_until_its_deadline() {
        let refusal = decide("b", Some(fresh("a")), 59_999).unwrap_err();
        assert_eq!((refusal.code, refusal.until), ("reservation-held", Some(Timestamp(60_000))));
        let write = decide("b", Some(fresh("a")), 60_000).unwrap();
        assert_eq!(
            write.allocations.iter().map(|a| a.phase).collect::<Vec<_>>(),
            [Phase::Freed, Phase::Reserved]
        );
    }

    #[test]
    fn a_quarantined_name_returns_to_its_owner_only() {
        let mut live = fresh("a");
        live.phase = Phase::Quarantined;
        live.quarantined_until = Some(Timestamp(1_000_000));
        let refusal = decide("b", Some(live.clone()), 10).unwrap_err();
        assert_eq!((refusal.code, refusal.until), ("name-quarantined", Some(Timestamp(1_000_000))));
        let write = decide("a", Some(live.clone()), 10).unwrap();
        assert_eq!((write.allocations.len(), write.allocations[0].generation), (1, 2));
        assert_eq!(write.allocations[0].quarantined_until, Some(Timestamp(1_000_000)));

        // A reclaimed reservation that lapses does not free the name for others.
        let lapsed = write.allocations[0].clone();
        assert_eq!(decide("b", Some(lapsed.clone()), 70_000).unwrap_err().code, "name-quarantined");
        assert_eq!(decide("a", Some(lapsed), 70_000).unwrap().allocations[0].generation, 3);
        assert_eq!(decide("b", Some(live), 1_000_000).unwrap().allocations.len(), 2);
    }

    #[test]
    fn quota_look_and_repeated_requests() {
        let mut f = facts(None, 0);
        f.owner_count = 2;
        assert_eq!(decide_reserve(&fresh("a"), TTL, 2, "t", &f).unwrap_err().code, "quota-reached");
        f.similar = Some(ZoneName::parse("0mantel.omani.works").unwrap());
        assert_eq!(decide_reserve(&fresh("a"), TTL, 0, "t", &f).unwrap_err().code, "name-look-alike");
        let mut live = fresh("a");
        live.request_key = Some("k".into());
        let mut again = fresh("a");
        again.request_key = Some("k".into());
        let write = decide_reserve(&again, TTL, 0, "t", &facts(Some(live), 5)).unwrap();
        assert!(write.allocations.is_empty() && write.audit.is_empty());
    }
}
