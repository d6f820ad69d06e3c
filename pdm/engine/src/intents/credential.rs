//! Credentials: given while a step waits for one, and looked at before anything is done with them.

use pdm_model::{AuditEntry, Refusal, ZoneName};
use pdm_ports::Fault;
use pdm_ports::registrar::{Credential, Passport};

use super::{IntentError, RegistrarRequest};
use crate::caller::{Caller, Right};
use crate::engine::Engine;
use crate::vault::Fields;

impl Engine {
    /// Give the registrar's credential of a name; a step that waits for it goes on.
    ///
    /// # Errors
    /// A refusal with its code, or a fault of the store.
    pub async fn give_credential(
        &self,
        caller: &Caller,
        fqdn: &str,
        request: RegistrarRequest,
    ) -> Result<(), IntentError> {
        caller.must(Right::Commit)?;
        self.must_trust_store()?;
        let (name, _) = super::parse_fqdn(fqdn)?;
        let allocation = self.visible(caller, &name).await?;
        let chosen = allocation.byo.as_ref().and_then(|b| b.registrar.as_ref());
        if chosen.is_none_or(|chosen| chosen.id != request.id) {
            let detail = "this name was not committed with that registrar";
            return Err(Refusal::new("not-acceptable-state", detail).field("registrar.id").into());
        }
        self.usable(&request)?;
        if let Some(sealed) = self.vault.keep(&allocation.id, &request.id, request.credential).await? {
            self.parts.store.put_credential(&sealed).await?;
        }
        let entry = AuditEntry::new(&caller.actor, "credential", &name, format!("of {}", request.id));
        self.parts.store.audit(entry).await?;
        if let Some((_, Some(operation))) = self.parts.store.allocation(&name).await? {
            self.parts.store.hurry(&operation.id).await?;
            self.bell.notify_one();
        }
        Ok(())
    }

    /// What a credential is good for. Asks the registrar, writes nothing, keeps nothing.
    ///
    /// # Errors
    /// A refusal with its code.
    pub async fn validate_credential(
        &self,
        caller: &Caller,
        registrar: &str,
        domain: &str,
        credential: Fields,
    ) -> Result<Passport, IntentError> {
        caller.must(Right::Commit)?;
        let name = ZoneName::parse(domain)
            .map_err(|e| Refusal::new("invalid-name", e.to_string()).field("domain"))?;
        let (_, registered) = self.may_be_brought(caller, name.as_str())?;
        let adapter =
            self.registrar(registrar).map_err(|f| Refusal::new("unsupported-registrar", f.detail))?;
        let credential = Credential::parse(adapter.credential_fields(), credential)
            .map_err(|f| Refusal::new(f.code, f.detail).field("credential"))?;
        Ok(adapter.validate(&registered, &credential).await.map_err(|fault| in_words(&fault))?)
    }
}

/// What a registrar's fault means for who called.
pub(crate) fn in_words(fault: &Fault) -> Refusal {
    let refusal = Refusal::new(fault.code, fault.detail.clone());
    match fault.retry_after {
        Some(after) => refusal.retry_after(u32::try_from(after.as_secs().max(1)).unwrap_or(3600)),
        None => refusal,
    }
}
