//! What has to hold before a claim becomes an allocation: the proof, an editor that is able, and nobody in the way.

use pdm_model::byo::{Byo, Ownership, RegistrarChoice};
use pdm_model::lifecycle::Event;
use pdm_model::{Allocation, Claim, Mode, Phase, Refusal, ZoneName};
use pdm_ports::registrar::Credential;
use pdm_ports::store::{Facts, SealedCredential};

use super::{IntentError, RegistrarRequest};
use crate::editor::{natural_mode, place_mode, said};
use crate::engine::Engine;

/// A claim that was proved just now.
pub(crate) struct Brought {
    pub claim: Claim,
    pub byo: Byo,
    pub credential: Option<SealedCredential>,
}

impl Engine {
    /// Look for the proof and take the credential. Nothing is written in the store.
    pub(crate) async fn bring(
        &self,
        claim: Claim,
        registrar: Option<RegistrarRequest>,
    ) -> Result<Brought, IntentError> {
        let choice = self.chosen(&claim, registrar.as_ref())?;
        let by = self.must_be_proved(&claim).await?;
        let credential = match registrar {
            Some(request) => self.vault.keep(&claim.id, &request.id, request.credential).await?,
            None => None,
        };
        let now = self.parts.store.now().await?;
        let ownership = Ownership { by, at: now, claim: claim.id.clone(), asked: None };
        let byo = Byo { registered: claim.registered.clone(), registrar: choice, ownership, yielded: false };
        Ok(Brought { claim, byo, credential })
    }

    /// A claim that was refused became no allocation, and nobody would ever take its credential back.
    pub(crate) async fn leave_no_credential(&self, name: &ZoneName, claim: &str) {
        let lives = |found: &Allocation| found.id == claim;
        let live = self.parts.store.allocation(name).await;
        let nobody_uses_it = live.is_ok_and(|found| !found.as_ref().is_some_and(|(a, _)| lives(a)));
        if nobody_uses_it && let Err(fault) = self.vault.forget(claim).await {
            tracing::warn!(claim, %fault, "the credential of a refused claim is still where credentials are kept");
        }
    }

    /// A registrar that can do this, with a credential of the right shape.
    fn chosen(
        &self,
        claim: &Claim,
        request: Option<&RegistrarRequest>,
    ) -> Result<Option<RegistrarChoice>, Refusal> {
        let request = match (claim.mode, request) {
            (Mode::ByoApi, Some(request)) => request,
            (Mode::ByoApi, None) => {
                return Err(Refusal::new("invalid-body", "mode byo-api needs a registrar").field("registrar"));
            }
            (Mode::ByoManual | Mode::Pool, None) => return Ok(None),
            (Mode::ByoManual | Mode::Pool, Some(_)) => {
                let detail = "only mode byo-api takes a registrar; claim the domain in that mode";
                return Err(Refusal::new("invalid-body", detail).field("registrar"));
            }
        };
        self.usable(request)?;
        let natural = natural_mode(claim.fqdn == claim.registered);
        let mode = match request.mode.as_deref() {
            None => natural,
            Some(word) => place_mode(word).filter(|mode| *mode == natural).ok_or_else(|| {
                Refusal::new(
                    "invalid-body",
                    "a registered domain takes registry-apex, a name in it hosted-parent",
                )
                .field("registrar.mode")
            })?,
        };
        let registrar =
            self.registrar(&request.id).map_err(|f| Refusal::new("unsupported-registrar", f.detail))?;
        let can = registrar
            .capability()
            .mode(mode)
            .map_err(|c| Refusal::new("capability-missing", said(&c)).field("registrar.id"))?;
        if let Some(caveat) = can.caveats.iter().find(|c| !request.accepted.contains(c.code)) {
            let detail = format!("{}; accept it by its code: {}", caveat.text, caveat.code);
            return Err(Refusal::new("caveat-not-accepted", detail).field("registrar.accept"));
        }
        let word = serde_json::to_value(mode).ok().and_then(|v| v.as_str().map(str::to_owned));
        Ok(Some(RegistrarChoice {
            id: request.id.clone(),
            mode: word.unwrap_or_default(),
            accepted: request.accepted.clone(),
        }))
    }

    /// A registrar that is served, and a credential with its fields.
    pub(crate) fn usable(&self, request: &RegistrarRequest) -> Result<Credential, Refusal> {
        let registrar = self
            .registrar(&request.id)
            .map_err(|f| Refusal::new("unsupported-registrar", f.detail).field("registrar.id"))?;
        Credential::parse(registrar.credential_fields(), request.credential.clone())
            .map_err(|f| Refusal::new(f.code, f.detail).field("registrar.credential"))
    }
}

impl Brought {
    /// The allocation that the claim becomes, if nobody is in the way. Pure.
    pub fn admitted(&self, facts: &Facts) -> Result<Allocation, Refusal> {
        let claim = &self.claim;
        let over = || Refusal::new("reservation-expired", format!("the claim on {} is over", claim.fqdn));
        let mine = facts.live.as_ref().filter(|live| live.id == claim.id);
        let live = match (mine, &facts.live) {
            (Some(live), _) if live.phase == Phase::Quarantined => {
                let phase = super::moved(live, Event::Reclaim)?;
                Allocation { phase, generation: live.generation + 1, ..live.clone() }
            }
            // Committed already: a repeat finds it so.
            (Some(live), _) => return Ok(live.clone()),
            (None, Some(other)) => {
                if let Some(refusal) = super::dispute::refusal(claim, other, facts) {
                    return Err(refusal);
                }
                let held = pdm_ports::store::Held {
                    fqdn: other.fqdn.clone(),
                    phase: other.phase,
                    owner: other.owner.clone(),
                    until: other.quarantined_until,
                };
                return Err(super::check::held_refusal(&claim.fqdn, &held));
            }
            (None, None) => claim.as_allocation(),
        };
        if !facts.claims.iter().any(|c| c.id == claim.id) {
            return Err(over());
        }
        super::claim::must_not_overlap(&claim.fqdn, facts)?;
        Ok(Allocation {
            mode: claim.mode,
            expires_at: claim.expires_at,
            target: None,
            committed: None,
            commit_operation: None,
            suspended: None,
            conditions: Vec::new(),
            proof: None,
            byo: Some(self.byo.clone()),
            ..live
        })
    }
}
