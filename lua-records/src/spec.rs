//! The untrusted shape: what a commit body, a policy file and the store hold. Nothing here is believed yet;
//! [`Failover::build`](crate::Failover::build) turns it into a model or says which field is wrong.
//!
//! Numbers are wider and words are plain strings on purpose: a value outside its range is then refused by us, with
//! its field and code, and not by the JSON reader with neither.

use serde::{Deserialize, Serialize};

/// Load balancers and what to do when some of them are down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// In order of preference.
    pub load_balancers: Vec<LoadBalancerSpec>,
    /// The policy.
    #[serde(default)]
    pub failover: FailoverSpec,
}

/// One entrance. Several with the same region are one region with several addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadBalancerSpec {
    /// The region's short name; all load balancers have one, or none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// IPv4 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<String>,
    /// IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<String>,
    /// Share of the traffic, 1 to 65535; for the strategies `weighted` and `hashed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// ISO 3166 codes served from here first; for the strategy `geo`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub country: Vec<String>,
    /// Continent codes (AF AN AS EU NA OC SA) served from here first; for the strategy `geo`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continent: Vec<String>,
}

/// The `failover` part of a body.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailoverSpec {
    /// `ordered` (default), `all`, `roundRobin`, `weighted`, `hashed`, `nearest` or `geo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Regions that answer, in this order, only when no other region is up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserve: Vec<String>,
    /// The health check; TCP to port 443 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckSpec>,
    /// `all` (default), `first`, `fallback` or `empty`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_all_down: Option<String>,
    /// The addresses of `whenAllDown: fallback`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<String>,
    /// Before the first check has ended: `open` (default) answers as if all were down, `fail` answers SERVFAIL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_checked: Option<String>,
    /// Seconds that resolvers keep an answer, 1 to 3600; 5 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<i64>,
}

/// The `check` part.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckSpec {
    /// `tcp` (default), `http` or `https`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Port; 443 for `tcp`, the scheme's own for a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<i64>,
    /// Host of the URL (Host header and SNI): the Sovereign's name or below; its name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Path and query of the URL; `/` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Text that the page must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_text: Option<String>,
    /// Status that the answer must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_status: Option<i64>,
    /// Seconds between two checks, 1 to 3600; the server's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<i64>,
    /// Seconds that one check may take, 1 to 10; 2 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i64>,
    /// Failed checks in a row before an address is down, 1 to 10; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<i64>,
    /// User agent of the check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}
