//! Whether a name can be had now: the rules, then one read of the store. Never a look at the DNS.

use pdm_model::reserved::{look, reserved};
use pdm_model::{Label, Phase, Pool, Refusal, ZoneName};
use pdm_ports::store::Held;

use super::{CheckAnswer, IntentError};
use crate::caller::{Caller, Right};
use crate::engine::Engine;

/// How many free names are proposed beside a taken one.
const SUGGESTIONS: usize = 3;

/// A name that could be lent, as far as the rules go.
pub(crate) struct Wanted<'a> {
    pub pool: &'a Pool,
    pub label: Label,
    pub fqdn: ZoneName,
    pub look: String,
}

impl Engine {
    /// Whether a reservation of `subdomain` in `pool` would succeed now.
    ///
    /// # Errors
    /// A refusal of the caller or the pool's name, or a fault of the store. A name that cannot be had is an answer.
    pub async fn check(
        &self,
        caller: &Caller,
        pool: &str,
        subdomain: &str,
    ) -> Result<CheckAnswer, IntentError> {
        caller.must(Right::Check)?;
        let wanted = match self.wanted(caller, pool, subdomain) {
            Ok(wanted) => wanted,
            Err(refusal) if refusal.code == "unsupported-pool" || refusal.code == "forbidden" => {
                return Err(refusal.into());
            }
            Err(refusal) => return Ok(unavailable(refusal, None, Vec::new())),
        };
        let Some(held) = self.holder(&wanted.fqdn, &wanted).await? else {
            let fqdn = Some(wanted.fqdn);
            return Ok(CheckAnswer {
                available: true,
                code: None,
                detail: None,
                fqdn,
                until: None,
                suggestions: vec![],
            });
        };
        let owner = caller.owner_for(None)?;
        if held.fqdn == wanted.fqdn && held.phase == Phase::Quarantined && held.owner == owner {
            let detail = Some("released by this owner, who may have it back".to_owned());
            let fqdn = Some(wanted.fqdn);
            return Ok(CheckAnswer {
                available: true,
                code: None,
                detail,
                fqdn,
                until: None,
                suggestions: vec![],
            });
        }
        let mut free = Vec::new();
        for ending in ["-cloud", "-net", "-2", "-app", "-hq"] {
            if free.len() == SUGGESTIONS {
                break;
            }
            let Ok(other) = self.wanted(caller, pool, &format!("{}{ending}", wanted.label)) else { continue };
            if self.holder(&other.fqdn, &other).await?.is_none() {
                free.push(other.label.to_string());
            }
        }
        Ok(unavailable(held_refusal(&wanted.fqdn, &held), Some(wanted.fqdn), free))
    }

    /// Whether a claim on a domain could be proved and committed now, as far as the store knows.
    ///
    /// # Errors
    /// A refusal of the caller, or a fault of the store. A name that cannot be had is an answer.
    pub async fn check_domain(&self, caller: &Caller, domain: &str) -> Result<CheckAnswer, IntentError> {
        caller.must(Right::Check)?;
        let (fqdn, registered) = match self.may_be_brought(caller, domain) {
            Ok(both) => both,
            Err(refusal) if refusal.code == "forbidden" => return Err(refusal.into()),
            Err(refusal) => return Ok(unavailable(refusal, ZoneName::parse(domain).ok(), Vec::new())),
        };
        let held = self.parts.store.holder(&fqdn, &registered, "").await?;
        let owner = caller.owner_for(None)?;
        match held.filter(|held| held.phase != Phase::Quarantined || held.owner != owner) {
            Some(held) => Ok(unavailable(held_refusal(&fqdn, &held), Some(fqdn), Vec::new())),
            None => Ok(CheckAnswer {
                available: true,
                code: None,
                detail: None,
                fqdn: Some(fqdn),
                until: None,
                suggestions: vec![],
            }),
        }
    }

    async fn holder(&self, fqdn: &ZoneName, wanted: &Wanted<'_>) -> Result<Option<Held>, IntentError> {
        Ok(self.parts.store.holder(fqdn, &wanted.pool.domain, &wanted.look).await?)
    }

    /// Parse and apply the rules that need no store.
    pub(crate) fn wanted(&self, caller: &Caller, pool: &str, subdomain: &str) -> Result<Wanted<'_>, Refusal> {
        let name = ZoneName::parse(pool).map_err(|e| {
            Refusal::new("unsupported-pool", format!("not a pool here: {e}")).field("poolDomain")
        })?;
        let pool = self.settings.pool(&name).map_err(|r| r.field("poolDomain"))?;
        if caller.pool.as_ref().is_some_and(|only| *only != pool.domain) {
            return Err(Refusal::new("forbidden", "this token acts in another pool only").field("poolDomain"));
        }
        let invalid =
            |e: pdm_model::name::NameError| Refusal::new("invalid-name", e.to_string()).field("subdomain");
        if subdomain.starts_with('_') {
            return Err(Refusal::new("name-reserved", "labels that start with _ belong to protocols")
                .field("subdomain"));
        }
        let label = Label::parse(subdomain).map_err(invalid)?;
        let fqdn = pool.domain.child(&label).map_err(invalid)?;
        if self.settings.nameservers.iter().any(|ns| ns.is_at_or_below(&fqdn)) {
            return Err(Refusal::new("name-reserved", "it is the name of a nameserver").field("subdomain"));
        }
        if let Some(why) = reserved(&label, &pool.reserved) {
            return Err(Refusal::new("name-reserved", why).field("subdomain"));
        }
        let look = look(label.as_str());
        if let Some(brand) =
            pool.protected.iter().find(|b| pdm_model::reserved::look(b) == look && **b != label.as_str())
        {
            let detail = format!("it looks like the protected name {brand}");
            return Err(Refusal::new("name-look-alike", detail).field("subdomain"));
        }
        Ok(Wanted { pool, label, fqdn, look })
    }
}

fn unavailable(refusal: Refusal, fqdn: Option<ZoneName>, suggestions: Vec<String>) -> CheckAnswer {
    CheckAnswer {
        available: false,
        code: Some(refusal.code),
        detail: Some(refusal.detail),
        fqdn,
        until: refusal.until,
        suggestions,
    }
}

/// Why a name that is held cannot be had.
pub(crate) fn held_refusal(wanted: &ZoneName, held: &Held) -> Refusal {
    if held.fqdn != *wanted {
        return Refusal::new("name-look-alike", format!("it looks like {}, which is in use", held.fqdn))
            .field("subdomain");
    }
    match held.phase {
        Phase::Reserved => {
            let refusal = Refusal::new("reservation-held", format!("{wanted} is reserved"));
            match held.until {
                Some(until) => refusal.until(until),
                None => refusal,
            }
        }
        Phase::Quarantined => {
            let until = held.until.unwrap_or_default();
            Refusal::new("name-quarantined", format!("{wanted} was released and is kept until {until}"))
                .until(until)
        }
        Phase::Provisioning | Phase::Delegating | Phase::Active | Phase::Releasing | Phase::Freed => {
            Refusal::new("name-taken", format!("{wanted} is in use"))
        }
    }
}
