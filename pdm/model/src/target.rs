//! Where a Sovereign's names point: one or more regional load balancers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::address::admit_address;
use crate::failover::{Drain, FailoverSpec};

/// More load balancers than any Sovereign has regions; keeps an RRset inside one UDP answer.
const MAX_LOAD_BALANCERS: usize = 12;

/// One region's entrance.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancer {
    /// The region's short name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// IPv4 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Ipv4Addr>,
    /// IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Addr>,
    /// Share of the traffic, for weighted policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u16>,
    /// ISO 3166 codes served from here, for policies by country.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub country: Vec<String>,
    /// Continents served from here, for policies by country.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continent: Vec<String>,
}

/// What the six names answer with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// At least one.
    pub load_balancers: Vec<LoadBalancer>,
    /// What to do when some of them are down. Without it, all of them are answered always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<FailoverSpec>,
    /// Regions that somebody forced up or down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drains: Vec<Drain>,
}

/// Why a target cannot be accepted, with the field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct TargetError {
    /// The problem code.
    pub code: &'static str,
    /// Path of the field in the body.
    pub field: String,
    /// What is wrong.
    pub detail: String,
}

impl Target {
    /// A target of one IPv4 load balancer.
    #[must_use]
    pub fn single(ipv4: Ipv4Addr) -> Self {
        Self::plain(vec![LoadBalancer { ipv4: Some(ipv4), ..LoadBalancer::default() }])
    }

    /// A target without a policy: every address is answered always.
    #[must_use]
    pub fn plain(load_balancers: Vec<LoadBalancer>) -> Self {
        Self { load_balancers, ..Self::default() }
    }

    /// All addresses of one family, in the order given.
    #[must_use]
    pub fn addresses_v4(&self) -> Vec<Ipv4Addr> {
        self.load_balancers.iter().filter_map(|lb| lb.ipv4).collect()
    }

    /// All IPv6 addresses, in the order given.
    #[must_use]
    pub fn addresses_v6(&self) -> Vec<Ipv6Addr> {
        self.load_balancers.iter().filter_map(|lb| lb.ipv6).collect()
    }

    /// Check shape and addresses against the pool's policy.
    ///
    /// # Errors
    /// The first thing that is wrong, with its field.
    pub fn validate(&self, allowed: &[IpNet]) -> Result<(), TargetError> {
        let shape = |field: &str, detail: String| TargetError {
            code: "invalid-target",
            field: field.to_owned(),
            detail,
        };
        if self.load_balancers.is_empty() {
            return Err(TargetError {
                code: "missing-load-balancer",
                ..shape("loadBalancers", "at least one is needed".into())
            });
        }
        if self.load_balancers.len() > MAX_LOAD_BALANCERS {
            return Err(shape("loadBalancers", format!("at most {MAX_LOAD_BALANCERS} are accepted")));
        }
        let mut seen = std::collections::BTreeSet::new();
        for (index, lb) in self.load_balancers.iter().enumerate() {
            let at = |field: &str| format!("loadBalancers[{index}].{field}");
            if lb.ipv4.is_none() && lb.ipv6.is_none() {
                return Err(TargetError {
                    code: "missing-load-balancer",
                    ..shape(&at("ipv4"), "give ipv4, ipv6 or both".into())
                });
            }
            let addresses = [("ipv4", lb.ipv4.map(IpAddr::V4)), ("ipv6", lb.ipv6.map(IpAddr::V6))];
            for (field, address) in addresses {
                let Some(address) = address else { continue };
                admit_address(address, allowed).map_err(|what| TargetError {
                    code: "address-refused",
                    field: at(field),
                    detail: format!("{address} is a {what} address, which this pool does not admit"),
                })?;
                if !seen.insert(address) {
                    return Err(shape(&at(field), format!("{address} is given twice")));
                }
            }
            if let Some(region) = &lb.region
                && (region.is_empty()
                    || region.len() > 32
                    || !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
            {
                return Err(shape(&at("region"), "1 to 32 letters, digits and hyphens".into()));
            }
            if lb.weight == Some(0) {
                return Err(shape(&at("weight"), "a weight is at least 1".into()));
            }
            if self.failover.is_none() {
                // What nobody would look at is refused: an ignored weight looks like a working one.
                let ignored = [
                    ("weight", lb.weight.is_some()),
                    ("country", !lb.country.is_empty()),
                    ("continent", !lb.continent.is_empty()),
                ];
                if let Some((field, _)) = ignored.iter().find(|(_, given)| *given) {
                    let detail = "only a failover policy uses it; give failover.strategy".to_owned();
                    return Err(TargetError { code: "field-unused", ..shape(&at(field), detail) });
                }
            }
            if lb.country.iter().any(|c| c.len() != 2 || !c.bytes().all(|b| b.is_ascii_uppercase())) {
                return Err(shape(&at("country"), "two upper-case letters each (ISO 3166)".into()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_address_names_its_field_and_range() {
        let target = Target::single(Ipv4Addr::LOCALHOST);
        let error = target.validate(&[]).unwrap_err();
        assert_eq!((error.code, error.field.as_str()), ("address-refused", "loadBalancers[0].ipv4"));
        assert!(target.validate(&["127.0.0.0/8".parse().unwrap()]).is_ok());
    }

    #[test]
    fn none_and_twice_are_refused() {
        assert_eq!(Target::default().validate(&[]).unwrap_err().code, "missing-load-balancer");
        let mut twice = Target::single("8.8.8.8".parse().unwrap());
        twice.load_balancers.push(twice.load_balancers[0].clone());
        assert_eq!(twice.validate(&[]).unwrap_err().code, "invalid-target");
    }

    #[test]
    fn a_weight_without_a_policy_is_refused() {
        let mut target = Target::single("8.8.8.8".parse().unwrap());
        target.load_balancers[0].weight = Some(3);
        let error = target.validate(&[]).unwrap_err();
        assert_eq!((error.code, error.field.as_str()), ("field-unused", "loadBalancers[0].weight"));
        target.failover = Some(FailoverSpec::default());
        assert!(target.validate(&[]).is_ok());
    }

    #[test]
    fn a_stored_target_from_before_policies_reads_back() {
        let text = r#"{"loadBalancers":[{"ipv4":"8.8.8.8"}]}"#;
        let target: Target = serde_json::from_str(text).unwrap();
        assert_eq!(target, Target::single("8.8.8.8".parse().unwrap()));
        assert_eq!(serde_json::to_string(&target).unwrap(), text);
    }
}
