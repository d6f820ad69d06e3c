//! Why a policy is not accepted: one shape for every field, so that an answer can point at it.

use serde::Serialize;

/// A load balancer's region, address, weight, country or continent is not acceptable.
pub const INVALID_LOAD_BALANCER: &str = "invalid-load-balancer";
/// An address lies in a range that is neither public nor admitted by the pool.
pub const ADDRESS_REFUSED: &str = "address-refused";
/// The strategy, or what goes with it, is not acceptable.
pub const INVALID_STRATEGY: &str = "invalid-strategy";
/// A field of the health check is not acceptable.
pub const INVALID_CHECK: &str = "invalid-check";
/// The host of an HTTP check is not the Sovereign's own name.
pub const CHECK_HOST_REFUSED: &str = "check-host-refused";
/// The pool does not admit HTTP checks.
pub const HTTP_CHECKS_REFUSED: &str = "http-checks-refused";
/// What to do when all are down is not acceptable.
pub const INVALID_FALLBACK: &str = "invalid-fallback";
/// A field was given that this policy would ignore.
pub const FIELD_UNUSED: &str = "field-unused";

/// A region is named that the policy does not have.
pub const UNKNOWN_REGION: &str = "unknown-region";
/// Every region would be forced down.
pub const LAST_REGION: &str = "last-region";

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct Refusal {
    /// Stable kebab-case code; one of the constants of this module.
    pub code: &'static str,
    /// Path of the field in the body, such as `failover.check.path`.
    pub field: String,
    /// What is wrong and what would be right, without a trailing stop.
    pub detail: String,
}

impl Refusal {
    /// A refusal of `field`.
    pub(crate) fn new(code: &'static str, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code, field: field.into(), detail: detail.into() }
    }
}

/// Several refusals as one error, for places that can only carry one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals(pub Vec<Refusal>);

impl std::fmt::Display for Refusals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, refusal) in self.0.iter().enumerate() {
            write!(f, "{}{refusal}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusals {}
