//! Claims on domains that their owners bring. Until it is proved, a claim blocks nobody.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::allocation::{Allocation, Mode, Observed};
use crate::lifecycle::Phase;
use crate::name::ZoneName;
use crate::time::Timestamp;

/// How long a claim may wait for its proof.
pub const CLAIM_TTL: Duration = Duration::from_secs(28 * 24 * 3600);

/// Nameserver names that are issued for a claim; registries want two.
pub const ISSUED: [&str; 2] = ["ns1", "ns2"];

/// The label in front of the name whose TXT proves a claim.
pub const CHALLENGE_LABEL: &str = "_pdm-challenge";

/// One owner's claim on one name. It becomes an allocation of the same identity when it is proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Identity; UUID v7.
    pub id: String,
    /// The name.
    pub fqdn: ZoneName,
    /// Its registered domain.
    pub registered: ZoneName,
    /// Who can edit the parent.
    pub mode: Mode,
    /// Whose claim it is.
    pub owner: String,
    /// A label from the caller; it authorises nothing.
    pub created_by: Option<String>,
    /// Digest of principal and Idempotency-Key.
    pub request_key: Option<String>,
    /// Since when.
    pub reserved_at: Timestamp,
    /// Until when it may be proved.
    pub expires_at: Timestamp,
    /// Since when it waits for the proof of another owner's to be repeated.
    pub disputed_at: Option<Timestamp>,
}

impl Claim {
    /// The owner name of the TXT that proves it, dotted.
    #[must_use]
    pub fn challenge_name(&self) -> String {
        challenge_name(&self.fqdn)
    }

    /// What the proof is bound to. With the secret key it makes the token.
    #[must_use]
    pub fn bound_to(&self) -> String {
        bound_to(&self.as_allocation())
    }

    /// The allocation that it is, or will be.
    #[must_use]
    pub fn as_allocation(&self) -> Allocation {
        Allocation {
            id: self.id.clone(),
            fqdn: self.fqdn.clone(),
            pool: self.registered.clone(),
            mode: self.mode,
            owner: self.owner.clone(),
            phase: Phase::Reserved,
            generation: 1,
            target: None,
            committed: None,
            commit_operation: None,
            suspended: None,
            legacy: false,
            created_by: self.created_by.clone(),
            request_key: self.request_key.clone(),
            reserved_at: self.reserved_at,
            expires_at: self.expires_at,
            quarantined_until: None,
            conditions: Vec::new(),
            observed: Observed::default(),
            proof: None,
            updated_at: self.reserved_at,
            byo: None,
            keys: crate::keys::KeyIntent::default(),
        }
    }
}

/// What the proof of a claim is bound to: its identity and owner, the purpose, the name and the end.
#[must_use]
pub fn bound_to(claimed: &Allocation) -> String {
    format!("pdm-challenge\n{}\n{}\n{}\n{}", claimed.id, claimed.owner, claimed.fqdn, claimed.expires_at.0)
}

/// The owner name of the TXT that proves a claim on `name`, dotted.
#[must_use]
pub fn challenge_name(name: &ZoneName) -> String {
    format!("{CHALLENGE_LABEL}.{name}.")
}
