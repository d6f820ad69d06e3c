//! Claims on domains that their owners bring. A row, no DNS: it blocks nobody until it is proved.

use std::sync::Arc;

use pdm_model::claim::CLAIM_TTL;
use pdm_model::registered::{Belongs, belongs};
use pdm_model::{AuditEntry, Claim, Mode, Parent, Phase, Refusal, Timestamp, ZoneName};
use pdm_ports::store::{Facts, Wanted, Write};
use uuid::Uuid;

use super::{IntentError, Reserved};
use crate::caller::{Caller, Right};
use crate::engine::Engine;

/// A wish to bring a domain.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Who will edit the parent.
    pub mode: Mode,
    /// The domain as it was typed.
    pub domain: String,
    /// The owner in the body.
    pub owner: Option<String>,
    /// A label that authorises nothing.
    pub created_by: Option<String>,
    /// Digest of principal and Idempotency-Key.
    pub request_key: Option<String>,
}

impl Engine {
    /// Claim a domain: answers what proves it and which nameservers will serve it. The same owner's claim is answered
    /// again as long as it lasts.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn claim(&self, caller: &Caller, request: ClaimRequest) -> Result<Reserved, IntentError> {
        caller.must(Right::Reserve)?;
        self.must_trust_store()?;
        if request.mode.parent() == Parent::Ours {
            return Err(Refusal::new("unsupported-mode", "a pool lends names by label").field("mode").into());
        }
        let (fqdn, registered) = self.may_be_brought(caller, &request.domain)?;
        let owner = caller.owner_for(request.owner.as_deref())?;
        let fresh = Claim {
            id: Uuid::now_v7().to_string(),
            fqdn: fqdn.clone(),
            registered: registered.clone(),
            mode: request.mode,
            owner: owner.clone(),
            created_by: request
                .created_by
                .map(|label| label.chars().filter(|c| !c.is_control()).take(200).collect()),
            request_key: request.request_key,
            reserved_at: Timestamp::default(),
            expires_at: Timestamp::default(),
            disputed_at: None,
        };
        let actor = caller.actor.clone();
        let decision = Arc::new(move |facts: &Facts| decide_claim(&fresh, &actor, facts));
        let wanted = Wanted { byo: Some(registered), ..Wanted::default() };
        self.parts.store.decide(&fqdn, wanted, decision).await??;
        let claims = self.parts.store.claims(&fqdn).await?;
        let claim = claims.into_iter().find(|c| c.owner == owner).ok_or_else(|| super::lost("the claim"))?;
        Ok(Reserved {
            token: self.tokens.token(&claim.id),
            challenge: Some(self.challenge(&claim)),
            allocation: claim.as_allocation(),
        })
    }

    /// The name and its registered domain, if it is one that an owner can bring here.
    pub fn may_be_brought(&self, caller: &Caller, typed: &str) -> Result<(ZoneName, ZoneName), Refusal> {
        let fqdn = ZoneName::parse(typed)
            .map_err(|e| Refusal::new("invalid-name", e.to_string()).field("domain"))?;
        if caller.pool.is_some() {
            return Err(Refusal::new("forbidden", "this token acts in a pool only").field("domain"));
        }
        let Belongs::Registered(registered) = belongs(&fqdn) else {
            let detail = format!("{fqdn} is a public suffix: strangers live below it");
            return Err(Refusal::new("public-suffix", detail).field("domain"));
        };
        let meets = |other: &ZoneName| fqdn.is_at_or_below(other) || other.is_at_or_below(&fqdn);
        if let Some(pool) = self.settings.pools.keys().find(|pool| meets(pool)) {
            let detail = format!("it meets the pool {pool}; use mode pool");
            return Err(Refusal::new("name-reserved", detail).field("domain"));
        }
        if self.settings.nameservers.iter().any(|ns| ns.is_at_or_below(&fqdn)) {
            return Err(Refusal::new("name-reserved", "our nameservers lie below it").field("domain"));
        }
        if self.settings.claim_zone.as_ref().is_some_and(meets) {
            return Err(Refusal::new("name-reserved", "names are issued to claims there").field("domain"));
        }
        Ok((fqdn, registered))
    }

    /// The claim of a caller on a name: that of the token, or the caller's first.
    pub(crate) async fn claim_of(
        &self,
        caller: &Caller,
        name: &ZoneName,
        token: Option<&str>,
    ) -> Result<Option<Claim>, IntentError> {
        let mut claims = self.parts.store.claims(name).await?.into_iter();
        let sees = |c: &Claim| caller.sees(&c.as_allocation());
        Ok(claims.find(|c| sees(c) && token.is_none_or(|token| self.tokens.fits(&c.id, token))))
    }
}

/// Pure.
fn decide_claim(fresh: &Claim, actor: &str, facts: &Facts) -> Result<Write, Refusal> {
    let mut row = Claim { reserved_at: facts.now, expires_at: facts.now + CLAIM_TTL, ..fresh.clone() };
    if let Some(live) = facts.live.as_ref().filter(|live| live.owner == fresh.owner) {
        if live.phase != Phase::Quarantined {
            return Err(Refusal::new("name-taken", format!("{} is in use by this owner", live.fqdn)));
        }
        // The former owner has the row back when the claim is proved, and with it what caches may still hold.
        row.id.clone_from(&live.id);
    }
    let mine = facts.claims.iter().find(|c| c.owner == fresh.owner);
    if mine.is_some_and(|mine| mine.mode == fresh.mode) {
        return Ok(Write::default());
    }
    must_not_overlap(&fresh.fqdn, facts)?;
    let detail = format!("for {} as {} until {}", row.owner, row.mode.as_str(), row.expires_at);
    let audit = vec![AuditEntry::new(actor, "claim", &row.fqdn, detail)];
    Ok(Write { claims: vec![row], audit, ..Write::default() })
}

/// Nothing is admitted above or below a name that is here. Pure.
pub(crate) fn must_not_overlap(name: &ZoneName, facts: &Facts) -> Result<(), Refusal> {
    match facts.related.first() {
        None => Ok(()),
        // Which one is nobody's business.
        Some(other) => {
            let side = if name.is_at_or_below(&other.fqdn) { "below" } else { "above" };
            Err(Refusal::new("name-overlaps", format!("{name} lies {side} a name that is here")))
        }
    }
}
