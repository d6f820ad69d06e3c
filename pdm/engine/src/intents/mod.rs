//! What callers ask for: one file per verb. Each is a pure decision over the store's facts, carried out in one
//! transaction. No PowerDNS call and no registrar call happens here, and no DNS packet but the look for an owner's proof
//! before a brought domain is committed, which writes nothing.

mod bring;
pub mod carry_over;
pub mod change;
pub mod check;
pub mod claim;
pub mod commit;
pub mod credential;
pub(crate) mod dispute;
pub mod drain;
pub mod failover;
pub mod keys;
mod pool_keys;
pub mod read;
pub mod release;
pub mod reserve;

pub use dispute::NOTICE;
use pdm_model::{Allocation, Operation, Refusal, Timestamp, ZoneName};
use pdm_ports::Fault;

/// Why an intent came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    /// Turned down; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store could not be asked.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The answer of `check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckAnswer {
    /// Whether a reservation would succeed now.
    pub available: bool,
    /// Why not: a problem code.
    pub code: Option<&'static str>,
    /// Why not, for people.
    pub detail: Option<String>,
    /// The full name, when it could be formed.
    pub fqdn: Option<ZoneName>,
    /// When it may become free.
    pub until: Option<Timestamp>,
    /// Free names that are close.
    pub suggestions: Vec<String>,
}

/// A wish to hold a name.
#[derive(Debug, Clone, Default)]
pub struct ReserveRequest {
    /// The pool as it was typed.
    pub pool: String,
    /// The label as it was typed.
    pub subdomain: String,
    /// The owner in the body.
    pub owner: Option<String>,
    /// A label that authorises nothing.
    pub created_by: Option<String>,
    /// Through the older paths.
    pub legacy: bool,
    /// Digest of principal and Idempotency-Key, so that a repeat finds its own reservation.
    pub request_key: Option<String>,
}

/// A reservation and its token.
#[derive(Debug, Clone)]
pub struct Reserved {
    /// The allocation.
    pub allocation: Allocation,
    /// The reservation token.
    pub token: String,
    /// What proves a domain that its owner brings.
    pub challenge: Option<crate::ownership::Challenge>,
}

/// Whose API edits the parent of a brought domain, and its credential.
#[derive(Debug, Clone)]
pub struct RegistrarRequest {
    /// The registrar.
    pub id: String,
    /// `registry-apex` or `hosted-parent`; by the name when left out.
    pub mode: Option<String>,
    /// Codes of risks that the owner accepts.
    pub accepted: std::collections::BTreeSet<String>,
    /// Named fields; never printed.
    pub credential: crate::vault::Fields,
}

/// An allocation after an intent, with the operation that carries it out; none when there is nothing to do.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The allocation.
    pub allocation: Allocation,
    /// The operation to watch.
    pub operation: Option<Operation>,
}

/// A fully qualified name as it was typed.
pub(crate) fn parse_fqdn(typed: &str) -> Result<(ZoneName, String), Refusal> {
    let name =
        ZoneName::parse(typed).map_err(|e| Refusal::new("invalid-name", e.to_string()).field("fqdn"))?;
    let label = name.first_label().to_owned();
    Ok((name, label))
}

/// The store answered without the row that it has just written.
pub(crate) fn lost(verb: &str) -> IntentError {
    Fault::new(
        pdm_ports::Class::Bug,
        "row-lost",
        format!("the store wrote {verb} and did not answer with the row"),
    )
    .into()
}

/// The live row, which must still be the one that the caller's token was checked against.
pub(crate) fn same(facts: &pdm_ports::store::Facts, id: &str) -> Result<Allocation, Refusal> {
    facts.live.clone().filter(|a| a.id == id).ok_or_else(not_found)
}

/// The one refusal for what does not exist and for what the caller may not know.
pub(crate) fn not_found() -> Refusal {
    Refusal::new("not-found", "there is no such name for this token")
}

pub(crate) fn must_fit(fits: bool) -> Result<(), Refusal> {
    if fits {
        Ok(())
    } else {
        Err(Refusal::new("token-mismatch", "the reservation token does not belong to this name"))
    }
}

pub(crate) fn must_not_be_expired(live: &Allocation, now: Timestamp) -> Result<(), Refusal> {
    if live.phase == pdm_model::Phase::Reserved && live.expires_at <= now {
        let detail = format!("the reservation ended at {}", live.expires_at);
        return Err(Refusal::new("reservation-expired", detail).until(live.expires_at));
    }
    Ok(())
}

/// The phase after `event`, or a refusal that names the present one.
pub(crate) fn moved(live: &Allocation, event: pdm_model::Event) -> Result<pdm_model::Phase, Refusal> {
    pdm_model::lifecycle::next_phase(live.phase, event)
        .map_err(|e| Refusal::new("not-acceptable-state", e.to_string()))
}
