//! The untrusted shape: what a commit body, a policy file and the store hold. Nothing here is believed yet;
//! [`Failover::build`](crate::Failover::build) turns it into a model or says which field is wrong.
//!
//! Numbers are wider and words are plain strings on purpose: a value outside its range is then refused by us, with
//! its field and code, and not by the JSON reader with neither.

use pdm_model::{Force, LoadBalancer, Target};
use serde::{Deserialize, Serialize};

pub use pdm_model::failover::{CheckSpec, FailoverSpec};

/// Load balancers and what to do when some of them are down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// In order of preference.
    pub load_balancers: Vec<LoadBalancerSpec>,
    /// The policy.
    #[serde(default)]
    pub failover: FailoverSpec,
    /// Regions that answer as if every check of them succeeded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced_up: Vec<String>,
    /// Regions that do not answer, as if they were not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced_down: Vec<String>,
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

impl From<&LoadBalancer> for LoadBalancerSpec {
    fn from(lb: &LoadBalancer) -> Self {
        Self {
            region: lb.region.clone(),
            ipv4: lb.ipv4.map(|address| address.to_string()),
            ipv6: lb.ipv6.map(|address| address.to_string()),
            weight: lb.weight.map(i64::from),
            country: lb.country.clone(),
            continent: lb.continent.clone(),
        }
    }
}

impl From<&Target> for Spec {
    fn from(target: &Target) -> Self {
        let forced = |force: Force| {
            let drains = target.drains.iter().filter(|drain| drain.force == force);
            drains.map(|drain| drain.region.clone()).collect()
        };
        Self {
            load_balancers: target.load_balancers.iter().map(LoadBalancerSpec::from).collect(),
            failover: target.failover.clone().unwrap_or_default(),
            forced_up: forced(Force::Up),
            forced_down: forced(Force::Down),
        }
    }
}

/// Back to what is stored, of a spec that made a model. Regions that are forced up have no end here.
#[must_use]
pub fn load_balancers(spec: &Spec) -> Vec<LoadBalancer> {
    let one = |lb: &LoadBalancerSpec| LoadBalancer {
        region: lb.region.clone(),
        ipv4: lb.ipv4.as_deref().and_then(|text| text.parse().ok()),
        ipv6: lb.ipv6.as_deref().and_then(|text| text.parse().ok()),
        weight: lb.weight.and_then(|weight| u16::try_from(weight).ok()),
        country: lb.country.clone(),
        continent: lb.continent.clone(),
    };
    spec.load_balancers.iter().map(one).collect()
}
