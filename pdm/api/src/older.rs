//! Shapes of the older paths under `/api/v1`, which an existing provisioner uses. They know two states, `reserved`
//! and `active`; a name is `active` here from its commit on. Unknown fields in bodies are ignored, as they were.

use pdm_model::{Allocation, Refusal, Target, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::target::{LoadBalancerBody, TargetBody};

/// Every error of the older paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OlderProblem {
    /// One of a closed list of words.
    #[schema(example = "conflict")]
    pub error: String,
    /// For people.
    pub detail: String,
}

/// `?sub=`.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OlderQuery {
    /// The label under the pool.
    #[serde(default)]
    pub sub: Option<String>,
}

/// Whether a name can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OlderCheck {
    /// Whether a reservation would succeed now.
    pub available: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why not, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
}

/// Body of a registrar's validate.
#[derive(Clone, Deserialize, ToSchema)]
pub struct OlderValidateBody {
    /// The registered domain.
    pub domain: String,
    /// The credential as one text, its parts between colons.
    pub token: String,
}

/// Body of a registrar's set-ns.
#[derive(Clone, Deserialize, ToSchema)]
pub struct OlderSetNsBody {
    /// The registered domain.
    pub domain: String,
    /// The credential as one text, its parts between colons.
    pub token: String,
    /// Ours, in any order.
    pub nameservers: Vec<String>,
}

/// Answer of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OlderValidated {
    /// Always true; anything else is an error.
    pub valid: bool,
    /// The registrar.
    pub registrar: String,
    /// The domain.
    pub domain: String,
}

/// Body of reserve.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OlderReserveBody {
    /// The label under the pool.
    #[serde(default)]
    pub subdomain: String,
    /// A label that authorises nothing.
    #[serde(default)]
    pub created_by: Option<String>,
}

/// Answer of reserve.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OlderReservation {
    /// The pool.
    pub pool_domain: String,
    /// The label under it.
    pub subdomain: String,
    /// `reserved`.
    pub state: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub reserved_at: String,
    /// Until when.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// Needed for commit.
    pub reservation_token: String,
    /// The label from the request.
    pub created_by: String,
}

/// Body of commit.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OlderCommitBody {
    /// The label under the pool.
    #[serde(default)]
    pub subdomain: String,
    /// What reserve answered.
    #[serde(default)]
    pub reservation_token: String,
    /// The full name.
    #[serde(default, rename = "sovereignFQDN")]
    pub sovereign_fqdn: String,
    /// One address, IPv4 or IPv6.
    #[serde(default, rename = "loadBalancerIP")]
    pub load_balancer_ip: String,
}

impl OlderCommitBody {
    /// The target of the commit.
    ///
    /// # Errors
    /// `missing-load-balancer`, or `invalid-target`.
    pub fn target(&self) -> Result<Target, Refusal> {
        if self.load_balancer_ip.trim().is_empty() {
            let refusal = Refusal::new("missing-load-balancer", "loadBalancerIP is required for commit");
            return Err(refusal.field("loadBalancerIP"));
        }
        let typed = Some(self.load_balancer_ip.clone());
        let lb = if self.load_balancer_ip.contains(':') {
            LoadBalancerBody { ipv6: typed, ..Default::default() }
        } else {
            LoadBalancerBody { ipv4: typed, ..Default::default() }
        };
        let target = TargetBody { load_balancers: vec![lb], failover: None };
        target.parse().map_err(|refusal| refusal.field("loadBalancerIP"))
    }
}

/// Body of release; `?sub=` serves as well.
#[derive(Clone, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OlderReleaseBody {
    /// The label under the pool.
    #[serde(default)]
    pub subdomain: Option<String>,
    /// What reserve answered.
    #[serde(default)]
    pub reservation_token: Option<String>,
}

/// One allocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OlderAllocation {
    /// The pool.
    pub pool_domain: String,
    /// The label under it.
    pub subdomain: String,
    /// `reserved` or `active`.
    pub state: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub reserved_at: String,
    /// The label from the reservation.
    pub created_by: String,
    /// Until when, while it is reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// The full name, once it is committed.
    #[serde(default, rename = "sovereignFQDN", skip_serializing_if = "Option::is_none")]
    pub sovereign_fqdn: Option<String>,
    /// The first address, once it is committed.
    #[serde(default, rename = "loadBalancerIP", skip_serializing_if = "Option::is_none")]
    pub load_balancer_ip: Option<String>,
}

/// A committed name that is not proved yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OlderPending {
    /// What is still missing.
    pub warning: String,
    /// The allocation.
    #[serde(flatten)]
    pub allocation: OlderAllocation,
}

/// Answer of release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OlderFreed {
    /// What is still under way; missing when it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// The allocation that was given back.
    pub freed: OlderAllocation,
}

/// Answer of list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OlderList {
    /// The pool.
    pub pool_domain: String,
    /// All that are held.
    pub allocations: Vec<OlderAllocation>,
}

/// The labels that are never lent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OlderReserved {
    /// Sorted.
    pub reserved: Vec<String>,
}

/// RFC 3339 to the second, as the older paths write times.
#[must_use]
pub fn seconds(time: Timestamp) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

impl OlderReservation {
    /// The answer of reserve.
    #[must_use]
    pub fn new(a: &Allocation, token: String) -> Self {
        Self {
            pool_domain: a.pool.to_string(),
            subdomain: a.subdomain().to_owned(),
            state: "reserved".to_owned(),
            reserved_at: seconds(a.reserved_at),
            expires_at: seconds(a.expires_at),
            reservation_token: token,
            created_by: a.created_by.clone().unwrap_or_default(),
        }
    }
}

impl From<&Allocation> for OlderAllocation {
    fn from(a: &Allocation) -> Self {
        let committed = a.target.as_ref().or(a.committed.as_ref());
        let first = committed.and_then(|t| t.load_balancers.first());
        let ip = first.and_then(|lb| lb.ipv4.map(|ip| ip.to_string()).or(lb.ipv6.map(|ip| ip.to_string())));
        Self {
            pool_domain: a.pool.to_string(),
            subdomain: a.subdomain().to_owned(),
            state: if committed.is_some() { "active" } else { "reserved" }.to_owned(),
            reserved_at: seconds(a.reserved_at),
            created_by: a.created_by.clone().unwrap_or_default(),
            expires_at: committed.is_none().then(|| seconds(a.expires_at)),
            sovereign_fqdn: committed.map(|_| a.fqdn.to_string()),
            load_balancer_ip: ip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_end_at_the_second() {
        assert_eq!(seconds(Timestamp(1_795_046_400_999)), "2026-11-19T00:00:00Z");
    }

    #[test]
    fn one_address_of_either_family() {
        let body = |ip: &str| OlderCommitBody {
            subdomain: "a".into(),
            reservation_token: "t".into(),
            sovereign_fqdn: String::new(),
            load_balancer_ip: ip.into(),
        };
        assert!(body("8.8.8.8").target().is_ok() && body("2a01:4f8::1").target().is_ok());
        assert_eq!(body(" ").target().unwrap_err().code, "missing-load-balancer");
        let refusal = body("999.1.1.1").target().unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_deref()), ("invalid-target", Some("loadBalancerIP")));
        assert_eq!(body("8.8.8.8\n").target().unwrap_err().code, "invalid-target");
    }
}
