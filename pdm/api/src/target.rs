//! Load balancers as they are typed. Addresses are texts here and are parsed strictly, so that a typing mistake is
//! answered with the field it stands in.

use pdm_model::{LoadBalancer, Refusal, Target};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::failover::{FailoverBody, whole};

/// One region's entrance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadBalancerBody {
    /// The region's short name: 1 to 32 letters, digits and hyphens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "muscat")]
    pub region: Option<String>,
    /// IPv4 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Ipv4, example = "192.0.2.10")]
    pub ipv4: Option<String>,
    /// IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = Ipv6)]
    pub ipv6: Option<String>,
    /// Share of the traffic, 1 to 65535, for the strategies `weighted` and `hashed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub weight: Option<Value>,
    /// ISO 3166 codes served from here first, for the strategy `geo`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub country: Vec<String>,
    /// Continents (AF AN AS EU NA OC SA) served from here first, for the strategy `geo`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continent: Vec<String>,
}

/// Where the six names are to point: the body of `PUT .../target`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetBody {
    /// At least one.
    pub load_balancers: Vec<LoadBalancerBody>,
    /// What to do when some of them are down; without it, all of them are answered always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<FailoverBody>,
}

impl TargetBody {
    /// The target, with every address parsed. Ranges, counts and the policy are the engine's to judge.
    ///
    /// # Errors
    /// `invalid-target` with the field that is wrong.
    pub fn parse(&self) -> Result<Target, Refusal> {
        let load_balancers =
            self.load_balancers.iter().enumerate().map(|(i, lb)| lb.parse(i)).collect::<Result<_, _>>()?;
        let failover = self.failover.as_ref().map(FailoverBody::parse).transpose()?;
        Ok(Target { load_balancers, failover, drains: Vec::new() })
    }
}

impl LoadBalancerBody {
    fn parse(&self, index: usize) -> Result<LoadBalancer, Refusal> {
        Ok(LoadBalancer {
            region: self.region.clone(),
            ipv4: address(self.ipv4.as_deref(), index, "ipv4", "IPv4")?,
            ipv6: address(self.ipv6.as_deref(), index, "ipv6", "IPv6")?,
            weight: weight(self.weight.as_ref(), &format!("loadBalancers[{index}].weight"))?,
            country: self.country.clone(),
            continent: self.continent.clone(),
        })
    }
}

fn weight(given: Option<&Value>, field: &str) -> Result<Option<u16>, Refusal> {
    let Some(number) = whole(given, "invalid-target", field)? else { return Ok(None) };
    let fits = u16::try_from(number).ok().filter(|weight| *weight > 0);
    fits.map(Some).ok_or_else(|| Refusal::new("invalid-target", "a number from 1 to 65535").field(field))
}

/// Rust's parser takes no leading zeros, no blanks and no abbreviations, which is what we want.
fn address<T: std::str::FromStr>(
    typed: Option<&str>,
    index: usize,
    field: &str,
    family: &str,
) -> Result<Option<T>, Refusal> {
    let Some(typed) = typed else { return Ok(None) };
    typed.parse().map(Some).map_err(|_| {
        let shown: String = typed.chars().take(64).collect();
        Refusal::new("invalid-target", format!("{shown:?} is not an {family} address"))
            .field(format!("loadBalancers[{index}].{field}"))
    })
}

impl From<&Target> for TargetBody {
    fn from(target: &Target) -> Self {
        let one = |lb: &LoadBalancer| LoadBalancerBody {
            region: lb.region.clone(),
            ipv4: lb.ipv4.map(|a| a.to_string()),
            ipv6: lb.ipv6.map(|a| a.to_string()),
            weight: lb.weight.map(Value::from),
            country: lb.country.clone(),
            continent: lb.continent.clone(),
        };
        let load_balancers = target.load_balancers.iter().map(one).collect();
        Self { load_balancers, failover: target.failover.as_ref().map(FailoverBody::from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(ipv4: Option<&str>, ipv6: Option<&str>) -> TargetBody {
        let lb =
            LoadBalancerBody { ipv4: ipv4.map(Into::into), ipv6: ipv6.map(Into::into), ..Default::default() };
        TargetBody { load_balancers: vec![LoadBalancerBody::default(), lb], failover: None }
    }

    #[test]
    fn a_mistyped_address_names_its_field() {
        for bad in ["999.1.1.1", "::1", "8.8.8.8\n", " 8.8.8.8", "8.8.8", "08.8.8.8", "", "8.8.8.8/32", "a"] {
            let refusal = with(Some(bad), None).parse().unwrap_err();
            assert_eq!(refusal.code, "invalid-target", "{bad:?}");
            assert_eq!(refusal.field.as_deref(), Some("loadBalancers[1].ipv4"), "{bad:?}");
        }
        let refusal = with(None, Some("8.8.8.8")).parse().unwrap_err();
        assert_eq!(refusal.field.as_deref(), Some("loadBalancers[1].ipv6"));
    }

    #[test]
    fn good_ones_come_back_as_they_went_in() {
        let body = with(Some("8.8.8.8"), Some("2a01:4f8::1"));
        assert_eq!(TargetBody::from(&body.parse().unwrap()), body);
    }

    #[test]
    fn a_weight_that_is_none_names_its_field() {
        for bad in [Value::from(0), Value::from(-1), Value::from(65536), Value::from("1"), Value::from(1e20)]
        {
            let mut body = with(Some("8.8.8.8"), None);
            body.load_balancers[1].weight = Some(bad.clone());
            let refusal = body.parse().unwrap_err();
            assert_eq!(refusal.field.as_deref(), Some("loadBalancers[1].weight"), "{bad}");
        }
    }
}
